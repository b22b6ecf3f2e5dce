"""From a step's result to what a tester's user reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.agent import call_main
from runner.data.diagnoses import Place
from runner.engine.base import Verdict
from runner.pipeline.events import StepResult, StepState
from runner.pipeline.layout import RunLayout, StepLayout
from runner.report.tail import read_tail
from runner.spec.document import shown
from runner.testing.remedies import in_words_of_the_spec, to_write_there
from runner.testing.results import ScriptTestResult
from runner.testing.subjects import Subject

_BY_VERDICT = {
    Verdict.OOM: "memory",
    Verdict.TIMEOUT: "time-out",
    Verdict.CANCELLED: "cancelled",
    Verdict.MISSING_OUTPUT: "missing-output",
    Verdict.INVALID_OUTPUT: "invalid-output",
    Verdict.INVALID_INPUT: "invalid-input",
    Verdict.TRANSFORM: "transform",
    Verdict.INFRASTRUCTURE: "infrastructure",
    Verdict.EXIT: "exit-code",
}
CALL_MAIN = Path(call_main.__file__).name
_TRACEBACK = "Traceback (most recent call last):"


def not_run(subject: Subject, kind: str, message: str, remedy: str = "", **more: Any) -> ScriptTestResult:
    """A script that was not started, and why."""
    return ScriptTestResult(
        script_name=subject.spec.script_name,
        step_name=subject.node,
        success=False,
        error_message=f"{kind}: {message}",
        has_main_function=subject.has_main,
        kind=kind,
        remedy=remedy or None,
        notes=subject.notes,
        **more,
    )


def outcome(
    subject: Subject, result: StepResult, layout: RunLayout, sources: Mapping[str, str], notes: tuple[str, ...] = ()
) -> ScriptTestResult:
    """What became of a script that was to run."""
    if result.state in (StepState.BLOCKED, StepState.CANCELLED):
        kind = result.state.value
        why = f"{', '.join(result.blocked_by)} did not pass" if result.blocked_by else result.reason
        return not_run(subject, kind, why, data_sources=dict(sources))
    step = layout.step(result.step)
    passed = result.state is StepState.PASSED
    kind, message = _why(result)
    trace = read_trace(step)
    found = result.diagnosis
    return ScriptTestResult(
        script_name=subject.spec.script_name,
        step_name=subject.node,
        success=passed,
        error_message=None if passed else message + _limit(result),
        execution_time=result.seconds,
        has_main_function=subject.has_main,
        verdict=result.verdict.value if result.verdict else None,
        kind=None if passed else kind,
        exit_code=result.exit_code,
        traceback=None if passed else _traceback(step),
        remedy=None if passed else _remedy(subject, result, trace),
        place=_place(found.place, subject) if found is not None and found.place is not None else None,
        details=found.details if found is not None else (),
        stdout_path=str(step.stdout),
        stderr_path=str(step.stderr),
        run_dir=str(layout.root),
        outputs={name: str(layout.root / str(found["path"])) for name, found in result.outputs.items()},
        files_read=tuple(trace.get("reads", ())),
        files_written=tuple(dict(trace.get("writes", ())).values()),
        data_sources=dict(sources),
        notes=tuple(dict.fromkeys((*subject.notes, *notes, *result.warnings))),
    )


def _why(result: StepResult) -> tuple[str, str]:
    """Kind and message. The message begins with the kind and ends with what the verdict says by itself."""
    kind = _BY_VERDICT.get(result.verdict, "exit-code") if result.verdict else "exit-code"
    found = result.diagnosis
    if found is None:
        return kind, f"{kind}: {result.reason}"
    kind = kind if result.verdict not in (Verdict.EXIT, Verdict.OOM) else found.kind.value
    said = dict.fromkeys([*found.evidence[:1], result.reason])
    more = "; ".join(words for words in said if words and words not in found.sentence)
    return kind, f"{kind}: {found.sentence}{f' ({more})' if more else ''}"


def _remedy(subject: Subject, result: StepResult, trace: Mapping[str, Any]) -> str | None:
    if result.diagnosis is not None:
        return in_words_of_the_spec(result.diagnosis.fix, subject) or None
    if result.verdict is Verdict.MISSING_OUTPUT:
        return to_write_there(subject, result.reason, trace.get("left", ()))
    return None


def _place(place: Place, subject: Subject) -> str | None:
    """`scripts/train.py:12`: in the script itself where the container had a copy of it; None in what called `main`."""
    file = Path(place.file)
    if subject.is_called and file.name == CALL_MAIN:
        return None
    if subject.is_called and subject.script is not None and file.name == subject.script.name:
        file = subject.script
    return f"{shown(file) if file.is_file() else place.file}:{place.line}"


def _traceback(step: StepLayout) -> str | None:
    """The last one of stderr, as far as its end (64 KiB) holds it."""
    try:
        text = "\n".join(read_tail(step.stderr, "stderr").lines)
    except OSError:
        return None  # the log's own fault is in the verdict
    start = text.rfind(_TRACEBACK)
    return text[start:].rstrip() if start >= 0 else None


def read_trace(step: StepLayout) -> dict[str, Any]:
    """What the script did; empty when it was not traced."""
    try:
        found = json.loads(step.trace.read_bytes())
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def _limit(result: StepResult) -> str:
    """What sets the limit that a script ran into: not in the verdict, which knows no tester."""
    if result.verdict is not Verdict.TIMEOUT:
        return ""
    return "; the limit is the spec's 'timeout', else 'timeout_seconds'"
