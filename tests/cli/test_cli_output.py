"""Streams: readers who leave, characters that cannot be shown, colour, and signals."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.cli.interrupts import Interrupts
from runner.cli.output import wants_color
from runner.errors import Interrupted

QUIET = {**os.environ, "PYTHONUNBUFFERED": ""}


def run_into_closed_pipe(code: str) -> subprocess.CompletedProcess[bytes]:
    """Run `code` with a stdout that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, env=QUIET, timeout=60)
    finally:
        os.close(write)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["completion", "bash"], ["run", "--help"]])
def test_a_reader_who_left_changes_no_exit_code(arguments: list[str]) -> None:
    done = run_into_closed_pipe(f"import sys; from runner.cli.main import entry; sys.exit(entry({arguments}))")
    assert done.stderr == b""
    assert done.returncode == 0


def test_writing_goes_on_after_the_reader_left() -> None:
    code = (
        "from runner.cli.output import say, say_bytes\nfor _ in range(9): say('x' * 100000); say_bytes(b'y' * 100000)"
    )
    done = run_into_closed_pipe(code)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_character_that_stdout_cannot_hold_is_escaped() -> None:
    code = "from runner.cli.output import say; say('caf\\u00e9 \\udce9')"
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True)
    assert done.stdout == b"caf\\xe9 \\udce9\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environment", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),  # no-color.org: only when not empty
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(choice, environment, terminal, expected, monkeypatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(choice, Terminal() if terminal else io.StringIO()) is expected


def test_a_signal_before_the_run_raises() -> None:
    with pytest.raises(Interrupted) as caught, Interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143


def test_signals_during_the_run_are_delivered_each_time() -> None:
    received: list[int] = []
    with Interrupts() as interrupts:
        interrupts.deliver_to(received.append)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(signum)
    assert received == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    assert interrupts.received == signal.SIGINT


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGHUP)
        assert interrupts.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_that_waits_is_not_in_the_way_of_a_signal() -> None:
    """The run waits on events in the main thread: a handler must get its turn there."""
    woken = threading.Event()
    with Interrupts() as interrupts:
        interrupts.deliver_to(lambda _: woken.set())
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert woken.wait(10)


FULL = """
import sys
from runner import engine
from runner.cli.main import entry
from runner.engine.fake import Canned, FakeEngine
engine.connect = lambda: FakeEngine({"make": Canned(exit_code=%d, files={"/opt/ml/processing/output/out/x": b"x"})})
sys.exit(entry())
"""
LITTLE = "name: p\nimage: python\nsteps:\n  make: {script: s.py, outputs: [out]}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["plan", "--help"],
        ["runs"],
        ["runs", "--json"],
        ["plan", "p.yaml"],
        ["graph", "p.yaml"],
        ["p.yaml"],
        ["p.yaml", "-q"],
        ["p.yaml", "--json", "-q"],
        ["show"],
        ["logs", "latest", "make"],
    ],
)
def test_a_stdout_that_takes_no_more_is_three_and_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(LITTLE)
    (tmp_path / "s.py").write_text("")
    (tmp_path / "runs/a/steps/make").mkdir(parents=True)
    (tmp_path / "runs/a/run.json").write_text('{"run_id": "a", "status": "passed", "exit_code": 0, "steps": ["make"]}')
    (tmp_path / "runs/a/steps/make/stdout").write_text("x")
    (tmp_path / "runs/a/steps/make/stderr").write_text("")
    done = into_full(FULL % 0, arguments, tmp_path)
    assert done.returncode == 3, done.stderr
    assert "cannot write to stdout: No space left on device" in done.stderr
    told = [line for line in done.stderr.splitlines() if not line.startswith("✓")]  # the progress of `run --json`
    assert len(told) == 1


def test_a_failed_step_outweighs_a_full_stdout(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(LITTLE)
    (tmp_path / "s.py").write_text("")
    done = into_full(FULL % 7, ["p.yaml", "--json", "-q"], tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_an_error_that_json_cannot_carry_is_said_on_stderr(tmp_path: Path) -> None:
    done = into_full(FULL % 0, ["nothing.yaml", "--json"], tmp_path)
    assert done.returncode == 2
    assert "cannot write to stdout" in done.stderr
    assert "nothing.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stderr_that_takes_no_more_changes_no_exit_code(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", FULL % 0, "nothing.yaml"], stderr=full, cwd=tmp_path, timeout=60)
    assert done.returncode == 2


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), (">&-", 3), ("2>&-", 0), ("<&- >&- 2>&-", 3)])
def test_a_stream_that_is_closed_is_no_fault_of_the_program(closed: str, code: int, tmp_path: Path) -> None:
    words = f"exec {sys.executable} -m runner.cli.main runs {closed}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    if "2>" not in closed and code:
        assert done.stderr == "run-pipeline: cannot write to stdout: Bad file descriptor\n"


def into_full(code: str, arguments: list[str], here: Path) -> subprocess.CompletedProcess[str]:
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, cwd=here,
            env=QUIET, timeout=60,
        )  # fmt: skip
