"""Every error that the tool raises on purpose, in one tree, by whose fault it is.

    RunnerError
    ├── UsageError                 2    the command line or a file is wrong: nothing was started
    │   ├── SpecError              2    a pipeline, DAG or specs file, with file, line and column
    │   └── NothingSelectedError   5    the selection is valid and matches no step
    ├── RequirementsError          1    pip cannot install what a step asks for: becomes that step's result
    ├── EnvironmentFault           3    the machine is at fault, never the user's script
    │   ├── EngineUnavailable           no engine answers, or this user may not talk to it
    │   ├── EngineLost                  the engine went away, or contradicted itself, in mid-run
    │   ├── ImageUnavailable            an image is missing and can be neither pulled nor built
    │   ├── WorkspaceError              disk full, not writable, or not a place that Docker can mount
    │   └── Abandoned                   the run was stopped while a step was made ready
    ├── Interrupted                130 / 143 / 129, after every container is stopped
    └── InternalError              4    a fault of this tool: the traceback is saved

Each carries one sentence of remedy. A step that fails is a result, not an exception: see `engine.base.Outcome`.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

EXIT_PASSED = 0
EXIT_STEP_FAILED = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_INTERNAL = 4
EXIT_NOTHING_SELECTED = 5


class RunnerError(Exception):
    """Base of all. `str()` is the message; `remedy` says what to do next, or is empty."""

    exit_code: ClassVar[int] = EXIT_INTERNAL

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross processes (pytest-xdist), whatever their constructor takes."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RunnerError], args: tuple[Any, ...]) -> RunnerError:
    return kind.__new__(kind, *args)


class UsageError(RunnerError):
    """The command line or a file is wrong; nothing was started."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Problem:
    """One fault in a file. Lines and columns count from 1; 0 means that the place is unknown."""

    file: str
    line: int
    column: int
    path: str
    """Dotted path inside the document, as `steps.XGBoostTraining.inputs.train`."""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SpecError(UsageError):
    """One or more faults in a pipeline file: `problems` has all that could be found, the message the first `SHOWN`."""

    SHOWN: ClassVar[int] = 200

    def __init__(self, problems: Sequence[Problem], *, remedy: str = "") -> None:
        lines = [str(problem) for problem in problems[: self.SHOWN]]
        if len(problems) > self.SHOWN:
            lines.append(f"... and {len(problems) - self.SHOWN:,} more")
        super().__init__("\n".join(lines), remedy=remedy)
        self.problems = tuple(problems)


class NothingSelectedError(UsageError):
    """The selection is valid and matches no step."""

    exit_code = EXIT_NOTHING_SELECTED


class RequirementsError(RunnerError):
    """pip cannot install what a step asks for, whatever the machine does; becomes that step's result."""

    exit_code: ClassVar[int] = EXIT_STEP_FAILED

    def __init__(self, message: str, *, status: int, output: str) -> None:
        super().__init__(message)
        self.status = status
        """pip's own exit status."""
        self.output = output


class EnvironmentFault(RunnerError):
    """The machine, not the user's script, is at fault."""

    exit_code = EXIT_ENVIRONMENT


class EngineUnavailable(EnvironmentFault):
    """No engine answers, or this user may not talk to it."""


class EngineLost(EnvironmentFault):
    """The engine went away, or contradicted itself, in mid-run."""


class ImageUnavailable(EnvironmentFault):
    """An image is missing and can be neither pulled nor built."""


class WorkspaceError(EnvironmentFault):
    """The workspace is full, not writable, or not a place that the engine can mount."""


class Abandoned(EnvironmentFault):
    """The run was stopped while a step was made ready: that step is cancelled."""


class Interrupted(RunnerError):
    """A signal ended the run, after every container was stopped."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum

    @property
    def code(self) -> int:
        """The shell's convention: 128 plus the signal's number."""
        return 128 + self.signum


class InternalError(RunnerError):
    """A fault of this tool."""
