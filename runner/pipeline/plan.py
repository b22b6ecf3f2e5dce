"""What a run will do, decided before anything starts: pure, and linear in the number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import EnvironmentFault
from runner.pipeline.records import SCHEMA, plain
from runner.pipeline.schedule import Task
from runner.pipeline.select import Selection
from runner.sagemaker import translate
from runner.sagemaker.job import ContainerJob, Limits
from runner.spec import Edge, edges, order

if TYPE_CHECKING:
    from runner.spec.models import Pipeline


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

    @property
    def name(self) -> str:
        return self.job.step

    @property
    def task(self) -> Task:
        cpus, memory = reserved(self.job.limits)
        return Task(self.name, self.needs, self.priority, cpus, memory)


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

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    def step(self, name: str) -> PlannedStep:
        """Raises KeyError for a step that does not run."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

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
            "steps": [{"needs": list(s.needs), "priority": s.priority, "job": plain(s.job)} for s in self.steps],
            "edges": plain(self.edges),
        }

    def check_capacity(self, cpus: float, memory: int) -> None:
        """Refuse steps that the machine can never run: EnvironmentFault that names all of them. Memory in bytes."""
        faults = []
        for step in self.steps:
            wanted_cpus, wanted_memory = reserved(step.job.limits)
            if wanted_cpus > cpus:
                faults.append(_too_much(step.name, f"{wanted_cpus:g} CPUs", f"{cpus:g}"))
            if wanted_memory > memory:
                wanted = f"{_mebibytes(wanted_memory)} of memory"
                faults.append(_too_much(step.name, wanted, _mebibytes(memory)))
        if faults:
            steps = "that step" if len(faults) == 1 else "these steps"
            raise EnvironmentFault("\n".join(faults), remedy=f"lower `resources` of {steps}, or give the engine more")


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
    steps = tuple(PlannedStep(translate(pipeline, n), tuple(needs[n]), priority[n]) for n in names)
    reused = tuple(translate(pipeline, name) for name in selection.reuse)
    return Plan(pipeline.spec.name, pipeline.file, pipeline.source_text, steps, wires, selection, reused)


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
