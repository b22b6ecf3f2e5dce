"""The job of a step whose code is a `source_dir`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from runner.sagemaker.code import COLLECTED, FAILED, installing, runproc
from runner.sagemaker.job import CodeBundle, CodeText, CodeTree, ContainerJob, InputMount

JobOf = Callable[..., ContainerJob]
CODE = "/opt/ml/processing/input/code"
STARTER = "/opt/ml/processing/input/entrypoint"


def config(job: ContainerJob) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        next(item.content for item in job.config if item.target.endswith("processingjobconfig.json"))
    )
    return found


@pytest.mark.parametrize(
    ("step", "last"),
    [
        ({"script": "steps/load it.py"}, "python 'steps/load it.py' \"$@\""),
        ({"module": "steps.load"}, 'python -m steps.load "$@"'),
    ],
)
def test_a_source_directory_goes_as_the_sdk_sends_it(job_of: JobOf, step: dict[str, Any], last: str) -> None:
    job = job_of({**step, "source_dir": "../src", "args": ["--k", "$HOME"], "inputs": {"DATA": "d"}})
    data, code, starter = job.inputs
    assert data.name == "DATA"
    assert code == InputMount("code", CODE, CodeBundle("/src"))
    assert (starter.name, starter.target) == ("entrypoint", STARTER)
    assert isinstance(starter.source, CodeText)
    assert starter.source.name == "runproc.sh"
    assert starter.source.content.splitlines()[-1] == last
    assert (job.entrypoint, job.arguments) == (("/bin/bash", f"{STARTER}/runproc.sh"), ("--k", "$HOME"))
    assert (job.working_dir, job.requirements) == (None, "python")
    assert config(job)["AppSpecification"]["ContainerEntrypoint"] == ["/bin/bash", f"{STARTER}/runproc.sh"]
    uris = [item["S3Input"]["S3Uri"] for item in config(job)["ProcessingInputs"]]
    assert uris[1:] == ["s3://local/demo/Step/source/sourcedir.tar.gz", "s3://local/demo/Step/source/runproc.sh"]


def test_runproc_is_valid_bash() -> None:
    text = runproc(("it's a script.py",))
    assert subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""


def test_a_training_archive_and_module(job_of: JobOf) -> None:
    job = job_of(
        {"type": "training", "source_dir": "code.tar.gz", "module": "pkg.fit", "hyperparameters": {"depth": "3"}}
    )
    assert job.inputs == (InputMount("code", "/opt/ml/code", CodeTree("/project/code.tar.gz")),)
    assert (job.entrypoint, job.arguments) == (("python3", "-m", "pkg.fit"), ("--depth", "3"))
    assert (job.working_dir, job.requirements) == ("/opt/ml/code", "python3")
    env = dict(job.env)
    assert (env["SM_MODULE_NAME"], env["SM_USER_ENTRY_POINT"]) == ("pkg.fit", "pkg.fit")


@pytest.mark.parametrize(
    "step",
    [
        {"script": "a.py"},
        {"type": "training", "script": "a.py"},
        {"source_dir": "src", "entrypoint": ["python3", "a.py"]},
        {"type": "training", "source_dir": "src", "entrypoint": ["python3", "a.py"]},
    ],
)
def test_nothing_is_installed_where_sagemaker_installs_nothing(job_of: JobOf, step: dict[str, Any]) -> None:
    assert job_of(step).requirements is None


def test_a_training_script_is_preceded_by_the_installation_only_where_there_is_one(job_of: JobOf) -> None:
    job = job_of({"type": "training", "source_dir": "src", "script": "train.py"})
    preceded = installing(job)
    assert preceded.entrypoint is not None
    assert preceded.entrypoint[:3] == ("python3", "-I", "-c")
    assert preceded.entrypoint[4:] == ("python3", "train.py")
    compile(preceded.entrypoint[3], "installation", "exec")
    for text in (preceded.entrypoint[3], runproc(("a.py",))):
        assert COLLECTED in text
        assert FAILED in text
    processing = job_of({"source_dir": "src", "script": "a.py"})
    assert installing(processing) == processing
