from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import SpecError
from runner.sagemaker.environment import ScriptMode, with_image_path
from runner.sagemaker.job import CodeFile, CodeTree, ContainerJob, HostData, InputMount, OutputMount

JobOf = Callable[..., ContainerJob]
TOOLKIT = json.loads((Path(__file__).parent / "toolkit.json").read_text())
"""What sagemaker-training 5.1.4 itself produced, in a container with these three files in /opt/ml/input/config."""


def config(job: ContainerJob, name: str) -> Any:
    (found,) = [item for item in job.config if item.target == f"/opt/ml/input/config/{name}.json"]
    return json.loads(found.content)


def toolkit_mode(**changes: Any) -> ScriptMode:
    given = TOOLKIT["given"]
    facts: dict[str, Any] = {
        "hyperparameters": given["hyperparameters"],
        "inputs": given["inputdataconfig"],
        "resources": given["resourceconfig"],
        "program": "train.py",
        "job_name": given["TRAINING_JOB_NAME"],
        "cpus": given["cpus"],
    }
    return ScriptMode(**{**facts, **changes})


def test_variables_are_those_of_the_real_toolkit() -> None:
    ours, theirs = toolkit_mode().variables(), TOOLKIT["variables"]
    assert ours.keys() == theirs.keys()
    assert json.loads(ours.pop("SM_TRAINING_ENV")) == json.loads(theirs["SM_TRAINING_ENV"])
    assert ours == {name: value for name, value in theirs.items() if name != "SM_TRAINING_ENV"}


def test_training_env_is_byte_equal_too() -> None:
    assert toolkit_mode().variables()["SM_TRAINING_ENV"] == TOOLKIT["variables"]["SM_TRAINING_ENV"]


def test_arguments_are_those_of_the_real_toolkit() -> None:
    assert list(toolkit_mode().arguments()) == TOOLKIT["arguments"]


def test_a_distribution_names_the_instance_group() -> None:
    hyperparameters = {"sagemaker_parameter_server_enabled": "true"}
    variables = toolkit_mode(hyperparameters=hyperparameters).variables()
    assert variables["SM_DISTRIBUTION_INSTANCE_GROUPS"] == '["homogeneousCluster"]'
    assert variables["SM_FRAMEWORK_PARAMS"] == '{"sagemaker_parameter_server_enabled":true}'
    assert variables["SM_USER_ARGS"] == "[]"


def test_script_mode(job_of: JobOf) -> None:
    job = job_of(
        {
            "type": "training",
            "script": "scripts/train.py",
            "hyperparameters": {"max_depth": "5", "n": "3", "eta": "0.10", "flag": "true", "name": "it's $x"},
            "inputs": {"train": "data", "val": "data"},
            "env": {"MINE": "1", "SM_MODEL_DIR": "overwritten"},
        }
    )
    assert job.entrypoint == ("python3", "train.py")
    assert job.arguments == (
        "--eta", "0.1", "--flag", "True", "--max_depth", "5", "-n", "3", "--name", "it's $x",
    )  # fmt: skip
    assert job.working_dir == "/opt/ml/code"
    assert job.inputs == (
        InputMount("train", "/opt/ml/input/data/train", HostData("/project/data")),
        InputMount("val", "/opt/ml/input/data/val", HostData("/project/data")),
        InputMount("code", "/opt/ml/code", CodeFile("/project/scripts/train.py")),
    )
    assert job.exit_message == "/opt/ml/output/failure"
    env = dict(job.env)
    assert env["MINE"] == "1"
    assert env["SM_MODEL_DIR"] == "/opt/ml/model", "the toolkit writes over the request's environment"
    assert env["SM_CHANNELS"] == '["train","val"]'
    assert env["SM_CHANNEL_VAL"] == "/opt/ml/input/data/val"
    assert env["SM_HP_ETA"] == "0.1"
    assert env["TRAINING_JOB_ARN"].endswith(f":training-job/{env['TRAINING_JOB_NAME']}")


def test_config_files(job_of: JobOf) -> None:
    job = job_of(
        {
            "type": "training",
            "script": "train.py",
            "hyperparameters": {"eta": "0.10", "layers": [1, 2]},
            "inputs": {"train": "d"},
        }
    )
    name = dict(job.env)["TRAINING_JOB_NAME"]
    assert config(job, "hyperparameters") == {
        "eta": "0.10",
        "layers": "[1, 2]",
        "sagemaker_container_log_level": "20",
        "sagemaker_submit_directory": '"s3://local/demo/Step/source/sourcedir.tar.gz"',
        "sagemaker_program": '"train.py"',
        "sagemaker_job_name": f'"{name}"',
        "sagemaker_region": '"us-east-1"',
    }
    channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    assert config(job, "inputdataconfig") == {"train": channel}
    assert config(job, "resourceconfig") == TOOLKIT["given"]["resourceconfig"]


def test_a_channel_says_what_it_holds_and_how_it_is_shared(job_of: JobOf) -> None:
    inputs = {"train": {"source": "d", "content_type": "text/csv", "distribution": "ShardedByS3Key"}, "val": "d"}
    job = job_of({"type": "training", "script": "train.py", "inputs": inputs})
    told = config(job, "inputdataconfig")
    assert (told["train"]["ContentType"], told["train"]["S3DistributionType"]) == ("text/csv", "ShardedByS3Key")
    assert "ContentType" not in told["val"], "a request that names none has none"
    assert json.loads(dict(job.env)["SM_INPUT_DATA_CONFIG"]) == told


