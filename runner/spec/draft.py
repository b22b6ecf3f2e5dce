"""A pipeline under examination: the spec as far as it could be read, and where its parts were written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.errors import Problem
from runner.spec.document import Place
from runner.spec.models import PipelineSpec, StepSpec
from runner.spec.origin import Origin


@dataclass(frozen=True)
class Draft:
    """What the checks look at. Faulty parts are left out of `spec`, so that the rest can be checked all the same."""

    spec: PipelineSpec
    root: Path
    """Relative host paths start here."""
    origin: Origin
    damaged: frozenset[str] = frozenset()
    """Steps of which a part was left out: what is missing in them is no news."""
    lost: frozenset[str] = frozenset()
    """Steps that could not be read at all."""
    header_damaged: bool = False

    @cached_property
    def names(self) -> dict[str, None]:
        """Every step that the file has, readable or not; a dict, as a set that keeps its order."""
        return dict.fromkeys([*self.spec.steps, *sorted(self.lost)])

    def whole(self) -> Iterator[tuple[str, StepSpec]]:
        """The steps that were read in full."""
        return ((name, step) for name, step in self.spec.steps.items() if name not in self.damaged)

    def problem(self, step: str, place: Place, message: str, *, near: Place = (), key: bool = False) -> Problem:
        """A fault of a step, at `place` below it; `near` is a way further down to where it stands."""
        full: Place = ("steps", step, *place)
        return self.origin.problem(full, message, near=(*full, *near) if near else None, key=key)
