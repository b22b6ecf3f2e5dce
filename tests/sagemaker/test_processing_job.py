from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runner.errors import SpecError
from runner.sagemaker.job import CodeFile, CodeTree, ContainerJob, HostData, InputMount, Limits, OutputMount, StepData

CODE = "/opt/ml/processing/input/code"
JobOf = Callable[..., ContainerJob]


def config(job: ContainerJob, name: str = "processingjobconfig.json") -> Any:
    (found,) = [item for item in job.config if item.target == f"/opt/ml/config/{name}"]
    return json.loads(found.content)


@pytest.mark.parametrize(
    ("step", "entrypoint", "arguments"),
    [
        ({}, None, None),
        ({"entrypoint": ["/bin/run", "-x"]}, ("/bin/run", "-x"), None),
        ({"args": ["a", "$HOME"]}, None, ("a", "$HOME")),
        ({"entrypoint": ["/bin/run"], "args": ["a"]}, ("/bin/run",), ("a",)),
        ({"script": "scripts/load.py"}, ("python3", f"{CODE}/load.py"), None),
        ({"script": "scripts/load.py", "args": {"job_type": "training"}},
         ("python3", f"{CODE}/load.py"), ("--job_type", "training")),
        ({"script": "load.py", "entrypoint": ["python3", "-u", f"{CODE}/load.py"]},
         ("python3", "-u", f"{CODE}/load.py"), None),
        ({"args": []}, None, None),
    ],
)  # fmt: skip
def test_command_follows_docker_rules(job_of: JobOf, step: dict[str, Any], entrypoint: Any, arguments: Any) -> None:
    job = job_of({"image": "own", **step})
    assert (job.entrypoint, job.arguments) == (entrypoint, arguments)
    specification = config(job)["AppSpecification"]
    assert specification["ContainerEntrypoint"] == (list(entrypoint) if entrypoint else None)
    assert specification["ContainerArguments"] == (list(arguments) if arguments else None)


def test_script_arrives_alone_as_the_last_input(job_of: JobOf) -> None:
    job = job_of({"script": "scripts/load.py", "inputs": {"DATA": "data/raw"}})
    assert job.inputs == (
        InputMount("DATA", "/opt/ml/processing/input/DATA", HostData("/project/data/raw")),
        InputMount("code", CODE, CodeFile("/project/scripts/load.py")),
    )
    assert job.working_dir is None


@pytest.mark.parametrize("wish", ["overlay", "copy", "read-only"])
def test_how_an_input_is_made_private_is_part_of_the_job(job_of: JobOf, wish: str) -> None:
    job = job_of({"script": "load.py", "inputs": {"DATA": {"source": "data", "private": wish}}})
    assert [mount.private for mount in job.inputs] == [wish, "overlay"]


def test_source_dir_beside_an_entrypoint_is_the_working_directory(job_of: JobOf) -> None:
    job = job_of({"script": "steps/load.py", "source_dir": "../src", "entrypoint": ["python3", "steps/load.py"]})
    assert job.inputs == (InputMount("code", CODE, CodeTree("/src")),)
    assert job.entrypoint == ("python3", "steps/load.py")
    assert (job.working_dir, job.requirements) == (CODE, None)


