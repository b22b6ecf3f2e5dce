"""The live board for a person at a terminal.

Finished steps become permanent lines, in the scrollback like any other output; below them a few live rows show what
runs and what waits. Whatever ends the process in order, the cursor is given back.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING

from runner.pipeline.events import Event, Notice, RunFinished, RunStarted, StepFinished, StepResult, StepState
from runner.report.failure import describe, needs_words, remarks
from runner.report.progress import Progress
from runner.report.style import Style
from runner.report.summary import STOPPING, row, summary
from runner.report.text import count, one_line, pad, seconds, shorten, shorten_middle, width, wrap

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

REFRESH = 8
"""Frames per second."""
NAMES = 48
"""Most columns of the name column."""


def live_possible(stream: IO[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a board may be drawn on `stream`: a terminal that can move its cursor, and not in CI."""
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return stream.isatty() and not in_ci and environ.get("TERM") not in (None, "", "dumb")


class Board:
    """A reporter that draws on `stream`, which must be a terminal (see `live_possible`).

    `color=False` draws the same board without colours. Safe to call from any thread. `close` stops the drawing and
    gives the cursor back; it may be called again, and runs at exit if nobody called it.
    """

    def __init__(self, stream: IO[str], *, color: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Two locks, since rich holds its own both while it prints and while it asks for a frame: events are handled one
        # at a time under the first; the second guards the state alone and is never held while anything prints.
        self._turn = threading.RLock()
        self._state = threading.Lock()
        self._style = Style.of(stream, color=color)
        self._progress = Progress()
        self._run_dir: Path | None = None
        self._live: Live | None = None
        self._console = _console(stream, color=color)
        self._gap = False
        """The last line printed is empty."""
        self._told: list[str] = []
        self._stopping = False

    def handle(self, event: Event) -> None:
        with self._turn:
            with self._state:
                self._progress.take(event, self._clock())
            if isinstance(event, RunStarted):
                self._start(event)
            elif isinstance(event, StepFinished):
                self._tell(event.result)
            elif isinstance(event, Notice):
                place = f" {event.step}:" if event.step else ""
                self._told.append(one_line(event.message))
                self._print(f"note:{place} {one_line(event.message)}")
            elif isinstance(event, RunFinished):
                self.close()
                gap = "" if self._gap else "\n"
                self._print(f"{gap}{summary(event, self._run_dir, self._style, table=False)}")

    def stopping(self) -> None:
        """A signal asked for the end of the run: the next frame says so."""
        self._stopping = True

    def close(self) -> None:
        atexit.unregister(self.close)
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _start(self, event: RunStarted) -> None:
        from rich.live import Live

        self._run_dir = event.run_dir
        head = self._style.paint(one_line(event.pipeline), "bold")
        facts = f"{count(len(event.steps), 'step')}, {event.jobs} at a time, run {event.run_id}"
        self._print(f"{head}: {facts}\n")
        # Redirecting the process's own streams is left to the caller: `--json` needs stdout as it is.
        self._live = Live(
            _Frame(self), console=self._console, refresh_per_second=REFRESH, transient=True,
            redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop",
        )  # fmt: skip
        atexit.register(self.close)
        self._live.start()

    def _tell(self, result: StepResult) -> None:
        self._print(row(result, self._names(), self._style))
        for remark in remarks(result, self._told):
            self._print(f"note: {result.step}: {remark}")
        if needs_words(result) and self._run_dir is not None:
            # What a step wrote and what to type next is copied: the terminal breaks it, which leaves it whole.
            width = self._console.width
            text = describe(result, self._run_dir, self._style, head=False, told=self._told, columns=width)
            self._print(f"{text}\n", words=False)

    def _print(self, text: str, *, words: bool = True) -> None:
        """Lines that stay; with `words` those that are too long are broken between words, never inside one."""
        from rich.text import Text

        self._console.print(
            Text.from_ansi(wrap(text, self._console.width) if words else text), soft_wrap=True, end="\n"
        )
        self._gap = text.endswith("\n")

    def _names(self) -> int:
        longest = max(map(width, self._progress.steps), default=0)
        return min(longest, NAMES)

    def frame(self, columns: int, rows: int) -> list[str]:
        """The live rows for a screen of this size: never more than fit, never wider than it."""
        with self._state:
            progress, now = self._progress, self._clock()
            names = min(self._names(), max(columns - 20, 8))
            head = self._head(now)
            running = [self._running(step, names, columns, now) for step in progress.running]
            waiting = list(progress.waiting())
            above = [""] if progress.results else []
        # A row above, one below, the head, and one that the terminal's cursor needs.
        space = max(rows - 4, 1)
        for_running = max(space - bool(waiting), 1)
        if len(running) > for_running:
            hidden = len(running) - for_running + 1
            running = [*running[: for_running - 1], f"  and {hidden} more running"]
        rest = [self._waiting(step, names) for step in waiting]
        if len(rest) > space - len(running):
            rest = [f"{self._style.mark(StepState.WAITING)} {count(len(waiting), 'step')} waiting"]
        return [*above, *running, *rest, "", shorten(head, columns, self._style.sign("…"))]

    def _running(self, step: str, names: int, columns: int, now: float) -> str:
        style = self._style
        running = self._progress.running[step]
        dots = style.sign("…")
        line = f"{style.mark(StepState.RUNNING)} {pad(shorten_middle(step, names, dots), names)}  "
        room = columns - names - 22
        if room >= 0:
            line += style.paint("running  ", "cyan") + " "
        line += style.paint(f"{seconds(now - running.since):>8}", "bold")
        words = shorten(running.words, room - 3, dots) if room >= 15 else ""
        return f"{line}  {style.paint(words, 'dim')}" if words else line

    def _waiting(self, step: str, names: int) -> str:
        name = shorten_middle(step, names, self._style.sign("…"))
        return f"{self._style.mark(StepState.WAITING)} {self._style.paint(name, 'dim')}"

    def _head(self, now: float) -> str:
        """Plain: it is cut to the screen's width."""
        progress = self._progress
        done = len(progress.results)
        said = f"{done} of {len(progress.steps)} done, {len(progress.running)} running, {seconds(now - progress.since)}"
        if self._stopping:
            return f"{STOPPING}; {said}"
        failed = progress.failed()
        return f"{said}; failed: {', '.join(failed)}" if failed else said


class _Frame:
    """What rich asks for a drawing of, several times a second, in its own thread."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for line in self._board.frame(options.max_width, console.size.height):
            yield Text.from_ansi(line, no_wrap=True, overflow="crop")


def _console(stream: IO[str], *, color: bool) -> Console:
    from rich.console import Console

    return Console(
        file=stream, force_terminal=True, color_system="standard" if color else None, highlight=False, markup=False,
        emoji=False, no_color=not color,
    )  # fmt: skip
