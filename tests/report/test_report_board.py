"""The live board: in a pseudo-terminal, at any size, and what it leaves behind."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from report.samples import (
    LOAD,
    RUN_ID,
    demo_run,
    failed,
    finished,
    output,
    started,
    step_finished,
    step_started,
)

from runner.engine.base import Verdict
from runner.report.console import Board, live_possible
from runner.report.text import clean, width

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "possible"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "CI": "false"}, True),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "xterm", "CI": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_live_possible(environ: dict[str, str], possible: bool) -> None:
    assert live_possible(Terminal(), environ) is possible
    assert live_possible(io.StringIO(), environ) is False


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """30 steps: one passed, five run, the rest waits; not drawn, but asked for frames."""
    clock = Clock()
    board = Board(Terminal(), color=False, clock=clock)
    board._progress.take(started(tmp_path, tuple(f"step_{n:02}_with_a_long_name" for n in range(30))), 0.0)
    steps = board._progress.steps
    board._progress.take(step_finished(replace(LOAD, step=steps[0])), 0.0)
    for step in steps[1:6]:
        board._progress.take(step_started(step), 1.0)
    board._progress.take(output(steps[1], b"\x1b[31mepoch 1\x1b[0m\r\nepoch 2 \xff"), 1.0)
    clock.now = 62.0
    return board


@pytest.mark.parametrize("columns", [20, 36, 60, 80, 200])
@pytest.mark.parametrize("rows", [3, 6, 9, 24, 60])
def test_a_frame_fits_any_screen(board: Board, columns: int, rows: int) -> None:
    frame = board.frame(columns, rows)
    assert len(frame) < max(rows, 6)
    if columns >= 36:
        assert max(map(width, frame)) <= columns


def test_a_frame(board: Board) -> None:
    frame = board.frame(80, 12)
    assert frame == [
        "",
        "▶ step_01_with_a_long_name  running       1:01  epoch 2 \ufffd",
        *(f"▶ step_0{n}_with_a_long_name  running       1:01" for n in range(2, 6)),
        "· 24 steps waiting",
        "",
        "1 of 30 done, 5 running, 1:02",
    ]


def test_a_stopped_step_is_not_called_failed(board: Board) -> None:
    stopped = failed("stopped with the run", Verdict.CANCELLED, step="step_01_with_a_long_name")
    board._progress.take(step_finished(stopped), 2.0)
    assert board.frame(80, 12)[-1] == "2 of 30 done, 4 running, 1:02"
    board._progress.take(step_finished(failed(step="step_02_with_a_long_name")), 2.0)
    assert board.frame(80, 12)[-1].endswith("; failed: step_02_with_a_long_name")


def test_while_stopping_it_says_what_another_signal_does(board: Board) -> None:
    board.stopping()
    assert board.frame(80, 12)[-1].startswith("stopping; Ctrl-C again kills at once; 1 of 30 done")


@pytest.mark.parametrize("columns", [30, 60])
def test_permanent_lines_break_between_words(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    reason = "wrote nothing to output 'evaluation-report', which others need; see its log"
    Board(stream, color=True).handle(finished(failed(reason, step="evaluation")))
    lines = clean(stream.getvalue()).splitlines()
    assert reason in " ".join(" ".join(lines).split())
    assert max(map(width, lines)) <= columns


def test_a_name_cannot_move_the_cursor_and_one_empty_line_precedes_the_end(tmp_path: Path) -> None:
    stream = Terminal()
    board = Board(stream, color=False)
    board._start(replace(started(tmp_path), pipeline="a\x1b[2J name"))
    board.close()
    assert stream.getvalue().startswith("a name: 3 steps")
    stream.truncate(0)
    board.handle(step_finished(failed()))
    board.handle(finished(failed()))
    assert "\n\n✗ train" in stream.getvalue()
    assert "\n\n\n✗ train" not in stream.getvalue()


def test_a_large_screen_names_what_waits(board: Board) -> None:
    assert "· step_29_with_a_long_name" in board.frame(80, 60)


def test_a_small_screen_counts_what_runs(board: Board) -> None:
    assert board.frame(80, 7)[1:4] == [
        "▶ step_01_with_a_long_name  running       1:01  epoch 2 \ufffd",
        "  and 4 more running",
        "· 24 steps waiting",
    ]


def test_what_stays_is_plain_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, events = demo_run(tmp_path / "runs")
    stream = Terminal()
    board = Board(stream, color=False)
    for event in events:
        board.handle(event)
    board.close()
    text = clean(stream.getvalue())
    permanent = "✓ load     passed       0.4 s  3 files, 1.5 KiB"
    assert permanent in text
    assert "note: removed 1 leftover" in text
    assert f"  debug     run-pipeline debug train --run {RUN_ID}" in text
    assert text.endswith(f"  run in runs/{RUN_ID}\n✗ failed in 1:02: 1 passed, 1 failed, 1 blocked\n")
    assert not re.search(r"\x1b\[[0-9;]*m", stream.getvalue().replace("\x1b[0m", ""))


DRIVER = """
import sys, time, contextlib, pathlib
sys.path.insert(0, {tests!r})
from report.samples import *
from runner.report.console import Board
run_dir, events = demo_run(pathlib.Path("runs"))
board = Board(sys.stdout, color=True)
with contextlib.nullcontext() if {careless} else contextlib.closing(board):
    for event in events:
        if {stop} and type(event).__name__ == "RunFinished":
            print("READY", file=sys.stderr, flush=True)
            for _ in range(600):  # a signal just before a long sleep would wait for its end
                time.sleep(0.1)
        board.handle(event)
"""


def drive(tmp_path: Path, *, stop: bool, careless: bool = False) -> tuple[bytes, int]:
    """All that a run writes to a pseudo-terminal; with `stop` it gets Ctrl-C's signal while the board is drawn."""
    script = DRIVER.format(tests=str(Path(__file__).parents[1]), stop=stop, careless=careless)
    master, slave = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=slave, stderr=subprocess.PIPE, env=environ
    )
    os.close(slave)
    try:
        if stop:
            assert process.stderr is not None
            assert process.stderr.readline() == b"READY\n"
            process.send_signal(signal.SIGINT)
        told = _read_all(master)
        return told, process.wait(30)
    finally:
        process.kill()
        process.communicate()
        os.close(master)


def _read_all(master: int) -> bytes:
    told = b""
    while select.select([master], [], [], 30)[0]:
        try:
            data = os.read(master, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not data:
            break
        told += data
    return told


def test_in_a_terminal_the_cursor_comes_back(tmp_path: Path) -> None:
    told, code = drive(tmp_path, stop=False)
    assert code == 0
    assert HIDE in told
    assert told.count(SHOW) >= 1
    assert told.rindex(SHOW) > told.rindex(HIDE)
    assert told.rstrip().endswith(b"1 passed, 1 failed, 1 blocked")


@pytest.mark.parametrize("careless", [False, True])
def test_ctrl_c_gives_the_cursor_back(tmp_path: Path, careless: bool) -> None:
    told, code = drive(tmp_path, stop=True, careless=careless)
    assert code == -signal.SIGINT
    assert HIDE in told
    assert told.rindex(SHOW) > told.rindex(HIDE)
    assert b"load" in told
