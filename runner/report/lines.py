"""One line per event, for CI, pipes and files: no cursor movement, nothing that changes after it was written."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import IO

from runner.pipeline.events import (
    Event,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepOutput,
    StepResult,
    StepStarted,
    StepState,
)
from runner.report.failure import describe, needs_words, published, remarks, words
from runner.report.fold import Folder
from runner.report.style import Style, look, outcome
from runner.report.summary import STOPPING, summary, verdict_line
from runner.report.text import clean, clean_keep_colour, count, one_line, pad, seconds, width, wrap

QUIET, NORMAL, VERBOSE = -1, 0, 1


def columns(stream: IO[str]) -> int:
    """Of the terminal behind `stream`; 0 when there is none, or when it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except OSError:
        return 0


class Lines:
    """A reporter for `stream`.

    `verbosity` below 0 shows failures and the last line only; above 0 streams what the steps write, each line behind
    its step's name. Safe to call from any thread; an OSError from the stream is raised to the caller.
    """

    def __init__(self, stream: IO[str], *, verbosity: int = NORMAL, color: bool = False) -> None:
        self._stream = stream
        self._verbosity = verbosity
        self._style = Style.of(stream, color=color)
        self._columns = columns(stream)
        self._lock = threading.Lock()
        self._run_dir: Path | None = None
        self._names = 0
        self._told: list[str] = []
        self._gap = False
        """The last line written is empty."""
        self._over = False
        self._folders: dict[tuple[str, str], Folder] = {}

    def handle(self, event: Event) -> None:
        with self._lock:
            text = self._text(event)
            if text:
                self._write(text)

    def stopping(self) -> None:
        """A signal asked for the end of the run."""
        with self._lock:
            if not self._over and self._verbosity >= NORMAL:
                self._write(self._line("", STOPPING))

    def close(self) -> None:
        """Write what steps left without a final newline."""
        with self._lock:
            text = "".join(self._rest(step) for step in dict.fromkeys(step for step, _ in self._folders))
            if text:
                self._write(text)

    def _text(self, event: Event) -> str:
        """The lines that an event makes, each with its newline."""
        if isinstance(event, StepOutput):
            return self._output(event) if self._verbosity > NORMAL else ""
        if isinstance(event, RunStarted):
            return self._started(event)
        if isinstance(event, StepFinished):
            return self._rest(event.result.step) + self._finished(event.result)
        if isinstance(event, RunFinished):
            return self._end(event)
        if self._verbosity < NORMAL:
            return ""
        if isinstance(event, StepStarted):
            return self._line(event.step, f"{self._style.mark(StepState.RUNNING)} started")
        if isinstance(event, Notice):
            self._told.append(one_line(event.message))
            return self._fitted(self._line(event.step or "", f"note: {one_line(event.message)}"))
        return ""

    def _started(self, event: RunStarted) -> str:
        self._run_dir = event.run_dir
        self._names = max(map(width, event.steps), default=0)
        if self._verbosity < NORMAL:
            return ""
        head = self._style.paint(one_line(event.pipeline), "bold")
        facts = f"{count(len(event.steps), 'step')}, {event.jobs} at a time, run {event.run_id}"
        return self._fitted(f"{head}: {facts}\n\n")

    def _finished(self, result: StepResult) -> str:
        quiet = self._verbosity < NORMAL
        said = [self._words(result), *(f"note: {remark}" for remark in remarks(result, self._told))]
        line = "" if quiet else "".join(self._fitted(self._line(result.step, text)) for text in said)
        if not needs_words(result) or self._run_dir is None:
            return line
        # The step's own line says already what the headline would.
        text = describe(result, self._run_dir, self._style, head=quiet, told=self._told, columns=self._columns)
        return f"{line}{text}\n\n"

    def _words(self, result: StepResult) -> str:
        style = self._style
        said = f"{style.mark(look(result))} {style.paint(f'{outcome(result):<7}', style.colour(look(result)))}"
        if result.state in (StepState.PASSED, StepState.FAILED):
            said += f" {seconds(result.seconds) if result.cached is None else '':>8}"
        because = words(result) or published(result)
        return said + (f"  {because}" if because else "")

    def _end(self, finished: RunFinished) -> str:
        self._over = True
        if self._verbosity < NORMAL:
            return self._fitted(verdict_line(finished, self._style) + "\n")
        gap = "" if self._gap else "\n"  # a failure's text ends with an empty line of its own
        return self._fitted(f"{gap}{summary(finished, self._run_dir, self._style)}\n")

    def _output(self, event: StepOutput) -> str:
        folder = self._folders.setdefault((event.step, event.stream), Folder())
        return "".join(self._line(event.step, self._safe(line)) for line in folder.feed(event.data))

    def _rest(self, step: str) -> str:
        lines = [
            line
            for stream in ("stdout", "stderr")
            if (folder := self._folders.pop((step, stream), None)) is not None
            for line in folder.flush()
        ]
        return "".join(self._line(step, self._safe(line)) for line in lines)

    def _safe(self, line: str) -> str:
        return clean_keep_colour(line) if self._style.color else clean(line)

    def _line(self, step: str, text: str) -> str:
        return f"{pad(step, self._names)} {self._style.paint('|', 'dim')} {text}".rstrip() + "\n"

    def _fitted(self, text: str) -> str:
        """Broken between words on a terminal; whole in a pipe or file, where a program reads lines."""
        return wrap(text, self._columns) if self._columns else text

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()
        self._gap = text.endswith("\n\n")
