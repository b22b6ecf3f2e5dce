"""Whether a script can be traced, and why not: in words that a person can act on."""

from __future__ import annotations

import pytest

from runner.engine.base import Image, StartMode
from runner.engine.tracing import WRAPPERS, obstacle
from runner.sagemaker.code import installing
from runner.sagemaker.job import ContainerJob

INSTALLER = installing(ContainerJob(step="s", step_type="training", image="x")).entrypoint or ()
"""What precedes the command of a training script with packages."""


def image(version: str | None = "3.11.2", mode: StartMode = StartMode.PLAIN) -> Image:
    return Image(
        reference="x",
        id="sha256:0",
        entrypoint=(),
        cmd=(),
        env=(),
        user="",
        working_dir="",
        python="/usr/bin/python3",
        python_version=version,
        mode=mode,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["python3", "s.py"],
        ["python", "-u", "s.py", "-I"],
        ["/opt/venv/bin/python3.11", "-W", "I", "-X", "dev", "-m", "package", "-S"],
        ["python3", "-c", "-E"],
        ["python3", "-Wignore", "-OO", "s.py"],
        ["python3"],
        ["/bin/bash", next(iter(WRAPPERS))],
        ["python3", "pip/train.py"],
        ["python3", "train.py", "-m", "pip"],
        [*INSTALLER, "python3", "train.py", "-I"],
    ],
)
def test_it_can(words: list[str]) -> None:
    assert obstacle(image(), words) == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["python3", "-I", "s.py"], "started with -I"),
        (["python3", "-uS", "s.py"], "started with -S"),
        (["python3", "-X", "dev", "-E", "-m", "x"], "started with -E"),
        (["bash", "-c", "python3 s.py"], "entrypoint is bash, and not Python"),
        (["./pythonic", "s.py"], "not Python"),
        ([*INSTALLER, "python3", "-I", "s.py"], "started with -I"),
        ([*INSTALLER, "bash", "s.sh"], "entrypoint is bash"),
        (["python3", "-m", "pip", "install", "x"], "it runs pip"),
        (["python3", "-um", "pip"], "it runs pip"),
        (["python3", "-Wignore", "-mpip"], "it runs pip"),
        (["python3", "/usr/bin/pip3.11", "install", "x"], "it runs pip"),
    ],
)
def test_it_cannot_for_how_it_starts(words: list[str], why: str) -> None:
    assert why in obstacle(image(), words)


@pytest.mark.parametrize(
    ("version", "why"),
    [("3.7.17", "the image's Python is 3.7.17, older than 3.8"), ("3.8.0", ""), ("3.10.1", ""), ("4.0.0", "")],
)
def test_it_takes_python_3_8(version: str, why: str) -> None:
    assert obstacle(image(version), ["python3", "s.py"]) == why


def test_it_takes_an_agent() -> None:
    assert "no Python" in obstacle(image(None, StartMode.COLD), ["python3", "s.py"])
