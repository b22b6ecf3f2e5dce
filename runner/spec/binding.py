"""Which output of the producer an edge brings to which input of the consumer, where the DAG does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runner.errors import Problem
from runner.spec.document import Document, Place
from runner.spec.names import did_you_mean, listed

Ports = list[tuple[str, str]]
"""Pairs of output and input."""


@dataclass(frozen=True)
class Node:
    """What a node can give and take."""

    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    supplied: frozenset[str]
    """Inputs for which there is data on the host already."""


@dataclass(frozen=True)
class Wire:
    """An edge as written; `output` and `input` are None where it does not name them."""

    source: str
    target: str
    output: str | None
    input: str | None
    place: Place


def only_pair(outputs: Sequence[str], inputs: Sequence[str], supplied: frozenset[str]) -> Ports:
    """The one output goes to the one input that has no data yet."""
    lacking = [name for name in inputs if name not in supplied]
    return [(outputs[0], lacking[0])] if len(outputs) == len(lacking) == 1 else []


def equal_names(outputs: Sequence[str], inputs: Sequence[str], _supplied: frozenset[str]) -> Ports:
    """Every output goes to the input of its name."""
    return [(name, name) for name in outputs if name in inputs]


RULES: tuple[Callable[[Sequence[str], Sequence[str], frozenset[str]], Ports], ...] = (only_pair, equal_names)
"""Tried in this order; the first that finds anything decides. Further ways to match belong here."""


class Binder:
    """Binds the edges of one DAG. `bound` maps target and input to (edge, output); `problems` says what failed."""

    def __init__(self, document: Document, nodes: Mapping[str, Node]) -> None:
        self.document = document
        self.nodes = nodes
        self.bound: dict[str, dict[str, tuple[Wire, str]]] = {node: {} for node in nodes}
        self.problems: list[Problem] = []

    def bind(self, wires: Sequence[Wire]) -> None:
        """Explicit ports first, then the rules, again and again: each edge that is bound leaves less to choose."""
        open_wires = [wire for wire in wires if self._ports_exist(wire)]
        for wire in open_wires:
            if wire.output is not None and wire.input is not None:
                self._connect(wire, [(wire.output, wire.input)])
        waiting = [wire for wire in open_wires if wire.output is None or wire.input is None]
        while waiting:
            left = [wire for wire in waiting if not self._connect(wire, self._matches(wire))]
            if len(left) == len(waiting):
                break
            waiting = left
        else:
            return
        self.problems += [self.document.problem(wire.place, self._candidates(wire)) for wire in waiting]

    def _ports_exist(self, wire: Wire) -> bool:
        before = len(self.problems)
        for step, port, kind, known in (
            (wire.source, wire.output, "output", self.nodes[wire.source].outputs),
            (wire.target, wire.input, "input", self.nodes[wire.target].inputs),
        ):
            if port is not None and port not in known:
                message = f"'{step}' has no {kind} '{port}'{did_you_mean(port, known)}; it has: {listed(known)}"
                self.problems.append(self.document.problem(wire.place, message, near=(*wire.place, kind)))
        return len(self.problems) == before

    def _connect(self, wire: Wire, ports: Ports) -> bool:
        for output, port in ports:
            other, other_output = self.bound[wire.target].setdefault(port, (wire, output))
            if other is not wire:
                message = f"input '{port}' of '{wire.target}' already comes from '{other.source}.{other_output}'"
                self.problems.append(self.document.problem(wire.place, message))
        return bool(ports)

    def _free(self, wire: Wire) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The outputs and inputs that the edge may still bind."""
        source, target = self.nodes[wire.source], self.nodes[wire.target]
        outputs = source.outputs if wire.output is None else (wire.output,)
        inputs = target.inputs if wire.input is None else (wire.input,)
        return outputs, tuple(name for name in inputs if name not in self.bound[wire.target])

    def _matches(self, wire: Wire) -> Ports:
        outputs, inputs = self._free(wire)
        supplied = self.nodes[wire.target].supplied if wire.input is None else frozenset()
        return next((found for rule in RULES if (found := rule(outputs, inputs, supplied))), [])

    def _candidates(self, wire: Wire) -> str:
        outputs, inputs = self._free(wire)
        taken = [
            f"'{port}' (from '{other.source}.{output}')" for port, (other, output) in self.bound[wire.target].items()
        ]
        has_data = self.nodes[wire.target].supplied
        parts = [
            f"edge '{wire.source}' -> '{wire.target}' can be bound in no way or in several",
            f"outputs of '{wire.source}': {listed(outputs)}",
            f"inputs of '{wire.target}' without data: {listed(name for name in inputs if name not in has_data)}",
        ]
        if has_data:
            parts.append(f"with data on the host: {listed(sorted(has_data))}")
        if taken:
            parts.append(f"already bound: {', '.join(taken)}")
        return "; ".join([*parts, "name both with 'output' and 'input' in the edge"])
