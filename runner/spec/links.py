"""What each step needs of others, and the order that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.spec.dag import PipelineDAG

if TYPE_CHECKING:
    from runner.spec.models import PipelineSpec


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` needs `source`: its data (`output` arrives as `input`), or, with both None, only its end."""

    source: str
    output: str | None
    target: str
    input: str | None


def split_from(text: str) -> tuple[str, str]:
    """Step and output of a `from`: the step ends at the first dot, since only outputs may have one."""
    step, _, output = text.partition(".")
    return step, output


def edges(spec: PipelineSpec) -> tuple[Edge, ...]:
    """Every edge in file order: by target, its inputs first, then its `depends_on`."""
    found: list[Edge] = []
    for name, step in spec.steps.items():
        for port, source in step.inputs.items():
            if source.from_ is not None:
                producer, output = split_from(source.from_)
                found.append(Edge(producer, output, name, port))
        found += [Edge(producer, None, name, None) for producer in step.depends_on]
    return tuple(found)


def graph(spec: PipelineSpec) -> PipelineDAG:
    """The steps as a DAG; several edges between two steps count once. Raises UsageError when it is none."""
    return PipelineDAG(spec.steps, dict.fromkeys((edge.source, edge.target) for edge in edges(spec)))


def order(spec: PipelineSpec) -> tuple[str, ...]:
    """Step names, each after all that it needs; file order among equals. Raises UsageError for a cycle."""
    return tuple(graph(spec).topological_sort())
