"""`specs list`, `show` and `edit`: the last at a real terminal, and without one."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from testing.workspaces import COPY, put

from runner import PipelineTestingSpecBuilder, ScriptExecutionSpec
from runner.testing.interactive import ask

PROGRAM = str(Path(sys.executable).parent / "run-pipeline")
FIELDS = ("script_path", "input_paths", "output_paths", "environ_vars", "job_args", "user_notes")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "scripts/prep.py", COPY)
    return tmp_path


def cli(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "specs", *arguments, "--workspace-dir", "w"]
    given: dict[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **given)


def saved() -> dict[str, Any] | None:
    path = Path("w/.specs/prep_runtime_test_spec.json")
    return json.loads(path.read_text()) if path.is_file() else None


class Terminal:
    """`specs edit prep` at a pseudo-terminal."""

    def __init__(self) -> None:
        self.said = ""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execv(PROGRAM, [PROGRAM, "specs", "edit", "prep", "--workspace-dir", "w"])
        self.pid = pid

    def hear(self, pattern: str, seconds: float = 30) -> str:
        """All that is said until the pattern comes; what follows waits for the next call."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = re.search(pattern, self.said)
            if found is not None:
                heard, self.said = self.said[: found.end()], self.said[found.end() :]
                return heard
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.fd, 4096).decode()
                except OSError:  # Linux's end of a pseudo-terminal
                    break
        raise AssertionError(f"never said {pattern!r}, but {self.said!r}")

    def say(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def interrupt(self, character: int | None = None) -> int:
        """Sends SIGINT, or the character that has the terminal do so or end the input; returns the exit status.

        Time and again: one that comes between Python's prompt and its read has no effect before the next key.
        """
        for _ in range(20):
            time.sleep(0.5)
            if select.select([self.fd], [], [], 0)[0]:
                try:
                    more = os.read(self.fd, 4096)
                except OSError:
                    break
                self.said += more.decode()
                continue
            if character is None:
                os.kill(self.pid, signal.SIGINT)
            else:
                os.write(self.fd, termios.tcgetattr(self.fd)[6][character])
        return self.end()

    def end(self, seconds: float = 30) -> int:
        """The exit status, after the rest has been read; of one that does not end, that of SIGKILL."""
        until = time.monotonic() + seconds
        while True:
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    more = os.read(self.fd, 4096)
                except OSError:  # Linux's end of a pseudo-terminal
                    break
                self.said += more.decode()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_answers_at_a_terminal():
    terminal = Terminal()
    assert "Spec of 'prep' (script prep). Enter keeps what is shown." in terminal.hear(r"script_path: [^\n]*\n.*> ")
    terminal.say("\n")
    assert '[{"data_input": "w/prep/input"}]' in terminal.hear(r"input_paths: [^\n]*\n.*> ")
    terminal.say("my data/in\n")
    terminal.hear(r"output_paths: [^\n]*\n.*> ")
    terminal.say('{"data_output": "my out"}\n')
    terminal.hear(r"environ_vars: [^\n]*\n.*> ")
    terminal.say('{"LABEL_FIELD": "target"}\n')
    terminal.hear(r"job_args: [^\n]*\n.*> ")
    terminal.say("-\n")
    terminal.hear(r"user_notes: [^\n]*\n.*> ")
    terminal.say("for Grüße\n")
    terminal.hear(r"saved in w/\.specs")
    assert terminal.end() == 0, terminal.said
    found = saved()
    assert found is not None
    assert found["input_paths"] == {"data_input": "my data/in"}
    assert found["output_paths"] == {"data_output": "my out"}
    assert found["environ_vars"] == {"LABEL_FIELD": "target"}
    assert found["job_args"] == {}
    assert found["user_notes"] == "for Grüße"


def test_wrong_answers_are_asked_again():
    terminal = Terminal()
    for field in FIELDS[:3]:
        terminal.hear(rf"{field}: [^\n]*\n.*> ")
        terminal.say("\n")
    terminal.hear(r"environ_vars: [^\n]*\n.*> ")
    for wrong, words in (
        ('{"A": ', r"not JSON: .* at character \d+"),
        ("[1]", r"expected a mapping in braces, got \[1\]"),
        ('{"A": 1}', r"environ_vars\.A: expected text, got the number 1"),
    ):
        terminal.say(f"{wrong}\n")
        terminal.hear(rf"{words}[^\n]*\n.*> ")
    terminal.say('{"A": "1"}\n')
    for field in FIELDS[4:]:
        terminal.hear(rf"{field}: [^\n]*\n.*> ")
        terminal.say("\n")
    assert terminal.end() == 0, terminal.said
    assert (saved() or {})["environ_vars"] == {"A": "1"}


@pytest.mark.parametrize(("key", "status"), [(termios.VEOF, 2), (termios.VINTR, 130)])
def test_end_of_input_and_interrupt_save_nothing(key, status):
    terminal = Terminal()
    terminal.hear(r"script_path: [^\n]*\n.*> ")
    terminal.say("\n")
    terminal.hear(r"input_paths: [^\n]*\n.*> ")
    assert terminal.interrupt(key) == status, terminal.said
    assert saved() is None
    assert "Traceback" not in terminal.said
    assert "nothing was saved" in terminal.said


def test_a_saved_spec_stays_when_its_edit_is_broken_off():
    PipelineTestingSpecBuilder("w").update_script_spec("prep", user_notes="old")
    before = saved()
    terminal = Terminal()
    terminal.hear(r"script_path: [^\n]*\n.*> ")
    assert terminal.interrupt() == 130, terminal.said
    assert saved() == before


def test_answers_from_a_pipe():
    done = cli("edit", "prep", stdin="\n" * 5 + "from a pipe\n")
    assert done.returncode == 0, done.stderr
    assert (saved() or {})["user_notes"] == "from a pipe"


def test_a_pipe_that_ends_early_saves_nothing():
    for stdin in ("", "\n\n"):
        done = cli("edit", "prep", stdin=stdin)
        assert done.returncode == 2
        assert "the input ended before" in done.stderr and "nothing was saved" in done.stderr
        assert saved() is None


def test_ask_keeps_aliases():
    spec = ScriptExecutionSpec.model_validate(
        {"script_name": "prep", "input_path_specs": {"raw": {"path": "in", "aliases": ["table"]}}}
    )
    answers = iter(["", '{"raw": "elsewhere"}', "", "", "", ""])
    asked: list[str] = []
    made = ask(spec, lambda prompt: asked.append(prompt) or next(answers), lambda _: None)  # type: ignore[func-returns-value]
    assert len(asked) == len(FIELDS)
    assert made.input_paths == {"raw": "elsewhere"}
    assert made.input_path_specs["raw"].aliases == ("table",)


def two_steps() -> None:
    builder = PipelineTestingSpecBuilder("w")
    for step in ("Prep_training", "Prep_testing"):
        builder.save_script_spec(ScriptExecutionSpec(script_name="prep", step_name=step, user_notes=step))


def test_list_and_show_two_steps_of_one_script():
    two_steps()
    listed = [line.split("\t")[:2] for line in cli("list").stdout.splitlines()]
    assert listed == [["prep", "Prep_training"], ["prep.Prep_testing", "Prep_testing"]]
    for name in ("Prep_testing", "prep.Prep_testing"):
        shown = cli("show", name)
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)["user_notes"] == "Prep_testing"
    several = cli("show", "prep")
    assert several.returncode == 2
    assert "several specs fit 'prep'" in several.stderr
    assert "'Prep_training', 'Prep_testing'" in several.stderr or "'Prep_testing', 'Prep_training'" in several.stderr


