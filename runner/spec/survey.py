"""What a DAG or pipeline file leaves to rules, and how they decide it: scripts of nodes, ports of edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import Problem, SpecError
from runner.spec import names
from runner.spec.archives import is_archive
from runner.spec.binding import Binder, Node, Wire
from runner.spec.contracts import ContractDiscoveryResult, Contracts
from runner.spec.contracts.review import contract_dirs
from runner.spec.dagfile import bind
from runner.spec.dagtext import DagText
from runner.spec.document import absolute, read
from runner.spec.execution import Catalogue, Entry
from runner.spec.matching import ranked
from runner.spec.models import host_path
from runner.spec.names import did_you_mean, listed
from runner.spec.origin import Patchwork
from runner.spec.resolution import Resolution, resolve
from runner.spec.stepsource import StepSource

_MOST = 3
_COMPARISONS = 50_000
"""For suggestions, in one file: a few seconds."""


@dataclass(frozen=True)
class NodeChoice:
    """What a node runs."""

    node: str
    program: str | None
    """What it runs where that is no script on this machine: its entrypoint, module, archive or image."""
    resolution: Resolution | None
    contract: ContractDiscoveryResult
    spec: str | None
    """File of its execution spec."""


@dataclass(frozen=True)
class EdgeChoice:
    """What an edge brings. `output` and `input` are None for an edge that only orders, or that could not be bound."""

    source: str
    target: str
    output: str | None
    input: str | None
    rule: str
    """`explicit`, `only_pair`, a `MatchType`, `order`, or `unbound`."""
    score: float | None = None
    details: str | None = None
    alternatives: tuple[tuple[str, str, float], ...] = ()
    """Other pairs of output and input, with their likeness."""


@dataclass(frozen=True)
class Survey:
    file: Path
    nodes: tuple[NodeChoice, ...]
    edges: tuple[EdgeChoice, ...]
    problems: tuple[Problem, ...]


def survey(
    path: Path, specs: Path | None = None, search: Sequence[Path] = (), semantic_threshold: float | None = None
) -> Survey:
    """Decide for each node and edge as a run does; what a run would ask a spec for is looked up by name, and ports that
    neither file nor spec has come from contracts. `search`: directories that go before the file's own.

    Raises SpecError for a file that is no DAG, for specs and for directories that cannot be read. Whatever cannot be
    decided stands in `problems`.
    """
    with names.at_most(_COMPARISONS):
        return _survey(path, specs, search, semantic_threshold)


def _survey(path: Path, specs: Path | None, search: Sequence[Path], semantic_threshold: float | None) -> Survey:
    document = read(path)
    if not isinstance(document.data, dict):
        raise SpecError(
            [document.problem((), "expected a mapping with the key 'steps' or 'nodes' at the top of the file")]
        )
    dag = DagText(document)
    if dag.problems:
        raise SpecError(dag.problems)
    root = absolute(path).parent
    places = list(dict.fromkeys([*map(absolute, search), root]))
    looker = _Looker(dag, root, places, Catalogue(specs) if specs is not None else None)
    origin = Patchwork(document)
    steps = {
        name: StepSource(name, dag.own.get(name, {}), looker.entries.get(name), root, document, origin)
        for name in dag.nodes
    }
    nodes = tuple(looker.node(name) for name in dag.nodes)
    ports = {each.node: _ports(steps[each.node], each.contract) for each in nodes}
    binder, problems, unbound = bind(dag, steps, ports, semantic_threshold)
    problems = [*looker.problems, *_strange(dag, steps, ports), *problems]
    return Survey(path, nodes, tuple(_edges(dag, steps, binder, unbound)), tuple(problems))


class _Looker:
    """Finds spec, script and contract of each node."""

    def __init__(self, dag: DagText, root: Path, places: list[Path], catalogue: Catalogue | None) -> None:
        self.dag = dag
        self.root = root
        self.places = places
        self.problems: list[Problem] = []
        self.contracts = Contracts(contract_dirs(places))
        self.entries: dict[str, Entry] = {}
        for node, place in dag.nodes.items() if catalogue is not None else ():
            script = dag.own.get(node, {}).get("script")
            found = catalogue.find(node, Path(script).stem if isinstance(script, str) else None) if catalogue else []
            if len(found) == 1:
                self.entries[node] = found[0]
            elif found and catalogue:
                self.problems.append(dag.document.problem(place, catalogue.complaint(node, found), key=True))

    def node(self, name: str) -> NodeChoice:
        entry = self.entries.get(name)
        file = entry.document.file if entry else None
        program = self._program(name, entry)
        if program is not None:
            return NodeChoice(name, program, None, self.contracts.find(name), file)
        made = self._resolve(name, entry)
        contract = self.contracts.find(made.script_name if made.script else name, made.script)
        if contract.contract is not None and made.job_type is not None and made.job_type_flag is None:
            made = self._resolve(name, entry, contract)
        if made.script is None:
            self.problems.append(self.dag.document.problem(self.dag.nodes[name], made.message, key=True))
        for fault in (made.remark, contract.error_message if contract.discovery_method != "none" else None):
            if fault is not None:
                first = fault.partition("\n")[0]
                self.problems.append(self.dag.document.problem(self.dag.nodes[name], first, key=True))
        return NodeChoice(name, None, made, contract, file)

    def _program(self, name: str, entry: Entry | None) -> str | None:
        """What a node runs instead of a script on this machine."""
        own = self.dag.own.get(name, {})
        if own.get("module") is not None:
            return f"module {own['module']}"
        if "script" not in own and (own.get("entrypoint") is not None or (entry and entry.spec.entrypoint is not None)):
            return "entrypoint"
        source = own.get("source_dir", entry.spec.source_dir if entry else None)
        if isinstance(source, str) and is_archive(source):
            return f"{own.get('script', entry.spec.script_path if entry else None)} in {source}"
        if "script" not in own and entry is None and own.get("image") is not None:
            return "what its image runs"
        return None

    def _resolve(self, name: str, entry: Entry | None, contract: ContractDiscoveryResult | None = None) -> Resolution:
        own = self.dag.own.get(name, {})
        source = own.get("source_dir", entry.spec.source_dir if entry else None)
        base = host_path(self.root, source) if isinstance(source, str) else self.root
        written = own.get("script", entry.spec.script_path if entry else None)
        known = contract.contract if contract else None
        if isinstance(written, str):
            return resolve(name, self.places, script_path=host_path(base, written), contract=known)
        places = [base if place == self.root else place for place in self.places]
        return resolve(name, places, script_name=entry.spec.script_name if entry else None, contract=known)


def _ports(step: StepSource, contract: ContractDiscoveryResult) -> Node:
    """What a step can give and take; from its contract where neither the file nor a spec says it."""
    node = step.node()
    if step.entry is not None or contract.contract is None:
        return node
    inputs, outputs = contract.contract.expected_input_paths, contract.contract.expected_output_paths
    return replace(
        node,
        inputs=node.inputs if "inputs" in step.own else tuple(inputs),
        outputs=node.outputs if node.outputs else tuple(outputs),
    )


def _strange(dag: DagText, steps: dict[str, StepSource], ports: dict[str, Node]) -> list[Problem]:
    """Faults of the `from` of inputs, which the rules do not look at."""
    problems = []
    for wire in (wire for step in steps.values() for wire in step.own_wires().values()):
        place = (*wire.place, "from")
        if wire.source not in ports:
            message = f"no step '{wire.source}'{did_you_mean(wire.source, ports)}"
            problems.append(dag.document.problem(place, message))
        elif wire.output not in ports[wire.source].outputs:
            known = ports[wire.source].outputs
            hint = did_you_mean(wire.output or "", known)
            message = f"'{wire.source}' has no output '{wire.output}'{hint}; it has: {listed(known)}"
            problems.append(dag.document.problem(place, message))
    return problems


def _edges(dag: DagText, steps: dict[str, StepSource], binder: Binder, unbound: list[Wire]) -> list[EdgeChoice]:
    found = []
    for target, inputs in binder.bound.items():
        for port, (wire, output) in inputs.items():
            choice = binder.choices.get((target, port))
            outputs = binder.nodes[wire.source].outputs if wire.source in binder.nodes else ()
            others = ranked([name for name in outputs if name != output], [port], _MOST)
            if choice is None:
                found.append(EdgeChoice(wire.source, target, output, port, "explicit", alternatives=tuple(others)))
            else:
                made = EdgeChoice(wire.source, target, output, port, choice.rule, choice.confidence, choice.details)
                found.append(replace(made, alternatives=tuple(others)))
    for name, step in steps.items():
        after = step.own.get("depends_on")
        sources = after if isinstance(after, list) else [after]
        found += [EdgeChoice(source, name, None, None, "order") for source in sources if isinstance(source, str)]
    for wire in unbound:
        taken = binder.bound[wire.target]
        open_inputs = [name for name in binder.nodes[wire.target].inputs if name not in taken]
        pairs = ranked(list(binder.nodes[wire.source].outputs), open_inputs, _MOST)
        found.append(
            EdgeChoice(wire.source, wire.target, wire.output, wire.input, "unbound", alternatives=tuple(pairs))
        )
    order = {name: index for index, name in enumerate(dag.nodes)}
    return sorted(found, key=lambda edge: (order[edge.target], order.get(edge.source, len(order))))
