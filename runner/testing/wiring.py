"""Which input gets which output, for the edges of a pipeline under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.spec.binding import Binder, Node, Wire
from runner.spec.dag import PipelineDAG
from runner.spec.document import Document, absolute
from runner.spec.matching import path_matches
from runner.testing.specs import DataFlow
from runner.testing.subjects import Subject

Edge = tuple[str, str]


@dataclass
class Wired:
    """All ports are logical names of the specs."""

    bound: dict[str, dict[str, tuple[str, str]]]
    """Node -> input -> node and output that it comes from."""
    problems: dict[Edge, str] = field(default_factory=dict)
    """Edges that can be bound in no way or in several, with the candidates."""
    notes: dict[Edge, str] = field(default_factory=dict)
    """How an edge was bound where neither the user nor equal names said so."""

    def ports(self, source: str, target: str) -> dict[str, str]:
        """Output -> input of an edge."""
        pairs = self.bound[target].items()
        return {output: port for port, (node, output) in pairs if node == source}


def wire(
    subjects: Mapping[str, Subject],
    dag: PipelineDAG,
    flows: Sequence[DataFlow] = (),
    *,
    threshold: float | None = None,
    aliases: bool = True,
    loose: bool = False,
) -> Wired:
    """Bind every edge: the flows' ports; then equal host paths; then the only output to the only input; then by name,
    alias (`aliases`) and, from `threshold` on, likeness. Where no name fits, the only output goes to the only input
    that is a directory: what a step writes is one, a file of settings is not.

    An edge between steps of which one has no output, or the other no input, only gives the order; so does, with
    `loose`, one that cannot be bound. A path that is an output of a step further up is an edge, too.
    """
    made = Wired({node: {} for node in subjects})
    open_edges = [edge for edge in dag.edges if edge[0] in subjects and edge[1] in subjects]
    wires: list[Wire] = []
    for edge in open_edges:
        source, target = subjects[edge[0]], subjects[edge[1]]
        pairs = _given(edge, flows) or _by_path(source, target) or _only(source, target)
        if not pairs and (pair := _only_directory(source, target, threshold, aliases=aliases)):
            pairs = [pair]
            made.notes[edge] = f"output '{pair[0]}' is bound to input '{pair[1]}': the only one that is a directory"
        if pairs:
            wires += [Wire(*edge, output, port, ("edges", len(wires))) for output, port in pairs]
        elif source.outputs and target.inputs:
            wires.append(Wire(*edge, None, None, ("edges", len(wires))))
    nodes = {name: _node(each, aliases=aliases) for name, each in subjects.items()}
    binder = Binder(Document("edges", b"", None, {}), nodes, semantic_threshold=threshold)
    unbound = binder.bind(wires)
    for node, found in binder.bound.items():
        for port, (wired, output) in found.items():
            made.bound[node][port] = (wired.source, output)
            _note(made, binder, wired, port)
    _tell(made, binder, unbound, loose=loose)
    _from_further_up(made, subjects, dag)
    return made


def _given(edge: Edge, flows: Sequence[DataFlow]) -> list[tuple[str | None, str | None]]:
    mine = [flow for flow in flows if (flow.from_step, flow.to_step) == edge]
    return [(flow.output, flow.input) for flow in mine if flow.output or flow.input]


def _by_path(source: Subject, target: Subject) -> list[tuple[str | None, str | None]]:
    """The same host path is the same data."""
    return [
        (output.name, port.name)
        for output in source.outputs.values()
        for port in target.inputs.values()
        if output.host.strip() and _same(output.host, port.host)
    ]


def _only(source: Subject, target: Subject) -> list[tuple[str | None, str | None]]:
    if len(source.outputs) == len(target.inputs) == 1:
        return [(next(iter(source.outputs)), next(iter(target.inputs)))]
    return []


def _only_directory(
    source: Subject, target: Subject, threshold: float | None, *, aliases: bool
) -> tuple[str, str] | None:
    directories = [port.name for port in target.inputs.values() if not port.is_file]
    if len(source.outputs) != 1 or len(directories) != 1:
        return None
    one, other = _node(source, aliases=aliases), _node(target, aliases=aliases)
    outputs = {name: one.output_aliases.get(name, ()) for name in one.outputs}
    inputs = {name: other.input_aliases.get(name, ()) for name in other.inputs}
    fits = path_matches(outputs, inputs, threshold)
    return None if fits else (one.outputs[0], directories[0])


def _same(one: str, other: str) -> bool:
    return bool(other.strip()) and absolute(Path(one).expanduser()) == absolute(Path(other).expanduser())


def _node(subject: Subject, *, aliases: bool) -> Node:
    there = [name for name, port in subject.inputs.items() if port.host.strip() and Path(port.host).exists()]
    outputs, inputs = tuple(subject.outputs), tuple(subject.inputs)
    if not aliases:
        return Node(outputs, inputs, frozenset(there))
    named = [
        {name: each.aliases for name, each in specs.items() if each.aliases}
        for specs in (subject.spec.output_path_specs, subject.spec.input_path_specs)
    ]
    return Node(outputs, inputs, frozenset(there), *named)


def _note(made: Wired, binder: Binder, wired: Wire, port: str) -> None:
    choice = binder.choices.get((wired.target, port))
    if choice is not None and choice.details:
        how = f"output '{choice.output}' is bound to input '{port}' by {choice.rule.replace('_', ' ')}"
        made.notes[wired.source, wired.target] = f"{how} ({choice.confidence:.2f}): {choice.details}"


def _tell(made: Wired, binder: Binder, unbound: Sequence[Wire], *, loose: bool) -> None:
    for wired, problem in zip(unbound, binder.problems[-len(unbound) :] if unbound else (), strict=True):
        if loose:
            made.notes[wired.source, wired.target] = "gives the order only: no output fits an input by its name"
        else:
            made.problems[wired.source, wired.target] = problem.message
    for problem in binder.problems[: len(binder.problems) - len(unbound)]:
        made.problems.setdefault(("", ""), problem.message)


def _from_further_up(made: Wired, subjects: Mapping[str, Subject], dag: PipelineDAG) -> None:
    for node, subject in subjects.items():
        for port in subject.inputs.values():
            if port.name in made.bound[node] or not port.host.strip():
                continue
            for source in _ancestors(dag, node):
                outputs = subjects[source].outputs.values() if source in subjects else ()
                match = next((each.name for each in outputs if _same(each.host, port.host)), None)
                if match is not None:
                    made.bound[node][port.name] = (source, match)
                    made.notes[source, node] = f"input '{port.name}' has the host path of '{source}.{match}'"
                    break


def _ancestors(dag: PipelineDAG, node: str) -> list[str]:
    """The nearest first."""
    found: dict[str, None] = {}
    pending = list(dag.get_dependencies(node))
    for each in pending:
        if each not in found:
            found[each] = None
            pending += dag.get_dependencies(each)
    return list(found)