def test_edit_of_a_step_by_the_name_of_its_file():
    two_steps()
    done = cli("edit", "prep.Prep_testing", stdin="\n" * 5 + "edited\n")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in Path("w/.specs").iterdir()) == [
        "prep.Prep_testing_runtime_test_spec.json",
        "prep_runtime_test_spec.json",
    ]
    assert json.loads(cli("show", "Prep_testing").stdout)["user_notes"] == "edited"
    assert json.loads(cli("show", "Prep_training").stdout)["user_notes"] == "Prep_training"


def test_show_of_nothing_names_the_nearest():
    assert cli("list").stdout == ""
    two_steps()
    for name, words in (("prepp", "did you mean 'prep'?"), ("zzzzzzzz", "saved are: 'prep', 'prep.Prep_testing'")):
        done = cli("show", name)
        assert done.returncode == 2
        assert f"no saved spec for '{name}' in w/.specs" in done.stderr and words in done.stderr


def test_a_file_that_is_no_spec_is_named_and_stays():
    put(Path("w/.specs/prep_runtime_test_spec.json"), "{")
    for command in (("show", "prep"), ("list",), ("edit", "prep")):
        done = cli(*command, stdin="\n" * 6)
        assert done.returncode == 2
        assert "prep_runtime_test_spec.json:1:2" in done.stderr
    assert Path("w/.specs/prep_runtime_test_spec.json").read_text() == "{"
