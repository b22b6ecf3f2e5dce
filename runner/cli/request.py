"""From the words of `run` and `plan` to a plan: load, select, plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.pipeline.plan import Plan
    from runner.pipeline.select import Selection
    from runner.spec.models import Pipeline, PipelineSpec


@dataclass(frozen=True, slots=True)
class Request:
    """Which steps of which file."""

    file: Path
    specs: Path | None = None
    strict: bool = False
    only: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def plan(self) -> Plan:
        """Raises SpecError, NothingSelectedError or UsageError; starts nothing and asks no engine."""
        from runner.pipeline.plan import make_plan

        pipeline = self.load()
        return make_plan(pipeline, self.choose(pipeline.spec))

    def load(self) -> Pipeline:
        """Raises SpecError."""
        from runner.spec import load

        return load(self.file, self.specs, strict=self.strict)

    def choose(self, spec: PipelineSpec) -> Selection:
        """Raises NothingSelectedError or UsageError."""
        from runner.pipeline.select import select

        return select(spec, only=self.only, from_=self.from_, until=self.until, skip=self.skip)
