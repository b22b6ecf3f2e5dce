"""DAG files: nodes and edges, and with their execution specs the same pipeline that a pipeline file would give.

Shapes: `{"nodes": [], "edges": []}` and `{"dag": {"nodes": [], "edges": []}, "metadata": {}}`, with or without
`"version": "1.x"`. An edge is `[a, b]` or `{"source": a, "target": b}`, the latter with `output` and `input` if wanted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.errors import Problem, SpecError
from runner.spec import fold
from runner.spec.binding import Binder, Node, Wire
from runner.spec.document import Document, Place
from runner.spec.execution import Catalogue, Entry, ScriptExecutionSpec
from runner.spec.models import TRAINING_OUTPUTS, StepType, host_path
from runner.spec.names import did_you_mean, listed
from runner.spec.origin import Origin, Patchwork
from runner.spec.scalar import Literal, described

DEFAULT_IMAGE = "sklearn"
_TOP = ("nodes", "edges", "dag", "metadata", "version", "name", "image")
_EDGE = ("source", "target", "output", "input")


def assemble(document: Document, root: Path, specs: Path | None) -> tuple[dict[str, Any], Origin]:
    """The data of a pipeline file for a DAG and its specs, and where each part of it was written.

    Raises SpecError with the problems of the DAG; when it has none, of the specs; when they have none, of the bindings.
    """
    dag = _Dag(document)
    if dag.problems:
        raise SpecError(dag.problems)
    if specs is None:
        remedy = "Give the specs with --specs: a directory or a file."
        raise SpecError([document.problem((), "is a DAG file, and needs the specs of its nodes")], remedy=remedy)
    entries = _entries(dag, Catalogue(specs))
    origin = Patchwork(document)
    binder = Binder(document, {node: _node(entry.spec, root) for node, entry in entries.items()})
    binder.bind(dag.wires)
    problems = list(binder.problems)
    steps = {}
    for node, entry in entries.items():
        step = _Step(node, entry, root, binder.bound[node], origin, document)
        steps[node] = step.data()
        problems += step.problems
    if problems:
        raise SpecError(problems)
    assert isinstance(document.data, dict)  # noqa: S101 (the loader came here because it is)
    data = {key: document.data[key] for key in ("name", "image") if document.data.get(key) is not None}
    return {"image": DEFAULT_IMAGE, **data, "steps": steps}, origin


class _Dag:
    """Nodes and edges of a file, with every problem that they have."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.nodes: dict[str, Place] = {}
        self.wires: list[Wire] = []
        self._seen: set[tuple[str | None, ...]] = set()
        self._check_keys((), _TOP)
        version = document.at(("version",))
        text = version.text if isinstance(version, Literal) else version
        if text is not None and str(text).split(".")[0] != "1":
            self._add(("version",), f"expected version 1.x, got {described(version)}")
        base: Place = ("dag",) if document.at(("dag",)) is not None else ()
        if base:
            self._check_keys(base, ("nodes", "edges"))
        for place, item in self._items((*base, "nodes")):
            self._add_node(place, item)
        if not self.nodes and not self.problems:
            self._add((*base, "nodes"), "at least one node is needed")
        for place, item in self._items((*base, "edges")):
            self._add_edge(place, item)

    def _add(self, place: Place, message: str, *, key: bool = False) -> None:
        self.problems.append(self.document.problem(place, message, key=key))

    def _check_keys(self, place: Place, known: tuple[str, ...]) -> None:
        data = self.document.at(place)
        for name in data if isinstance(data, dict) else ():
            if name not in known:
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

    def _add_node(self, place: Place, item: object) -> None:
        if not isinstance(item, str):
            self._add(place, f"expected the name of a node, got {described(item)}")
            return
        if item in self.nodes:
            self._add(place, f"node '{item}' is given twice")
        try:
            fold.step_name(item)
        except fold.Misfit as error:
            self._add(place, str(error))
        self.nodes[item] = place

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


def _entries(dag: _Dag, catalogue: Catalogue) -> dict[str, Entry]:
    found = {node: catalogue.find(node) for node in dag.nodes}
    problems = [dag.document.problem(dag.nodes[node], why) for node, why in found.items() if isinstance(why, str)]
    if problems:
        raise SpecError(problems, remedy="Write a spec for each node, or mend its step_name.")
    return {node: entry for node, entry in found.items() if isinstance(entry, Entry)}


def _node(spec: ScriptExecutionSpec, root: Path) -> Node:
    outputs = tuple(spec.output_paths) or (TRAINING_OUTPUTS if spec.type is StepType.TRAINING else ())
    supplied = frozenset(name for name, path in spec.input_paths.items() if host_path(root, path).exists())
    return Node(outputs, tuple(spec.input_paths), supplied)


class _Step:
    """One node as a step of a pipeline file."""

    def __init__(
        self,
        node: str,
        entry: Entry,
        root: Path,
        bound: dict[str, tuple[Wire, str]],
        origin: Patchwork,
        dag: Document,
    ) -> None:
        self.node, self.entry, self.root, self.bound, self.origin, self.dag = node, entry, root, bound, origin, dag
        self.problems: list[Problem] = []
        self._from("steps", ())

    def data(self) -> dict[str, Any]:
        spec = self.entry.spec
        training = spec.type is StepType.TRAINING
        step: dict[str, Any] = {
            "type": spec.type,
            "script": self._script(),
            "source_dir": spec.source_dir,
            "image": spec.image,
            "entrypoint": spec.entrypoint,
            "env": spec.environ_vars,
            "inputs": {name: self._input(name, path) for name, path in spec.input_paths.items()},
            "outputs": {name: self._output(name) for name in spec.output_paths},
            "resources": spec.resources,
            "timeout": spec.timeout,
            "network": spec.network,
        }
        raw = self.entry.document.at((*self.entry.place, "job_args"))
        step["hyperparameters" if training else "args"] = raw
        self._from("env", ("environ_vars",))
        self._from("script", ("script_path",))
        self._from("hyperparameters" if training else "args", ("job_args",))
        return {key: value for key, value in step.items() if value is not None}

    def _from(self, part: str, source: Place, *more: str) -> None:
        """Say where a part of the step was written in its spec."""
        place: Place = ("steps", self.node) if part == "steps" else ("steps", self.node, part, *more)
        self.origin.add(place, self.entry.document, (*self.entry.place, *source))

    def _input(self, name: str, path: str) -> dict[str, str]:
        container = self.entry.spec.container_input_paths.get(name)
        at = {"path": container} if container else {}
        if name not in self.bound:
            self._from("inputs", ("input_paths", name), name)
            return {"source": path, **at}
        wire, output = self.bound[name]
        self.origin.add(("steps", self.node, "inputs", name), self.dag, wire.place)
        return {"from": f"{wire.source}.{output}", **at}

    def _output(self, name: str) -> dict[str, str]:
        container = self.entry.spec.container_output_paths.get(name)
        self._from("outputs", ("output_paths", name), name)
        return {"path": container} if container else {}

    def _script(self) -> str | None:
        spec = self.entry.spec
        if spec.script_path is not None or spec.entrypoint is not None:
            return spec.script_path
        tried = [f"{spec.script_name}.py", f"scripts/{spec.script_name}.py"]
        base = host_path(self.root, spec.source_dir) if spec.source_dir else self.root
        for candidate in tried:
            if (base / candidate).is_file():
                return candidate
        message = f"no script: looked for {listed(tried)} in {base}; set 'script_path'"
        self.problems.append(self.entry.document.problem((*self.entry.place, "script_name"), message))
        return None
