"""Past runs, as their directories tell them: the list, and one run in full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runner.errors import WorkspaceError
from runner.pipeline.events import RunFinished, StepResult, StepState
from runner.report.document import step_document
from runner.report.failure import describe, needs_words, remarks, shown_path
from runner.report.style import PLAIN, Style
from runner.report.summary import counts, rows, verdict_line
from runner.report.text import one_line, seconds, table

if TYPE_CHECKING:
    from runner.pipeline.store import RunRecord

SCHEMA_VERSION = 1
_STATES = {
    "passed": StepState.PASSED,
    "running": StepState.RUNNING,
    "interrupted": StepState.CANCELLED,
    "superseded": StepState.CANCELLED,
}


def runs_text(records: Sequence[RunRecord], style: Style = PLAIN) -> str:
    """A table of runs, newest first; `records` are oldest first, as `list_runs` gives them."""
    head = ("", "run", "when", "pipeline", "status", "time", "steps")
    lines = [_run_row(record) for record in reversed(records)]
    title, *body = table([head, *lines], right=frozenset({5}))
    states = [_STATES.get(record.status, StepState.FAILED) for record in reversed(records)]
    marked = [f"{style.mark(state)}{line}" for state, line in zip(states, body, strict=True)]
    return "\n".join([style.paint(f" {title}", "dim"), *marked])


def _run_row(record: RunRecord) -> tuple[str, ...]:
    time = seconds(record.seconds) if record.finished_at else ""
    return ("", record.run_id, when(record.started_at), one_line(record.pipeline), record.status, time, _steps(record))


def _steps(record: RunRecord) -> str:
    """One run that cannot be read must not hide the others: what is wrong stands in its row."""
    try:
        results = record.results
    except WorkspaceError as error:
        return one_line(error.message)
    ended = [result for result in results if result.state in _ENDED]
    return counts(ended) if len(ended) == len(results) else f"{len(ended)} of {len(results)} ended"


_ENDED = (StepState.PASSED, StepState.FAILED, StepState.BLOCKED, StepState.CANCELLED)


def when(stamp: str) -> str:
    """A UTC stamp in local time, to the second; empty for an empty one, unchanged when it is no stamp."""
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S}" if stamp else ""
    except ValueError:
        return one_line(stamp)


def run_text(record: RunRecord, style: Style = PLAIN) -> str:
    """One run: what it was, a row per step, every failure in full, the verdict. Raises WorkspaceError."""
    results = record.results
    facts = [
        ("run", record.run_id),
        ("file", one_line(record.file)),
        ("started", when(record.started_at)),
        ("files", shown_path(record.directory)),
    ]
    lines = [style.paint(one_line(record.pipeline) or "unknown pipeline", "bold")]
    lines += [f"  {label:<9} {value}" for label, value in facts if value]
    parts = ["\n".join(lines), "\n".join(rows(results, style))]
    failed = [result for result in results if needs_words(result)]
    parts += ["\n".join(f"note: {result.step}: {remark}" for result in results for remark in remarks(result))]
    parts += [describe(result, record.directory, style) for result in failed]
    return "\n\n".join(filter(None, [*parts, _verdict(record, results, style)]))


def _verdict(record: RunRecord, results: tuple[StepResult, ...], style: Style) -> str:
    if record.exit_code is None:
        mark = style.mark(_STATES.get(record.status, StepState.FAILED))
        words = {"running": "still running", "died": "the runner died before the run ended"}
        return f"{mark} {style.paint(words.get(record.status, record.status), 'bold')}"
    finished = RunFinished(
        at=record.finished_at or "", run_id=record.run_id, exit_code=record.exit_code, status=record.status,
        results=results, seconds=record.seconds,
    )  # fmt: skip
    return verdict_line(finished, style)


def runs_document(records: Sequence[RunRecord]) -> dict[str, Any]:
    """The JSON form of the list, newest first; without the steps' results."""
    return {"schema_version": SCHEMA_VERSION, "runs": [_facts(record) for record in reversed(records)]}


def run_document(record: RunRecord) -> dict[str, Any]:
    """The JSON form of one run: as `run --json` printed it, with the times. Raises WorkspaceError."""
    return {
        "schema_version": SCHEMA_VERSION,
        **_facts(record),
        "steps": [step_document(result) for result in record.results],
        "warnings": record.document.get("warnings", []),
        "error": None,
    }


def _facts(record: RunRecord) -> dict[str, Any]:
    return {
        "run_id": record.run_id,
        "run_dir": str(record.directory.absolute()),
        "pipeline": record.pipeline,
        "file": record.file,
        "status": record.status,
        "exit_code": record.exit_code,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "seconds": record.seconds,
    }
