"""A step whose `requirements.txt` cannot be installed has failed, as on SageMaker, and its result says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.data.files import os_fault
from runner.engine.base import Outcome, Verdict
from runner.errors import RequirementsError
from runner.pipeline.binding import Bound
from runner.pipeline.events import StepResult
from runner.pipeline.layout import StepLayout
from runner.pipeline.settle import infrastructure, write_result
from runner.sagemaker.code import COLLECTED, FAILED

_TAIL = 4096
"""Bytes of the log in which its last line is looked for."""


def not_installed(layout: StepLayout, base: StepResult, error: RequirementsError) -> StepResult:
    """The end of a step whose packages do not exist, or do not go together: pip's words are its log."""
    try:
        layout.stdout.write_bytes(b"")
        layout.stderr.write_bytes(error.output.encode("utf-8", "backslashreplace"))
    except OSError as fault:
        return write_result(layout, infrastructure(base, os_fault(fault, layout.root, "cannot write the log")))
    reason = f"exit {error.status}: {error.message}"
    return write_result(layout, replace(base, verdict=Verdict.EXIT, exit_code=error.status, reason=reason))


def explained(bound: Bound, outcome: Outcome) -> Outcome:
    """The outcome of a step that had packages to install, with the reason where it was that. Raises OSError.

    Of several instances the one that decided counts: what it ended with comes first in the outcome's reason.
    """
    if outcome.verdict is not Verdict.EXIT or all(item.target != COLLECTED for item in bound.launch.inputs):
        return outcome
    # The merged log of several instances has the host before each line, and another one's may come last.
    layout = bound.layout.host(outcome.decided_by) if outcome.decided_by else bound.layout
    last = _last_line(layout.stderr)
    if not last.startswith(FAILED):
        return outcome
    first, others, rest = outcome.reason.partition("; ") if outcome.decided_by else (outcome.reason, "", "")
    return replace(outcome, reason=f"{first}: {last}{others}{rest}")


def _last_line(path: Path) -> str:
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL))
        return log.read().decode("utf-8", "replace").rstrip().rpartition("\n")[2]
