"""The outcome of a container, from all that was seen of it: the agent's word first, then the engine's."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from runner.engine import tracing
from runner.engine.base import Launch, Outcome, Verdict
from runner.engine.creation import Private
from runner.engine.streams import Sinks
from runner.engine.verdict import Evidence, judge

log = logging.getLogger(__name__)


def report_of(sinks: Sinks) -> Any:
    """The agent's report, from the end of stderr; None when it did not come to that."""
    body = sinks.trailers[1].body
    if not sinks.arrived or not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        log.debug("a report that cannot be read: %s", error)
        return None


def as_reported(evidence: Evidence) -> Evidence:
    """The same, as if the engine had said already what the report says."""
    report = evidence.report or {}
    code = 128 + report["signal"] if report.get("signal") else report.get("exit")
    return dataclasses.replace(evidence, state={"Status": "exited", "ExitCode": code, "OOMKilled": False})


def has_passed(evidence: Evidence) -> bool:
    """Whether the agent's word alone says so. Nothing else is believed before the engine was asked: no step waits for
    one that failed, and of memory kills the engine may know more."""
    return evidence.report is not None and judge(as_reported(evidence)).verdict is Verdict.PASSED


def outcome_of(
    launch: Launch, evidence: Evidence, privates: Sequence[Private], *, started: str, seconds: float, broken: bool
) -> Outcome:
    """`broken`: the streams ended in the middle of something."""
    judged, state = judge(evidence), evidence.state or {}
    warnings = (*(note for each in privates for note in each.notes), *judged.warnings)
    # The agent of a staged container makes its inputs private itself, and tells at its end.
    made = {each.name: each.how for each in privates} or (evidence.report or {}).get("inputs", {})
    if broken and not evidence.lost:
        warnings += ("the end of the step's output may be missing: its stream broke off",)
    return Outcome(
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        signal=judged.signal,
        reason=judged.reason,
        started_at=started,
        finished_at=str(state["FinishedAt"]) if state.get("FinishedAt") else now(),
        seconds=seconds,
        warnings=warnings,
        peer=judged.peer,
        private=tuple(made.items()),
        trace=tracing.told(launch, evidence.report),
        own_fault=judged.own_fault,
    )


def now() -> str:
    """UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
