"""What is imported when, and what is answered at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runner import __version__
from runner.cli.main import entry
from runner.cli.program import program
from runner.cli.table import COMMANDS

HEAVY = {"docker", "pandas", "networkx", "pydantic", "yaml", "rich", "requests", "numpy"}

_PROBE = """
import sys
from runner.cli.main import entry
entry(sys.argv[1:])
seen = {name.partition(".")[0] for name in sys.modules}
sys.stderr.write(" ".join(sorted(seen)))
"""


def imported_by(*arguments: str) -> set[str]:
    """Top-level modules that are imported once the command line has been answered."""
    done = subprocess.run([sys.executable, "-c", _PROBE, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_and_version_import_not_even_click(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & (HEAVY | {"click", "dataclasses", "enum", "importlib", "typing", "re"})


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    assert not imported_by(name, "--help") & HEAVY


def test_a_command_imports_no_other_command() -> None:
    code = (
        "import sys; from runner.cli.main import entry; entry(['completion', 'bash']);"
        "print([m for m in sys.modules if m in ('runner.cli.run', 'runner.cli.doctor', 'runner.cli.debug')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry(["--version"]) == 0
    assert capsys.readouterr().out == f"run-pipeline {__version__}\n"


def test_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry(["--help"]) == 0
    text = capsys.readouterr().out
    for name, (_, summary) in COMMANDS.items():
        assert name in text
        assert summary in text
    assert "129/130/143" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_no_arguments_show_the_help_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: run-pipeline FILE")


def test_click_says_the_same_as_the_quick_answer(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["--version"]):
        entry(arguments)
        quick = capsys.readouterr().out
        program.execute(arguments)
        assert capsys.readouterr().out == quick


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: run-pipeline {name}")
    if name != "images":
        assert "Example:\n    run-pipeline" in text or 'Example:\n    eval "$(run-pipeline' in text
