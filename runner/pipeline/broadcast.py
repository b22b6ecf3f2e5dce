"""Events to `events.jsonl` and to the reporters, whatever these do.

A reporter that fails is left out from then on; the run goes on, and its verdicts stand. What remains is a notice and,
if all steps passed, an exit code: 3 when the system refused (a full disk), 4 when the reporter has a bug. A reader who
left (`| head`, BrokenPipeError) is no fault at all.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from runner.data.files import os_fault
from runner.errors import EXIT_ENVIRONMENT, EXIT_INTERNAL, EXIT_PASSED, RunnerError
from runner.pipeline.events import Event, Notice, RunFinished, StepOutput
from runner.pipeline.records import event_line
from runner.pipeline.rundir import now


class Reporter(Protocol):
    def handle(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Broadcast:
    """Used from one thread only. `fault` is the exit code that failed reporters call for, 0 if none failed."""

    def __init__(self, reporters: Sequence[Reporter], events: Path) -> None:
        self.fault = EXIT_PASSED
        self._reporters = list(reporters)
        self._path = events
        self._file: IO[bytes] | None = events.open("wb", buffering=0)
        self._closed = False

    def emit(self, event: Event) -> None:
        """Never raises an Exception. `RunFinished` is for the reporters; `finish` writes the final one to the file."""
        if not isinstance(event, StepOutput | RunFinished):
            self._write(event)
        for reporter in list(self._reporters):
            self._deliver(reporter, event)

    def close(self) -> None:
        """Close all reporters, once."""
        if not self._closed:
            self._closed = True
            for reporter in list(self._reporters):
                self._guard(reporter, None)

    def finish(self, event: RunFinished | None) -> None:
        """The last line of `events.jsonl`, which knows what the reporters did at their end."""
        if event is not None:
            self._write(event)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _deliver(self, reporter: Reporter, event: Event) -> None:
        if reporter in self._reporters:
            self._guard(reporter, event)

    def _guard(self, reporter: Reporter, event: Event | None) -> None:
        """Let a reporter handle an event, or close when there is none."""
        name = type(reporter).__name__
        try:
            if event is None:
                reporter.close()
            else:
                reporter.handle(event)
        except BrokenPipeError:
            self._reporters.remove(reporter)
            self.emit(Notice(at=now(), step=None, message=f"the reader of {name} left; the run goes on"))
        except Exception as error:
            self._reporters.remove(reporter)
            self._blame(_exit_code(error), f"reporter {name} failed: {type(error).__name__}: {error}")

    def _blame(self, code: int, message: str) -> None:
        self.fault = max(self.fault, code)
        complain(message)
        self.emit(Notice(at=now(), step=None, message=message))

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        line = event_line(event)
        try:
            while line:
                line = line[self._file.write(line) or 0 :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            self._blame(EXIT_ENVIRONMENT, str(os_fault(error, self._path, "the event log ends here")))


def complain(message: str) -> None:
    """A line on stderr, if there is anyone to read it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"run-pipeline: {message}\n")
        sys.stderr.flush()


def _exit_code(error: Exception) -> int:
    if isinstance(error, RunnerError):
        return error.exit_code
    return EXIT_ENVIRONMENT if isinstance(error, OSError) else EXIT_INTERNAL
