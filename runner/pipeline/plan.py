"""What a run will do, decided before anything starts: pure, and linear in the number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import EnvironmentFault, Problem, UsageError
from runner.pipeline.expecting import Expected, expected
from runner.pipeline.records import SCHEMA, plain
from runner.pipeline.schedule import Task
from runner.pipeline.select import Selection
from runner.sagemaker import translate
from runner.sagemaker.job import ContainerJob, Limits
from runner.spec import Edge, edges, order

if TYPE_CHECKING:
    from runner.engine.base import Image
    from runner.spec.models import Caching, Pipeline


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that will run. `needs` are the steps that run before it; `priority` its longest remaining path, itself
    included, in hops (or in seconds where earlier durations were given)."""

    job: ContainerJob
    needs: tuple[str, ...]
    priority: float
    asked: ContainerJob | None = None
    """The job as the pipeline asks for it, where `job` is what this machine can run instead."""
    warnings: tuple[str, ...] = ()
    """How the two differ, in words, and what else a person should know before it runs."""
    expected: tuple[Expected, ...] = ()
    """What its inputs must be, or else its script does not start."""
    caching: Caching | None = None
    """What the step says about the cache; None: nothing."""

    @property
    def name(self) -> str:
        return self.job.step

    def to_json(self) -> dict[str, Any]:
        expects = {e.input: e.expects.model_dump(mode="json", by_alias=True, exclude_unset=True) for e in self.expected}
        return {
            "needs": list(self.needs),
            "priority": self.priority,
            "job": plain(self.job),
            "expects": expects,
            "warnings": list(self.warnings),
        }

    @property
    def task(self) -> Task:
        count = self.job.instance_count
        cpus, memory = reserved(self.job.limits)
        return Task(self.name, self.needs, self.priority, count * cpus, count * memory)


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` in execution order, all that run and no other; `edges` of the whole pipeline."""

    pipeline: str
    file: Path
    source_text: bytes
    steps: tuple[PlannedStep, ...]
    edges: tuple[Edge, ...]
    selection: Selection
    reused: tuple[ContainerJob, ...] = ()
    """Steps that do not run but lend their outputs, as they would run now."""
    remarks: tuple[Problem, ...] = ()
    """Limits of SageMaker's API that the file exceeds."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    def step(self, name: str) -> PlannedStep:
        """Raises KeyError for a step that does not run."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def after(self, name: str) -> frozenset[str]:
        """All steps of the pipeline that need this one, directly or not."""
        found, pending = set(), [name]
        targets: dict[str, list[str]] = {}
        for edge in self.edges:
            targets.setdefault(edge.source, []).append(edge.target)
        while pending:
            fresh = [target for target in targets.get(pending.pop(), ()) if target not in found]
            found.update(fresh)
            pending += fresh
        return frozenset(found)

    def reused_outputs(self) -> dict[str, tuple[str, ...]]:
        """By step that does not run: the outputs that steps which do run take from it."""
        running = set(self.names)
        wanted: dict[str, dict[str, None]] = {step: {} for step in self.selection.reuse}
        for edge in self.edges:
            if edge.source in wanted and edge.target in running and edge.output is not None:
                wanted[edge.source][edge.output] = None
        return {step: tuple(outputs) for step, outputs in wanted.items()}

    def to_json(self) -> dict[str, Any]:
        """The plan as `plan.json` and `plan --json` hold it."""
        return {
            "schema_version": SCHEMA,
            "pipeline": self.pipeline,
            "file": str(self.file),
            "selection": plain(self.selection.choices),
            "order": list(self.names),
            "steps": [step.to_json() for step in self.steps],
            "edges": plain(self.edges),
            "warnings": plain(self.remarks),
        }

    def check_capacity(self, cpus: float, memory: int) -> None:
        """Refuse steps that the machine can never run: EnvironmentFault that names all of them. Memory in bytes."""
        faults = []
        for step in self.steps:
            task, count = step.task, step.job.instance_count
            each = f" ({count} instances)" if count > 1 else ""
            if task.cpus > cpus:
                faults.append(_too_much(step.name, f"{task.cpus:g} CPUs{each}", f"{cpus:g}"))
            if task.memory > memory:
                faults.append(_too_much(step.name, f"{_mebibytes(task.memory)} of memory{each}", _mebibytes(memory)))
        if faults:
            steps = "that step" if len(faults) == 1 else "these steps"
            raise EnvironmentFault("\n".join(faults), remedy=f"lower `resources` of {steps}, or give the engine more")

    def check_commands(self, images: Mapping[str, Image]) -> None:
        """Refuse steps that nothing gives a command: UsageError that names all of them. `images` by reference."""
        idle = [
            f"step '{step.name}' names no command, and its image '{job.image}' has neither ENTRYPOINT nor CMD"
            for step in self.steps
            if (job := step.job).entrypoint is None and not job.arguments
            if not images[job.image].entrypoint and not images[job.image].cmd
        ]
        if idle:
            who = "the step" if len(idle) == 1 else "these steps"
            raise UsageError("\n".join(idle), remedy=f"give {who} a `script`, an `entrypoint` or `args`")


def reserved(limits: Limits) -> tuple[float, int]:
    """CPUs and bytes that a step declares to need. The size of an instance is no such need: it is a ceiling, and steps
    that name one would else run one after the other on a machine that is smaller."""
    cpus = 0.0 if "cpus" in limits.of_instance else limits.cpus or 0.0
    return cpus, 0 if "memory" in limits.of_instance else limits.memory or 0


def make_plan(pipeline: Pipeline, selection: Selection, durations: Mapping[str, float] | None = None) -> Plan:
    """Order, jobs and priorities of the selected steps. `durations` are seconds, by step, of earlier runs; a step that
    is not in it counts as the mean of those that are."""
    running = set(selection.run)
    wires = edges(pipeline.spec)
    needs: dict[str, dict[str, None]] = {name: {} for name in selection.run}
    for wire in wires:
        if wire.source in running and wire.target in running:
            needs[wire.target][wire.source] = None
    names = tuple(name for name in order(pipeline.spec) if name in running)
    priority = _priorities(names, needs, durations or {})
    steps = tuple(
        PlannedStep(
            translate(pipeline, name),
            tuple(needs[name]),
            priority[name],
            expected=expected(pipeline, name),
            caching=pipeline.spec.steps[name].cache,
        )
        for name in names
    )
    reused = tuple(translate(pipeline, name) for name in selection.reuse)
    whole = (pipeline.spec.name, pipeline.file, pipeline.source_text)
    return Plan(*whole, steps, wires, selection, reused, pipeline.remarks)


def _priorities(
    names: Sequence[str], needs: Mapping[str, Mapping[str, None]], durations: Mapping[str, float]
) -> dict[str, float]:
    known = [durations[name] for name in names if name in durations]
    usual = sum(known) / len(known) if known else 1.0
    longest = dict.fromkeys(names, 0.0)
    for name in reversed(names):
        longest[name] += durations.get(name, usual)
        for need in needs[name]:
            longest[need] = max(longest[need], longest[name])
    return longest


def _too_much(step: str, wanted: str, there: str) -> str:
    return f"step '{step}' asks for {wanted}, but the engine has {there}"


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
