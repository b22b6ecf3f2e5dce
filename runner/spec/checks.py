"""What a single field cannot tell: references between steps, cycles. `examine` runs every check there is."""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Problem
from runner.spec import checkpoints, hostfiles, mounts, rules
from runner.spec.dag import find_cycles
from runner.spec.document import Place
from runner.spec.draft import Draft
from runner.spec.links import Edge, edges
from runner.spec.names import did_you_mean, listed
from runner.spec.scalar import described

_EXAMPLES = 5
"""SageMaker takes at most 10 outputs; a faulty file may have any number."""


def examine(draft: Draft) -> list[Problem]:
    """Every problem of a pipeline, in the order of the file. Reads the disk, changes nothing."""
    return [
        *_references(draft),
        *_cycles(draft),
        *rules.problems(draft),
        *mounts.problems(draft),
        *hostfiles.problems(draft),
        *checkpoints.problems(draft),
    ]


def _references(draft: Draft) -> Iterator[Problem]:
    seen: set[Edge] = set()
    for edge in edges(draft.spec):
        place, near = _place(draft, edge)
        message = _reference_fault(draft, edge)
        if not message and edge in seen:
            message = f"'{edge.source}' is listed twice"
        if message:
            yield draft.problem(edge.target, place, message, near=near)
        seen.add(edge)


def _place(draft: Draft, edge: Edge) -> tuple[Place, Place]:
    """Where an edge is written below its target step: the part to name, and the way from there to the text."""
    if edge.input is not None:
        return ("inputs", edge.input), ("from",)
    return ("depends_on",), (draft.spec.steps[edge.target].depends_on.index(edge.source),)


def _reference_fault(draft: Draft, edge: Edge) -> str:
    if edge.source not in draft.names:
        return f"no step {described(edge.source)}{did_you_mean(edge.source, draft.names)}"
    if edge.source == edge.target:
        return f"step '{edge.target}' cannot need itself"
    if edge.output is None or edge.source in draft.lost or edge.source in draft.damaged:
        return ""
    available = draft.spec.steps[edge.source].output_names
    if edge.output in available:
        return ""
    if not edge.output:
        ways = " or ".join(f"'{edge.source}.{name}'" for name in available[:_EXAMPLES])
        remedy = f"write {ways}" if ways else f"step '{edge.source}' has no outputs"
        return f"expected 'step.output', got {described(edge.source)}; {remedy}"
    hint = did_you_mean(edge.output, available)
    return f"step '{edge.source}' has no output '{edge.output}'{hint}; it has: {listed(available)}"


def _cycles(draft: Draft) -> Iterator[Problem]:
    known = [edge for edge in edges(draft.spec) if edge.source in draft.spec.steps and edge.source != edge.target]
    for cycle in find_cycles(draft.spec.steps, ((edge.source, edge.target) for edge in known)):
        closing = next(edge for edge in known if (edge.source, edge.target) == (cycle[-2], cycle[0]))
        place, near = _place(draft, closing)
        yield draft.problem(closing.target, place, f"cycle: {' -> '.join(cycle)}", near=near)
