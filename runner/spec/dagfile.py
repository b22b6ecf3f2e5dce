"""DAG files: nodes and edges, and with their execution specs the same pipeline that a pipeline file would give.

Shapes, each with or without `"version": "1.x"` and `"metadata"`:

- `{"nodes": [], "edges": []}`
- `{"dag": {"nodes": [], "edges": []}}`
- `{"steps": {node: {"script": ...}}}`, where a step may have every key that it has in a pipeline file (`inputs` with
  `from`, `depends_on`), and `edges` may stand beside `steps`. Its own keys win; what it leaves out (script, inputs,
  outputs, image) comes from its spec, found by the step's name and then by that of its script. `env`, `inputs`,
  `outputs`, `hyperparameters` and `resources` are merged name by name. A step with a program of its own needs no spec.

An edge is `[a, b]` or `{"source": a, "target": b}`, the latter with `output` and `input` if wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import Problem, SpecError
from runner.spec.binding import Binder, Node, Wire
from runner.spec.dagtext import HEADER, DagText
from runner.spec.document import Document
from runner.spec.execution import Catalogue, Entry
from runner.spec.origin import Origin, Patchwork
from runner.spec.stepsource import StepSource

DEFAULT_IMAGE = "sklearn"
"""Where specs were given and nothing names an image."""


def assemble(document: Document, root: Path, specs: Path | None) -> tuple[dict[str, Any], Origin]:
    """The data of a pipeline file for a DAG and its specs, and where each part of it was written.

    Raises SpecError with the problems of the DAG; when it has none, of the specs; when they have none, of the bindings.
    """
    dag = DagText(document)
    if dag.problems:
        raise SpecError(dag.problems)
    if specs is None and not dag.has_steps:
        remedy = "Give the specs with --specs: a directory or a file."
        raise SpecError([document.problem((), "is a DAG file, and needs the specs of its nodes")], remedy=remedy)
    entries = _entries(dag, Catalogue(specs)) if specs is not None else {}
    origin = Patchwork(document)
    steps = {
        name: StepSource(name, dag.own.get(name, {}), entries.get(name), root, document, origin) for name in dag.nodes
    }
    binder, problems, _ = bind(dag, steps)
    data = {key: document.at((key,)) for key in HEADER if document.at((key,)) is not None}
    data["steps"] = {name: step.data(binder.bound[name]) for name, step in steps.items()}
    problems += [problem for step in steps.values() for problem in step.problems]
    if problems:
        raise SpecError(problems)
    return ({"image": DEFAULT_IMAGE} if specs is not None else {}) | data, origin


def _entries(dag: DagText, catalogue: Catalogue) -> dict[str, Entry]:
    """The spec of each node that has one. Raises SpecError for several, and for none where one is needed."""
    entries: dict[str, Entry] = {}
    problems = []
    for node, place in dag.nodes.items():
        own = dag.own.get(node, {})
        script = own.get("script")
        found = catalogue.find(node, Path(script).stem if isinstance(script, str) else None)
        if len(found) == 1:
            entries[node] = found[0]
        elif found or not own.keys() & {"script", "entrypoint", "image"}:
            problems.append(dag.document.problem(place, catalogue.complaint(node, found), key=True))
    if problems:
        raise SpecError(problems, remedy="Write a spec for each node, or mend its step_name.")
    return entries


def bind(
    dag: DagText,
    steps: Mapping[str, StepSource],
    nodes: Mapping[str, Node] | None = None,
    threshold: float | None = None,
) -> tuple[Binder, list[Problem], list[Wire]]:
    """Bind the edges to what the steps themselves leave open. `nodes` is what the steps can give and take, where that
    is more than they say themselves. Returns also the edges that could not be bound."""
    known = {name: step.node() for name, step in steps.items()} if nodes is None else nodes
    binder = Binder(dag.document, known, semantic_threshold=threshold)
    problems = []
    for name, step in steps.items():
        binder.bound[name] = {port: (wire, wire.output or "") for port, wire in step.own_wires().items()}
    left = []
    for wire in dag.wires:
        target = steps[wire.target]
        if wire.input is not None and wire.input in target.own_sources():
            message = f"input '{wire.input}' of '{wire.target}' already has a 'source': remove one of the two"
            problems.append(dag.document.problem(wire.place, message))
        elif not any(_says_the_same(wire, own) for own in target.own_wires().values()):
            left.append(wire)
    unbound = binder.bind(left)
    return binder, problems + binder.problems, unbound


def _says_the_same(wire: Wire, own: Wire) -> bool:
    """Whether an input's own `from` is the edge that `wire` asks for."""
    return wire.source == own.source and wire.output in (None, own.output) and wire.input in (None, own.input)
