"""One line per event, for CI and pipes."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from report.samples import (
    LOAD,
    PACKAGE,
    RUN_ID,
    TRAIN,
    demo_run,
    failed,
    finished,
    output,
    started,
    step_finished,
    step_started,
)

from runner.engine.base import Verdict
from runner.pipeline.events import Event, StepResult, StepState
from runner.report.failure import describe
from runner.report.lines import Lines
from runner.report.style import Style
from runner.report.summary import summary, verdict_line


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Event]]:
    monkeypatch.chdir(tmp_path)
    return demo_run(tmp_path / "runs")


def told(events: list[Event], verbosity: int = 0, color: bool = False, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    reporter = Lines(stream, verbosity=verbosity, color=color)
    for event in events:
        reporter.handle(event)
    reporter.close()
    return raw.getvalue().decode(encoding)


SUMMARY = f"""
✓ load     passed       0.4 s  3 files, 1.5 KiB
✗ train    failed        1:01  exit 3
─ package  blocked             train did not pass

  run in runs/{RUN_ID}
✗ failed in 1:02: 1 passed, 1 failed, 1 blocked
"""


def test_normal(run: tuple[Path, list[Event]]) -> None:
    failure = describe(TRAIN, run[0], head=False)
    assert told(run[1]) == (
        f"demo: 3 steps, 2 at a time, run {RUN_ID}\n"
        "\n"
        "        | note: removed 1 leftover\n"
        "load    | ▶ started\n"
        "load    | ✓ passed     0.4 s  3 files, 1.5 KiB\n"
        "train   | ▶ started\n"
        "train   | ✗ failed      1:01  exit 3\n"
        f"{failure}\n"
        "\n"
        "package | ─ blocked  train did not pass\n" + SUMMARY
    )


def test_one_empty_line_before_the_summary_when_the_last_step_failed(run: tuple[Path, list[Event]]) -> None:
    text = told([started(run[0]), step_finished(TRAIN), finished(LOAD, TRAIN)])
    assert "\n\n✓ load" in text
    assert "\n\n\n" not in text


def test_no_control_character_of_a_name_reaches_the_terminal(tmp_path: Path) -> None:
    assert told([replace(started(tmp_path), pipeline="a\x1b[2J\nb")]).startswith("a b: 3 steps")


def test_stopping_is_said_once_begun_and_not_after_the_end(tmp_path: Path) -> None:
    stream = io.StringIO()
    reporter = Lines(stream)
    reporter.handle(started(tmp_path))
    reporter.stopping()
    assert stream.getvalue().endswith("        | stopping; Ctrl-C again kills at once\n")
    reporter.handle(finished(status="interrupted"))
    before = stream.getvalue()
    reporter.stopping()
    assert stream.getvalue() == before


def test_on_a_narrow_terminal_lines_break_between_words(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(slave, "w") as stream:
        reporter = Lines(stream)
        reporter.handle(started(tmp_path))
        reporter.handle(step_finished(failed("wrote nothing to output 'evaluation-report'", Verdict.CANCELLED)))
        raw = b""
        while not raw.endswith(b"report'\r\n"):  # a terminal hands over a line at a time
            raw += os.read(master, 65536)
    text = raw.decode().replace("\r\n", "\n")
    os.close(master)
    assert max(map(len, text.splitlines())) <= 40
    assert "wrote nothing to output 'evaluation-report'" in " ".join(text.split())


def test_quiet_tells_failures_and_the_last_line_only(run: tuple[Path, list[Event]]) -> None:
    assert told(run[1], -1) == describe(TRAIN, run[0]) + "\n\n✗ failed in 1:02: 1 passed, 1 failed, 1 blocked\n"
    assert told([started(run[0]), step_started("load"), step_finished(LOAD), finished(LOAD, status="passed")], -1) == (
        "✓ passed in 1:02: 1 step\n"
    )


def test_verbose_streams_what_steps_write(run: tuple[Path, list[Event]]) -> None:
    text = told(run[1], 1)
    assert "load    | ▶ started\nload    | 3 files\nload    | ✓ passed" in text
    # The line without a newline comes before the step's end, after the traceback that was complete earlier.
    assert "train   | ValueError: label column 'target' has 3 classes\ntrain   | [1] loss 0.8\ntrain   | ✗" in text


def test_output_of_an_interrupted_step_is_not_lost(tmp_path: Path) -> None:
    assert told([started(tmp_path), output("load", b"half a li")], 1).endswith("load    | half a li\n")


def test_colours_of_steps_stay_only_where_colour_is_on(tmp_path: Path) -> None:
    events = [started(tmp_path), output("load", b"\x1b[31mred\x1b[0m \x1b[2Kcleared\n")]
    assert told(events, 1).endswith("load    | red cleared\n")
    assert told(events, 1, color=True).endswith("\x1b[31mred\x1b[0m cleared\x1b[0m\n")


def test_no_escape_ever_without_colour(run: tuple[Path, list[Event]]) -> None:
    for verbosity in (-1, 0, 1):
        assert "\x1b" not in told(run[1], verbosity)
        assert "\r" not in told(run[1], verbosity)


def test_ascii_where_the_stream_can_do_no_more(run: tuple[Path, list[Event]]) -> None:
    events = [*run[1], output("load", "é\n".encode())]
    text = told(events, 1, encoding="ascii")
    assert "train   | x failed" in text
    assert "  | ValueError" in text
    assert text.endswith("load    | ?\n")


def test_threads_never_mix_their_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    reporter = Lines(stream, verbosity=1)
    reporter.handle(started(tmp_path, ("a", "b", "c")))

    def talk(step: str) -> None:
        for _ in range(200):
            reporter.handle(output(step, b"x" * 50 + b"\n" + step.encode() * 25))
            reporter.handle(output(step, step.encode() * 25 + b"\n"))

    threads = [threading.Thread(target=talk, args=(step,)) for step in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()[2:]
    assert set(lines) == {f"{step} | {text * 50}" for step in "abc" for text in ("x", step)}
    assert len(lines) == 1200


def test_summary_without_its_table_keeps_the_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = summary(finished(LOAD, TRAIN, PACKAGE), tmp_path / "runs" / RUN_ID, Style(), table=False)
    assert text.splitlines()[0] == "✗ train  failed        1:01  exit 3"
    assert "load " not in text


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("environment", "✗ the environment failed in 1:02: no step ran"),
        ("interrupted", "─ interrupted in 1:02: no step ran"),
        ("error", "✗ internal error in 1:02: no step ran"),
    ],
)
def test_verdicts(status: str, line: str) -> None:
    assert verdict_line(finished(status=status)) == line


def test_the_verdict_tells_cancelled_from_failed() -> None:
    cancelled = StepResult(step="b", state=StepState.CANCELLED, verdict=None, reason="")
    assert verdict_line(finished(TRAIN, cancelled, status="interrupted")) == (
        "─ interrupted in 1:02: 1 failed, 1 cancelled"
    )


def test_a_step_that_the_user_stopped_is_told_in_one_line(run: tuple[Path, list[Event]]) -> None:
    stopped = failed("stopped with the run", Verdict.CANCELLED)
    end = finished(stopped, status="interrupted")
    assert told([started(run[0]), step_finished(stopped), end]).splitlines()[2:] == [
        "train   | ─ stopped    1.0 s  stopped with the run",
        "",
        "─ train  stopped      1.0 s  stopped with the run",
        "",
        f"  run in runs/{RUN_ID}",
        "─ interrupted in 1:02: 1 stopped",
    ]