def test_the_code_directory_is_on_pythonpath_before_the_requests_own(job_of: JobOf) -> None:
    step = {"type": "training", "script": "pkg/train.py", "source_dir": "src"}
    assert dict(job_of(step).env)["PYTHONPATH"] == "/opt/ml/code"
    mine = job_of({**step, "env": {"PYTHONPATH": "/mine"}})
    assert dict(mine.env)["PYTHONPATH"] == "/opt/ml/code:/mine"
    assert with_image_path(mine, [("PYTHONPATH", "/image")]) == mine, "the request's hides the image's, as in Docker"


def test_the_images_own_pythonpath_stays(job_of: JobOf) -> None:
    job = job_of({"type": "training", "script": "train.py"})
    assert dict(with_image_path(job, [("PYTHONPATH", "/image")]).env)["PYTHONPATH"] == "/opt/ml/code:/image"
    assert with_image_path(job, [("PATH", "/bin")]) == job
    own = job_of({"type": "training", "image": "own"})
    assert with_image_path(own, [("PYTHONPATH", "/image")]) == own


def test_checkpoints(job_of: JobOf) -> None:
    step = {"type": "training", "script": "train.py"}
    assert job_of(step).checkpoints is None
    assert not [item for item in job_of(step).config if "checkpoint" in item.target]
    job = job_of({**step, "checkpoints": "state/kept"})
    assert job.checkpoints == "/project/state/kept"
    where = {"S3Uri": "s3://local/demo/Step/checkpoints", "LocalPath": "/opt/ml/checkpoints"}
    assert config(job, "checkpointconfig") == where


def test_log_level_can_be_asked_for_and_the_program_cannot(job_of: JobOf) -> None:
    asked = {"sagemaker_container_log_level": "10", "sagemaker_program": "other.py"}
    job = job_of({"type": "training", "script": "train.py", "hyperparameters": asked})
    env = dict(job.env)
    assert (env["SM_LOG_LEVEL"], env["SM_USER_ENTRY_POINT"], job.arguments) == ("10", "train.py", None)


def test_source_dir_of_a_training_step(job_of: JobOf) -> None:
    job = job_of({"type": "training", "script": "pkg/train.py", "source_dir": "src"})
    assert job.inputs == (InputMount("code", "/opt/ml/code", CodeTree("/project/src")),)
    assert job.entrypoint == ("python3", "pkg/train.py")
    assert dict(job.env)["SM_MODULE_NAME"] == "pkg/train"


@pytest.mark.parametrize(("cpus", "written"), [(None, "1"), (0.5, "1"), (2, "2"), (3.9, "3")])
def test_cpus_come_from_the_spec_never_from_the_machine(job_of: JobOf, cpus: float | None, written: str) -> None:
    job = job_of({"type": "training", "script": "train.py", "resources": {"cpus": cpus}})
    assert dict(job.env)["SM_NUM_CPUS"] == written


def test_outputs_are_two_archives(job_of: JobOf) -> None:
    step = {"type": "training", "script": "train.py"}
    model = OutputMount("model", "/opt/ml/model", archive="model.tar.gz")
    output = OutputMount("output", "/opt/ml/output/data", allow_empty=True, archive="output.tar.gz")
    assert job_of(step).outputs == (model, output)
    allowed = job_of({**step, "outputs": {"model": {"allow_empty": True}}})
    assert [item.allow_empty for item in allowed.outputs] == [True, True]


@pytest.mark.parametrize(
    ("step", "entrypoint", "arguments"),
    [
        ({}, None, ("train",)),
        ({"entrypoint": ["/bin/fit", "-v"]}, ("/bin/fit", "-v"), None),
        ({"script": "train.py", "entrypoint": ["/bin/fit"]}, ("/bin/fit",), None),
    ],
)
def test_an_image_of_its_own_does_what_the_toolkit_would(
    job_of: JobOf, step: dict[str, Any], entrypoint: Any, arguments: Any
) -> None:
    job = job_of({"type": "training", "image": "own", "hyperparameters": {"k": "v"}, "env": {"A": "1"}, **step})
    assert (job.entrypoint, job.arguments, job.working_dir) == (entrypoint, arguments, None)
    assert sorted(dict(job.env)) == ["A", "TRAINING_JOB_ARN", "TRAINING_JOB_NAME"]
    assert config(job, "hyperparameters") == {"k": "v"}


def test_framework_module_comes_from_the_request(job_of: JobOf) -> None:
    env = {"SAGEMAKER_TRAINING_MODULE": "sagemaker_xgboost_container.training:main"}
    job = job_of({"type": "training", "script": "train.py", "env": env})
    assert dict(job.env)["SM_FRAMEWORK_MODULE"] == env["SAGEMAKER_TRAINING_MODULE"]


def test_a_channel_cannot_take_the_name_of_the_code(job_of: JobOf) -> None:
    with pytest.raises(SpecError, match=r"steps\.Step\.inputs\.code"):
        job_of({"type": "training", "script": "train.py", "inputs": {"code": "d"}})
