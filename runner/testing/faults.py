"""What keeps a script from being run at all, found before a container is made."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import Problem


@dataclass(frozen=True, slots=True)
class Fault:
    """`message` says what is wrong with both sides and the line; `remedy` what to do."""

    kind: str
    """As in `ScriptTestResult.kind`."""
    message: str
    remedy: str = ""


def of_problem(kind: str, problem: Problem, remedy: str = "") -> Fault:
    """A problem in a file as a fault of the script that it is about."""
    return Fault(kind, str(problem), remedy)
