"""Which output of the producer an edge brings to which input of the consumer, where the DAG does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.errors import Problem
from runner.spec.document import Document, Place
from runner.spec.matching import CONFIDENCE, MARGIN, Aliases, MatchType, PathMatch, match_of, ranked
from runner.spec.names import did_you_mean, listed

_SHOWN = 3
"""Candidates that a message shows."""


@dataclass(frozen=True)
class Node:
    """What a node can give and take."""

    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    supplied: frozenset[str]
    """Inputs for which there is data on the host already."""
    output_aliases: Aliases = field(default_factory=dict)
    input_aliases: Aliases = field(default_factory=dict)


@dataclass(frozen=True)
class Wire:
    """An edge as written; `output` and `input` are None where it does not name them."""

    source: str
    target: str
    output: str | None
    input: str | None
    place: Place


@dataclass(frozen=True)
class Choice:
    """An output bound to an input, and why."""

    output: str
    input: str
    rule: str
    """`explicit`, `only_pair`, or a `MatchType`."""
    confidence: float | None = None
    """None where names had no part in it."""
    details: str | None = None

    @staticmethod
    def of(match: PathMatch) -> Choice:
        details = match.semantic_details
        if details is None and match.match_type is not MatchType.EXACT_LOGICAL:
            details = f"'{match.matched_source_name}'"
        return Choice(
            match.source_logical_name, match.dest_logical_name, match.match_type.value, match.confidence, details
        )


def only_pair(outputs: Sequence[str], inputs: Sequence[str], supplied: frozenset[str]) -> list[Choice]:
    """The one output goes to the one input that has no data yet."""
    lacking = [name for name in inputs if name not in supplied]
    return [Choice(outputs[0], lacking[0], "only_pair")] if len(outputs) == len(lacking) == 1 else []


def by_name(outputs: Aliases, inputs: Aliases) -> list[Choice]:
    """Every output goes to the input of its name; what then is left, to the one that an alias names.

    An input that aliases give to two outputs with the same confidence gets neither.
    """
    exact = CONFIDENCE[MatchType.EXACT_LOGICAL]
    found = [Choice(name, name, MatchType.EXACT_LOGICAL.value, exact) for name in outputs if name in inputs]
    if not any(outputs.values()) and not any(inputs.values()):
        return found
    for port, aliases in inputs.items():
        if port in outputs:
            continue
        matches = [match for name in outputs if (match := match_of(name, outputs[name], port, aliases)) is not None]
        best = max((match.confidence for match in matches), default=0.0)
        surest = [match for match in matches if match.confidence == best]
        if len(surest) == 1:
            found.append(Choice.of(surest[0]))
    return found


class Binder:
    """Binds the edges of one DAG. `bound` maps target and input to (edge, output); `problems` says what failed.

    Explicit ports first; then the only pair, equal names and aliases; then, where `semantic_threshold` is given,
    likeness of names from that score on (see `matching`). Likeness is off unless asked: an edge that is guessed wrongly
    runs, and fails far from its cause. It never decides between two candidates within `matching.MARGIN`.
    """

    def __init__(
        self, document: Document, nodes: Mapping[str, Node], *, semantic_threshold: float | None = None
    ) -> None:
        self.document = document
        self.nodes = nodes
        self.semantic_threshold = semantic_threshold
        self.bound: dict[str, dict[str, tuple[Wire, str]]] = {node: {} for node in nodes}
        self.choices: dict[tuple[str, str], Choice] = {}
        """By target and input: how each that is in `bound` came there."""
        self.problems: list[Problem] = []

    def bind(self, wires: Sequence[Wire]) -> list[Wire]:
        """Explicit ports first, then the rules, again and again: each edge that is bound leaves less to choose.

        Returns the edges that could not be bound, for each of which there is a problem.
        """
        open_wires = [wire for wire in wires if self._ports_exist(wire)]
        for wire in open_wires:
            if wire.output is not None and wire.input is not None:
                self._connect(wire, [Choice(wire.output, wire.input, "explicit")])
        half = [wire for wire in open_wires if wire.output is None or wire.input is None]
        waiting = self._by_rules(half)
        while self._by_likeness(half):
            waiting = self._by_rules([wire for wire in waiting if not self._is_bound(wire)])
        self.problems += [self.document.problem(wire.place, self._candidates(wire)) for wire in waiting]
        return waiting

    def _by_rules(self, waiting: list[Wire]) -> list[Wire]:
        """Returns the edges that the rules cannot bind."""
        while waiting:
            left = [wire for wire in waiting if not self._connect(wire, self._matches(wire))]
            if len(left) == len(waiting):
                break
            waiting = left
        return waiting

    def _by_likeness(self, wires: Sequence[Wire]) -> bool:
        """Bind the likest pairs that have no rival; whether there was one."""
        every = [each for wire in wires for each in self._alike(wire)]
        every.sort(key=lambda each: -each[1].confidence)
        taken: set[tuple[str, str]] = set()
        for wire, match in every:
            port = (wire.target, match.dest_logical_name)
            rivals = [other for other in every if other[1] is not match and _compete((wire, match), other)]
            if port not in taken and all(other.confidence <= match.confidence - MARGIN for _, other in rivals):
                taken.add(port)
                self._connect(wire, [Choice.of(match)])
        return bool(taken)

    def _alike(self, wire: Wire) -> Iterator[tuple[Wire, PathMatch]]:
        """The pairs of an edge whose names are alike enough, among the inputs that have no data."""
        if self.semantic_threshold is None:
            return
        outputs, inputs = self._free(wire)
        supplied = self.nodes[wire.target].supplied if wire.input is None else frozenset()
        for output, aliases in outputs.items():
            for port, others in inputs.items():
                match = match_of(output, aliases, port, others, self.semantic_threshold)
                if port not in supplied and match is not None:
                    yield wire, match

    def _is_bound(self, wire: Wire) -> bool:
        return any(other is wire for other, _ in self.bound[wire.target].values())

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

    def _connect(self, wire: Wire, ports: Sequence[Choice]) -> bool:
        for choice in ports:
            port = choice.input
            other, other_output = self.bound[wire.target].setdefault(port, (wire, choice.output))
            self.choices.setdefault((wire.target, port), choice)
            if other is not wire:
                message = f"input '{port}' of '{wire.target}' already comes from '{other.source}.{other_output}'"
                self.problems.append(self.document.problem(wire.place, message))
        return bool(ports)

    def _free(self, wire: Wire) -> tuple[Aliases, Aliases]:
        """The outputs and inputs that the edge may still bind, with their aliases."""
        source, target = self.nodes[wire.source], self.nodes[wire.target]
        outputs = source.outputs if wire.output is None else (wire.output,)
        inputs = target.inputs if wire.input is None else (wire.input,)
        free = [name for name in inputs if name not in self.bound[wire.target]]
        return (
            {name: source.output_aliases.get(name, ()) for name in outputs},
            {name: target.input_aliases.get(name, ()) for name in free},
        )

    def _matches(self, wire: Wire) -> list[Choice]:
        outputs, inputs = self._free(wire)
        supplied = self.nodes[wire.target].supplied if wire.input is None else frozenset()
        return only_pair(tuple(outputs), tuple(inputs), supplied) or by_name(outputs, inputs)

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
        near = ranked(list(outputs), [name for name in inputs if name not in has_data], _SHOWN)
        if near:
            shown = [f"'{output}' -> '{port}' {score:.2f}" for output, port, score in near]
            parts.append(f"likeness: {', '.join(shown)}")
        return "; ".join([*parts, "name both with 'output' and 'input' in the edge"])


def _compete(one: tuple[Wire, PathMatch], other: tuple[Wire, PathMatch]) -> bool:
    """Whether only one of the two can be meant: both want the same input, or both come from the same output."""
    (wire, match), (second, rival) = one, other
    if wire.target != second.target:
        return False
    same_output = wire is second and match.source_logical_name == rival.source_logical_name
    return same_output or match.dest_logical_name == rival.dest_logical_name
