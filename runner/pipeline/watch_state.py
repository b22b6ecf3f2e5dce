"""Which steps are up to date, and what has to run to make all of them so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.pipeline.events import RunFinished, StepState
from runner.pipeline.plan import Plan, PlannedStep, make_plan
from runner.pipeline.rundir import RunDirectory
from runner.pipeline.select import Selection, without
from runner.pipeline.store import Reused
from runner.spec.models import Pipeline

UP_TO_DATE = "up to date"
"""Why a step does not run."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline as its files say it is now, with all the steps that are wanted of it."""

    pipeline: Pipeline
    plan: Plan

    @property
    def steps(self) -> dict[str, PlannedStep]:
        return {step.name: step for step in self.plan.steps}


def redefined(before: Loaded, now: Loaded) -> tuple[str, ...]:
    """Steps that are defined otherwise, or are new, or are no more. What they need without data makes no difference."""
    old, new = before.steps, now.steps
    return tuple(
        name
        for name in dict.fromkeys((*new, *old))
        if name not in old or name not in new or _defined(old[name]) != _defined(new[name])
    )


def _defined(step: PlannedStep) -> tuple[object, ...]:
    return step.job, step.expected


class State:
    """Knows of each step whether its newest pass is of what its files hold now, and where its outputs are."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._lent: dict[str, Reused] = {}

    @property
    def lent(self) -> Mapping[str, Reused]:
        """The outputs of all steps that are up to date."""
        return dict(self._lent)

    def load(self, loaded: Loaded) -> tuple[str, ...]:
        """The pipeline is another; returns the steps that are, too."""
        different = redefined(self.loaded, loaded)
        self.loaded = loaded
        self.outdated(different)
        return different

    def lend(self, found: Mapping[str, Reused]) -> None:
        """Outputs of earlier runs, of steps that are not to run."""
        self._lent.update(found)

    def outdated(self, steps: Iterable[str]) -> None:
        """What these steps run on has changed, or their outputs are gone."""
        for step in steps:
            self._lent.pop(step, None)

    def next(self) -> Plan | None:
        """All that is not up to date, and all that needs such a step; None: everything is up to date."""
        plan = self.loaded.plan
        stale = {name for name in plan.names if name not in self._lent}
        for step in plan.steps:  # in execution order
            if stale.intersection(step.needs):
                stale.add(step.name)
        if not stale:
            return None
        wanted = frozenset(plan.names)
        dropped = {
            choice.step: UP_TO_DATE if choice.step in wanted else choice.why
            for choice in plan.selection.choices
            if choice.step not in stale
        }
        selection: Selection = without(self.loaded.pipeline.spec, dropped)
        return make_plan(self.loaded.pipeline, selection)

    def started(self, plan: Plan) -> None:
        """Whatever these steps had lent, they now make anew."""
        self.outdated(plan.names)

    def ended(self, finished: RunFinished, run: RunDirectory) -> None:
        """What passed is up to date, until `outdated` says otherwise."""
        for result in finished.results:
            if result.state is StepState.PASSED:
                layout = run.layout.step(result.step)
                places = {name: layout.output(name) for name in result.outputs}
                digests = {name: str(output["digest"]) for name, output in result.outputs.items()}
                started = result.started_at or finished.at
                self._lent[result.step] = Reused(run.run_id, started, result.step, places, digests, layout)
