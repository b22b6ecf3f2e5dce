"""The directory of a training step's checkpoints: what is refused before anything starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.spec.models import Pipeline

Refuse = Callable[..., list[str]]
Load = Callable[..., Pipeline]
HEAD = "image: python\nsteps:\n"
TRAIN = "  {name}: {{type: training, script: a.py, checkpoints: {where}{more}}}\n"


def training(where: str, name: str = "s", more: str = "") -> str:
    return TRAIN.format(name=name, where=where, more=more)


@pytest.mark.parametrize("where", ["state", "state/deep/er", "../elsewhere", "~/state", "data/state"])
def test_a_directory_of_its_own(load_text: Load, where: str) -> None:
    assert load_text(HEAD + training(where)).spec.steps["s"].checkpoints == where


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("s3://bucket/x", "'s3://bucket/x': checkpoints are kept in a local directory; give its path"),
        ("a.py", "'a.py': a.py is a file, where a directory is needed"),
        ("a.py/below", "'a.py/below': a.py is a file, where a directory is needed"),
        ("gone", "'gone': gone is a link to nothing, where a directory is needed"),
        (".", "'.' holds the pipeline file itself; give a directory of its own"),
        ("/", "'/' holds the pipeline file itself; give a directory of its own"),
    ],
)
def test_what_cannot_be_one(project: Path, refuse: Refuse, where: str, words: str) -> None:
    (project / "gone").symlink_to("nowhere")
    (line,) = refuse(HEAD + training(where))
    assert line == f"pipeline.yaml:3:50: steps.s.checkpoints: {words}"


def test_only_training_has_them(refuse: Refuse) -> None:
    (line,) = refuse(HEAD + "  s: {script: a.py, checkpoints: state}\n")
    assert line.endswith("steps.s.checkpoints: is for training steps: only a training job has a CheckpointConfig")


def test_a_directory_that_may_not_be_written(project: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "shut").mkdir()
    really = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shut" and really(path, mode))
    (line,) = refuse(HEAD + training("shut/state"))
    assert "may not be written by this user" in line


@pytest.mark.parametrize("other", ["state", "./state", "state/below", "link"])
def test_two_steps_do_not_share_one(project: Path, refuse: Refuse, other: str) -> None:
    (project / "state").mkdir()
    (project / "link").symlink_to("state")
    (line,) = refuse(HEAD + training("state", "one") + training(other, "two"))
    assert "steps.two.checkpoints: " in line
    assert "is where step 'one' keeps its checkpoints (state); give each its own" in line


@pytest.mark.parametrize(
    ("where", "more", "words"),
    [
        ("data", ", inputs: {train: data/raw}", "data overlaps with input 'train' of step 's' (data/raw)"),
        ("data/raw/state", ", inputs: {train: data/raw}", "data/raw/state overlaps with input 'train' of step 's'"),
        ("data/raw", ", inputs: {train: data/raw/rows.csv}", "data/raw overlaps with input 'train' of step 's'"),
    ],
)
def test_nothing_that_is_read_lies_there(refuse: Refuse, where: str, more: str, words: str) -> None:
    (line,) = refuse(HEAD + training(where, more=more))
    assert words in line


def test_the_code_does_not_lie_there(refuse: Refuse) -> None:
    text = HEAD + "  s: {type: training, script: main.py, source_dir: src, checkpoints: src/state}\n"
    (line,) = refuse(text)
    assert "src/state overlaps with the code of step 's' (src), which must not change" in line
