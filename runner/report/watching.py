"""What `watch` tells between its runs: to a person in a few lines, to a program as one JSON line per event."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import IO, Any

from runner.errors import RunnerError
from runner.pipeline.events import Event, StepOutput
from runner.pipeline.records import event_line, plain
from runner.pipeline.reuse import Remark
from runner.pipeline.rundir import now
from runner.pipeline.watch_files import Change
from runner.pipeline.watch_parts import Waiting
from runner.report.style import Style
from runner.report.text import count, one_line
from runner.spec.document import shown

_SHOWN = 5
"""So many names of steps, or of changes, are told; the others are counted."""


class WatchLines:
    """For a person: `verbosity` below 0 tells of refusals and remarks alone."""

    def __init__(self, stream: IO[str], *, verbosity: int = 0, color: bool = False) -> None:
        self._stream, self._quiet = stream, verbosity < 0
        self._style = Style.of(stream, color=color)
        self._polled: tuple[str, ...] = ()

    def changed(self, changes: Sequence[Change]) -> None:
        if self._quiet:
            return
        rule = self._style.sign("─") * 3
        head = f"{rule} {datetime.now().astimezone():%H:%M:%S} {_some([one_line(str(change)) for change in changes])}"
        self._write(f"\n{self._style.paint(head, 'bold')}\n")

    def runs(self, run: Sequence[str], keep: Sequence[str]) -> None:
        if self._quiet:
            return
        kept = f"; {count(len(keep), 'step')} up to date" if keep else ""
        self._write(f"    runs {_some(run)}{kept}\n\n" if run else "    every step is up to date\n")

    def refused(self, error: RunnerError) -> None:
        self._write(error.message + "\n" + (f"{error.remedy}\n" if error.remedy else ""))

    def remark(self, remark: Remark) -> None:
        self._write(f"note: {remark}\n")

    def waits(self, waiting: Waiting) -> None:
        if self._quiet:
            return
        every = f"looked at every {waiting.interval:g} s"
        polled = tuple(f"{shown(item.path)}: {every}: {why}" for item, why in waiting.polled if why)
        if polled != self._polled:
            self._polled = polled
            self._write("".join(f"note: {line}\n" for line in polled[:_SHOWN]))
            if len(polled) > _SHOWN:
                self._write(f"note: {every}: {len(polled) - _SHOWN} more\n")
        asked = f", {every}" if any(not why for _, why in waiting.polled) else ""
        self._write(f"\nwatching {count(waiting.files, 'file')}{asked}; Ctrl-C ends it\n")

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


class WatchJson:
    """For a program: the events of each run as in its `events.jsonl`, and between them `watch-changed`,
    `watch-runs`, `watch-refused`, `watch-remark` and `watch-waits`. A reporter of runs, too.

    `seconds` of a change: since the kernel first told of it.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def handle(self, event: Event) -> None:
        if not isinstance(event, StepOutput):
            self._write(event_line(event).decode("utf-8"))

    def close(self) -> None:
        """A run's end is not the end of the stream."""

    def changed(self, changes: Sequence[Change]) -> None:
        told = [
            {"path": str(each.item.path), "role": each.item.role, "files": list(each.files), "gone": each.gone}
            for each in changes
        ]
        seconds = round(time.monotonic() - min(each.since for each in changes), 3)
        self._tell("watch-changed", changes=told, seconds=seconds)

    def runs(self, run: Sequence[str], keep: Sequence[str]) -> None:
        self._tell("watch-runs", run=list(run), keep=list(keep))

    def refused(self, error: RunnerError) -> None:
        self._tell("watch-refused", exit_code=error.exit_code, message=error.message, remedy=error.remedy)

    def remark(self, remark: Remark) -> None:
        self._tell("watch-remark", step=remark.step, message=remark.text)

    def waits(self, waiting: Waiting) -> None:
        polled = [{"path": str(item.path), "why": why} for item, why in waiting.polled]
        self._tell("watch-waits", files=waiting.files, polled=polled, exit_code=waiting.exit_code)

    def _tell(self, event: str, **facts: Any) -> None:
        document = {"event": event, "at": now(), **plain(facts)}
        self._write(json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n")

    def _write(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
