"""The nodes and edges that a DAG file names, with every problem that they have by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Problem
from runner.spec import fold
from runner.spec.binding import Wire
from runner.spec.dag import find_cycles
from runner.spec.document import Document, Place
from runner.spec.links import split_from
from runner.spec.names import did_you_mean, listed
from runner.spec.scalar import Literal, described

HEADER = ("name", "image", "images", "env")
"""Keys that mean what they mean in a pipeline file."""
_ABOUT = ("metadata", "version")
_EDGE = ("source", "target", "output", "input")


class DagText:
    """A DAG file as it was read. `problems` says what is wrong, cycles included; the rest is whole only without any."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.nodes: dict[str, Place] = {}
        self.wires: list[Wire] = []
        self.own: dict[str, dict[str, object]] = {}
        """What the file itself says of a step, below `steps`; empty for a mere name below `nodes`."""
        self._seen: set[tuple[str | None, ...]] = set()
        self.has_steps = document.at(("steps",)) is not None
        version = document.at(("version",))
        text = version.text if isinstance(version, Literal) else version
        if text is not None and str(text).split(".")[0] != "1":
            self._add(("version",), f"expected version 1.x, got {described(version)}")
        edges = self._steps() if self.has_steps else self._nodes()
        for place, item in self._items(edges):
            self._add_edge(place, item)
        if not self.problems:
            self.problems += self._cycles()

    def _steps(self) -> Place:
        """Read `steps`; returns where the edges are."""
        for key in ("nodes", "dag"):
            if self.document.at((key,)) is not None:
                self._add((key,), f"the nodes are the keys of 'steps': remove '{key}'", key=True)
        self._check_keys((), (*HEADER, "steps", "edges", *_ABOUT), ignored=("nodes", "dag"))
        steps = self.document.at(("steps",))
        if not isinstance(steps, dict) or not steps:
            got = described(steps) if steps != {} else "an empty one"
            self._add(("steps",), f"expected a mapping from step name to step, got {got}")
            return ("edges",)
        for name, step in steps.items():
            if step is not None and not isinstance(step, dict):
                self._add(("steps", name), f"expected a mapping, got {described(step)}")
            keys = step if isinstance(step, dict) else {}
            self.own[name] = {key: value for key, value in keys.items() if value is not None}
            self._add_node(("steps", name), name)
        return ("edges",)

    def _nodes(self) -> Place:
        """Read `nodes`; returns where the edges are."""
        self._check_keys((), (*HEADER, "nodes", "edges", "dag", "steps", *_ABOUT))
        base: Place = ("dag",) if self.document.at(("dag",)) is not None else ()
        if base:
            self._check_keys(base, ("nodes", "edges"))
        for place, item in self._items((*base, "nodes")):
            if isinstance(item, str):
                self._add_node(place, item)
            else:
                self._add(place, f"expected the name of a node, got {described(item)}")
        if not self.nodes and not self.problems:
            self._add((*base, "nodes"), "at least one node is needed")
        return (*base, "edges")

    def _add(self, place: Place, message: str, *, key: bool = False) -> None:
        self.problems.append(self.document.problem(place, message, key=key))

    def _check_keys(self, place: Place, known: tuple[str, ...], ignored: tuple[str, ...] = ()) -> None:
        data = self.document.at(place)
        for name in data if isinstance(data, dict) else ():
            if name not in known and name not in ignored:
                hint = did_you_mean(name, known) or f"; known here: {listed(known)}"
                self._add((*place, name), f"unknown key '{name}'{hint}", key=True)

    def _items(self, place: Place) -> list[tuple[Place, object]]:
        items = self.document.at(place)
        if items is None:
            return []
        if not isinstance(items, list):
            self._add(place, f"expected a list, got {described(items)}")
            return []
        return [((*place, index), item) for index, item in enumerate(items)]

    def _add_node(self, place: Place, name: str) -> None:
        if name in self.nodes:
            self._add(place, f"node '{name}' is given twice")
        try:
            fold.step_name(name)
        except fold.Misfit as error:
            self._add(place, str(error), key=True)
        self.nodes[name] = place

    def _add_edge(self, place: Place, item: object) -> None:
        ends = dict(zip(("source", "target"), item, strict=False)) if isinstance(item, list) else item
        if not isinstance(ends, dict) or (isinstance(item, list) and len(item) != 2):
            self._add(place, f"expected [source, target] or {{source, target}}, got {described(item)}")
            return
        before = len(self.problems)
        self._check_keys(place, _EDGE)
        for key in _EDGE:
            name = ends.get(key)
            if not isinstance(name, str) and (name is not None or key in ("source", "target")):
                self._add(place, f"'{key}': expected a name, got {described(name)}")
            elif key in ("source", "target") and name not in self.nodes:
                self._add(place, f"no node '{name}'{did_you_mean(str(name), self.nodes)}")
        if len(self.problems) == before:
            self._add_wire(Wire(ends["source"], ends["target"], ends.get("output"), ends.get("input"), place))

    def _add_wire(self, wire: Wire) -> None:
        twin = (wire.source, wire.target, wire.output, wire.input)
        if wire.source == wire.target:
            self._add(wire.place, f"node '{wire.source}' cannot need itself")
        elif twin in self._seen:
            self._add(wire.place, f"edge '{wire.source}' -> '{wire.target}' is given twice")
        self._seen.add(twin)
        self.wires.append(wire)

    def _cycles(self) -> Iterator[Problem]:
        """Before anything is bound: on a cycle the ports are not the fault."""
        places = {(wire.source, wire.target): wire.place for wire in self.wires}
        for name, own in self.own.items():
            for source, place in _needs(own):
                if source in self.nodes and source != name:
                    places.setdefault((source, name), ("steps", name, *place))
        for cycle in find_cycles(self.nodes, places):
            yield self.document.problem(places[cycle[-2], cycle[0]], f"cycle: {' -> '.join(cycle)}")


def _needs(own: dict[str, object]) -> Iterator[tuple[str, Place]]:
    """The steps that a step names itself, and where; whatever is no name is left to the check of the pipeline."""
    after = own.get("depends_on")
    for index, source in enumerate(after if isinstance(after, list) else [after]):
        if isinstance(source, str):
            yield source, ("depends_on", index)
    inputs = own.get("inputs")
    for port, given in inputs.items() if isinstance(inputs, dict) else ():
        if isinstance(given, dict) and isinstance(given.get("from"), str):
            yield split_from(given["from"])[0], ("inputs", port, "from")
