"""`--json`: one document with a schema version, on stdout, when the run is over; nothing else goes there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO, Any

from runner.errors import EXIT_INTERNAL, Interrupted, Problem, RunnerError, SpecError
from runner.pipeline.events import Event, Notice, RunFinished, RunStarted, StepResult

SCHEMA_VERSION = 1


def run_document(started: RunStarted | None, finished: RunFinished, warnings: Sequence[Problem] = ()) -> dict[str, Any]:
    """The document of a run that ended, well or not; `error` is null: what went wrong stands in the steps.

    `warnings` are about the pipeline file, each as in `problems` of an error's document.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": finished.run_id,
        "run_dir": str(started.run_dir.absolute()) if started else None,
        "pipeline": started.pipeline if started else None,
        "file": str(started.file) if started else None,
        "status": finished.status,
        "exit_code": finished.exit_code,
        "seconds": finished.seconds,
        "steps": [step_document(result) for result in finished.results],
        "warnings": [asdict(problem) for problem in warnings],
        "error": None,
    }


def step_document(result: StepResult) -> dict[str, Any]:
    """Every field of a `StepResult` under its own name."""
    return asdict(result)


def error_document(exc: BaseException, started: RunStarted | None = None) -> dict[str, Any]:
    """The document in place of a result. Keys: `schema_version`, `error`; with `started` also which run it was.

    `error` holds `kind` (a name of the tree in `runner.errors`), `message`, `remedy`, `exit_code` and `problems`: for
    a SpecError one object each with `file`, `line`, `column`, `path` and `message`, else an empty list.
    """
    known = exc if isinstance(exc, RunnerError) else None
    code = exc.code if isinstance(exc, Interrupted) else known.exit_code if known else EXIT_INTERNAL
    problems = exc.problems if isinstance(exc, SpecError) else ()
    error = {
        "kind": type(exc).__name__ if known else "InternalError",
        "message": known.message if known else f"{type(exc).__name__}: {exc}",
        "remedy": known.remedy if known else "",
        "exit_code": code,
        "problems": [asdict(problem) for problem in problems],
    }
    if started is None:
        return {"schema_version": SCHEMA_VERSION, "error": error}
    run = {"run_id": started.run_id, "run_dir": str(started.run_dir.absolute())}
    return {"schema_version": SCHEMA_VERSION, **run, "error": error}


class JsonDocument:
    """A reporter that writes one document to `stream` when the run is over.

    When the run ends by an exception instead, call `fail` with it; `written` says whether that is still needed.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._started: RunStarted | None = None
        self._warnings: list[Problem] = []
        self.written = False

    def handle(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._started = event
        elif isinstance(event, RunFinished):
            self._write(run_document(self._started, event, self._warnings))
        elif isinstance(event, Notice) and event.problem is not None:
            self._warnings.append(event.problem)

    def fail(self, exc: BaseException) -> None:
        """Write the error's document, unless the run's own was written already."""
        if not self.written:
            self._write(error_document(exc, self._started))

    def close(self) -> None:
        """Nothing is held back."""

    def _write(self, document: dict[str, Any]) -> None:
        self._stream.write(dump(document) + "\n")
        self._stream.flush()
        self.written = True


def dump(document: object) -> str:
    """JSON for people and machines. Characters that no encoding can hold (half a surrogate pair) are escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text if _encodable(text) else json.dumps(document, indent=2)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
