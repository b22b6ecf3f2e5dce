"""What goes to and fro between a run and its cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import UsageError
from runner.pipeline.cache.adopting import Hit
from runner.pipeline.events import StepResult
from runner.spec.names import did_you_mean, listed


@dataclass(frozen=True, slots=True)
class Options:
    """That a run uses a cache, and how."""

    root: Path
    force: frozenset[str] = frozenset()
    """Steps that run although there is a hit."""

    def check(self, steps: Sequence[str]) -> None:
        """Raises UsageError for a forced step that is none of those that run."""
        for name in sorted(self.force - {*steps}):
            hint = did_you_mean(name, steps)
            raise UsageError(f"--force: no step '{name}' runs{hint}", remedy=f"name one of {listed(steps)}")


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer for a step; without a hit it runs."""

    step: str
    hit: Hit | None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A hit was made the step's result; it is written."""

    result: StepResult