def test_a_producers_output_has_one_uri_on_both_ends(job_of: JobOf) -> None:
    consumer = job_of(
        {"script": "a.py", "inputs": {"train": {"from": "Up.processed.v1"}}},
        steps={"Up": {"script": "up.py", "outputs": {"processed.v1": None}}},
    )
    assert consumer.inputs[0].source == StepData("Up", "processed.v1")
    assert config(consumer)["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://local/demo/Up/output/processed.v1"


def test_paths_can_be_chosen(job_of: JobOf) -> None:
    job = job_of(
        {
            "script": "a.py",
            "inputs": {"x": {"source": "x", "path": "/opt/ml/processing/elsewhere"}},
            "outputs": {"all": "/opt/ml/processing/output", "log": {"path": None, "allow_empty": True}},
        }
    )
    assert job.inputs[0].target == "/opt/ml/processing/elsewhere"
    assert job.outputs == (
        OutputMount("all", "/opt/ml/processing/output"),
        OutputMount("log", "/opt/ml/processing/output/log", allow_empty=True),
    )


def test_environment_is_the_requests_and_nothing_else(job_of: JobOf) -> None:
    job = job_of({"script": "a.py", "env": {"B": "step $x", "C": ""}}, env={"A": "pa$sword", "B": "pipeline"})
    assert dict(job.env) == {"A": "pa$sword", "B": "step $x", "C": ""}
    assert config(job)["Environment"] == dict(job.env)


def test_image_mapping_leaves_the_uri_for_the_script_to_see(job_of: JobOf) -> None:
    uri = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
    mapped = job_of({"script": "a.py", "image": uri}, images={uri: "xgboost"})
    assert mapped.image == "xgboost"
    assert config(mapped)["AppSpecification"]["ImageUri"] == uri
    assert job_of({"script": "a.py"}, images={uri: "xgboost"}).image == "python"
    assert job_of({"script": "a.py", "image": "sklearn"}).image == "sklearn"


def test_limits_are_bytes_and_seconds(job_of: JobOf) -> None:
    resources = {"cpus": 1.5, "memory": "512m", "shm_size": 1048576, "pids": 100}
    job = job_of({"script": "a.py", "resources": resources, "timeout": "5m", "stop_grace": 3, "network": "bridge"})
    assert job.limits == Limits(cpus=1.5, memory=512 << 20, shm_size=1 << 20, pids=100, timeout=300.0, grace=3.0)
    assert job.network == "bridge"
    assert config(job)["StoppingCondition"] == {"MaxRuntimeInSeconds": 300}


@pytest.mark.parametrize(("timeout", "written"), [(None, 86400), (0.2, 1), (90.5, 91)])
def test_stopping_condition_is_whole_seconds(job_of: JobOf, timeout: float | None, written: int) -> None:
    job = job_of({"script": "a.py", "timeout": timeout})
    assert config(job)["StoppingCondition"] == {"MaxRuntimeInSeconds": written}
    assert job.limits.timeout == timeout


def test_config_files_have_the_documented_form(job_of: JobOf) -> None:
    job = job_of({"script": "a.py", "inputs": {"d": "d"}, "outputs": {"o": None}})
    name = config(job)["ProcessingJobName"]
    assert config(job) == {
        "ProcessingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:processing-job/{name}",
        "ProcessingJobName": name,
        "AppSpecification": {
            "ImageUri": "python",
            "ContainerEntrypoint": ["python3", f"{CODE}/a.py"],
            "ContainerArguments": None,
        },
        "Environment": {},
        "ProcessingInputs": [
            _input("d", "/opt/ml/processing/input/d", "s3://local/demo/Step/input/d"),
            _input("code", CODE, "s3://local/demo/Step/input/code/a.py"),
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "o",
                    "S3Output": {
                        "LocalPath": "/opt/ml/processing/output/o",
                        "S3Uri": "s3://local/demo/Step/output/o",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ],
            "KmsKeyId": None,
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 30,
                "VolumeKmsKeyId": None,
            }
        },
        "RoleArn": "arn:aws:iam::000000000000:role/run-pipeline",
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }
    assert config(job, "resourceconfig.json") == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert job.hostname == "algo-1"
    assert job.exit_message == "/opt/ml/output/message"


def _input(name: str, path: str, uri: str) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "LocalPath": path,
            "S3Uri": uri,
            "S3DataDistributionType": "FullyReplicated",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3CompressionType": "None",
            "S3DownloadMode": "StartOfJob",
        },
    }


def test_same_spec_same_job(job_of: JobOf) -> None:
    step = {"script": "a.py", "env": {"A": "1"}, "inputs": {"d": "d"}, "outputs": {"o": None}}
    assert job_of(step) == job_of(step)
    assert hash(job_of(step)) == hash(job_of(step))
    assert job_of(step) != job_of({**step, "env": {"A": "2"}})


def test_an_input_cannot_take_the_name_of_the_code(job_of: JobOf) -> None:
    with pytest.raises(SpecError, match=r"steps\.Step\.inputs\.code") as caught:
        job_of({"script": "a.py", "inputs": {"code": {"source": "d", "path": "/opt/ml/processing/other"}}})
    assert caught.value.remedy
    free = job_of({"entrypoint": ["x"], "inputs": {"code": "d"}})
    assert [item.name for item in free.inputs] == ["code"]


def test_no_image_is_refused(job_of: JobOf) -> None:
    with pytest.raises(SpecError, match=r"steps\.Step\.image"):
        job_of({"script": "a.py"}, image=None)
