"""A step whose `requirements.txt` cannot be installed has failed, as on SageMaker, and its result says why."""

from __future__ import annotations

from dataclasses import replace

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
    """The outcome of a step that had packages to install, with the reason where it was that. Raises OSError."""
    if outcome.verdict is not Verdict.EXIT or all(item.target != COLLECTED for item in bound.launch.inputs):
        return outcome
    with bound.layout.stderr.open("rb") as log:
        log.seek(max(0, bound.layout.stderr.stat().st_size - _TAIL))
        last = log.read().decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    return replace(outcome, reason=f"{outcome.reason}: {last}") if last.startswith(FAILED) else outcome
