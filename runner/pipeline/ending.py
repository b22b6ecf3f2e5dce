"""How a run ended: its status and exit code, from the results of its steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from runner.engine.base import Verdict
from runner.errors import EXIT_ENVIRONMENT, EXIT_INTERNAL, EXIT_PASSED, EXIT_STEP_FAILED
from runner.pipeline.events import StepResult

_OWN_FAULT = frozenset(Verdict) - {Verdict.PASSED, Verdict.INFRASTRUCTURE, Verdict.CANCELLED}
SUPERSEDED = "superseded"
"""Status of a run of which steps were stopped, or not started, since what they run on had changed (`watch`). Its exit
code is that of a run stopped by Ctrl-C: it says nothing about the scripts."""
_STATUS = {
    EXIT_PASSED: "passed",
    EXIT_STEP_FAILED: "failed",
    EXIT_ENVIRONMENT: "environment",
    EXIT_INTERNAL: "error",
}


def exit_code(results: Iterable[StepResult], *, signum: int | None, fault: int = EXIT_PASSED) -> int:
    """As in the README's table. `fault` is what failed reporters and files of the run call for.

    A signal outweighs all. A step that failed by itself outweighs a fault of the environment, which may have hit other
    steps: 3 says that no step is to blame. `fault` counts only where everything else passed.
    """
    verdicts = {result.verdict for result in results}
    if signum is not None:
        return 128 + signum
    if verdicts & _OWN_FAULT:
        return EXIT_STEP_FAILED
    if verdicts - {Verdict.PASSED}:
        return EXIT_ENVIRONMENT
    return fault


def status(code: int) -> str:
    """The word for an exit code of a run."""
    return _STATUS.get(code, "interrupted")
