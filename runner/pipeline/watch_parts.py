"""What a `Watcher` is made of: what it watches, who runs it, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runner.errors import RunnerError
from runner.pipeline.events import RunFinished
from runner.pipeline.execute import Run
from runner.pipeline.plan import Plan, make_plan
from runner.pipeline.reuse import Remark, Reuse
from runner.pipeline.select import Selection
from runner.pipeline.watch_files import Change
from runner.pipeline.watch_state import Loaded
from runner.pipeline.watched import Watched
from runner.spec.models import Pipeline, PipelineSpec


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is watched while nothing runs."""

    files: int
    polled: tuple[tuple[Watched, str], ...]
    """What is looked at every `interval` seconds instead, and why; without a reason where the user asked for it."""
    interval: float
    exit_code: int
    """Of the last run, or of what kept it from beginning."""


class Teller(Protocol):
    """Tells a person or a program. Called from one thread."""

    def changed(self, changes: Sequence[Change]) -> None:
        """These files changed; what follows is `runs` or `refused`."""

    def runs(self, run: Sequence[str], keep: Sequence[str]) -> None:
        """Because of it `run` run, and `keep` keep their outputs. None runs: every step is up to date."""

    def refused(self, error: RunnerError) -> None: ...

    def remark(self, remark: Remark) -> None: ...

    def waits(self, waiting: Waiting) -> None: ...


class Conduct(Protocol):
    """Runs a plan to its end. `begun` gets the run before it is executed. Raises as `Run.execute` does."""

    def __call__(self, plan: Plan, lent: Reuse, begun: Callable[[Run], None]) -> RunFinished: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched: how it is loaded, and which of its steps are wanted."""

    file: Path
    specs: Path | None
    runs_dir: Path
    load: Callable[[], Pipeline]
    choose: Callable[[PipelineSpec], Selection]

    def loaded(self) -> Loaded:
        """Raises UsageError (a SpecError, most often)."""
        pipeline = self.load()
        return Loaded(pipeline, make_plan(pipeline, self.choose(pipeline.spec)))
