"""What the shells are told to offer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.main import COMPLETE_VARIABLE, entry

PIPELINE = (
    "name: p\nimage: python\nsteps:\n  alpha: {script: s.py, outputs: [o]}\n  beta: {script: s.py, outputs: [o]}\n"
)


def offered(words: str, where: Path) -> list[str]:
    """What bash would be offered for the last word of a line."""
    env = {
        **os.environ,
        COMPLETE_VARIABLE: "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    argv = [sys.executable, "-m", "runner.cli.main"]
    done = subprocess.run(argv, env=env, cwd=where, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "s.py").write_text("")
    return tmp_path


def test_commands_and_files(here) -> None:
    assert offered("run-pipeline pl", here) == ["file,pl", "plain,plan"]


def test_options(here) -> None:
    assert "plain,--keep-going" in offered("run-pipeline run --ke", here)


def test_steps_of_the_named_file(here) -> None:
    assert offered("run-pipeline run p.yaml --only ", here) == ["plain,alpha", "plain,beta"]


def test_steps_also_without_the_word_run(here) -> None:
    assert offered("run-pipeline p.yaml --until be", here) == ["plain,beta"]


def test_a_broken_file_offers_nothing_and_says_nothing(here) -> None:
    (here / "p.yaml").write_text("steps: [")
    assert offered("run-pipeline run p.yaml --only ", here) == []


def test_runs(here) -> None:
    assert offered("run-pipeline show l", here) == ["plain,latest"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(shell, capsys) -> None:
    assert entry(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert COMPLETE_VARIABLE in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_the_commands_of_the_testing_api(here) -> None:
    assert offered("run-pipeline test-", here) == [
        "file,test-",
        "plain,test-script",
        "plain,test-compatibility",
        "plain,test-pipeline",
    ]
    options = ["--workspace-dir", "--timeout", "--output-format", "--color", "--junit", "--help"]
    for command in ("test-script", "test-compatibility", "test-pipeline"):
        assert offered(f"run-pipeline {command} --", here) == [f"plain,{option}" for option in options]
    assert offered("run-pipeline test-pipeline --output-format ", here) == ["plain,text", "plain,json"]
    assert offered("run-pipeline specs ", here) == ["plain,edit", "plain,list", "plain,show"]
