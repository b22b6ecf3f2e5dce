"""The one way in which everything is tested: read, wire, provide data, run chained, tell, deliver, clean up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.data.formats import describe, describe_tree
from runner.data.tables import FileSchema
from runner.engine.base import Engine
from runner.errors import EXIT_PASSED, EXIT_STEP_FAILED, EXIT_USAGE, SpecError
from runner.spec.contracts import Contracts
from runner.spec.dag import PipelineDAG
from runner.spec.models import Pipeline
from runner.testing import edges, execution, outcomes
from runner.testing.assembly import assemble
from runner.testing.builder import PipelineTestingSpecBuilder
from runner.testing.config import RuntimeTestingConfiguration
from runner.testing.delivery import clean, deliver
from runner.testing.faults import Fault
from runner.testing.inputs import Data, provide
from runner.testing.projects import placed
from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult
from runner.testing.scratch import scratch
from runner.testing.specs import DataFlow, ScriptExecutionSpec
from runner.testing.subjects import Places, Subject, subject
from runner.testing.wiring import Wired, wire

_MOST_FILES = 100
"""So many of the files that a spec itself has for an input are compared with what its producer wrote."""
_NAME_PORTS = (
    "Give both the same host path, or the input an alias that is the output's name ('input_path_specs'), or name the "
    "ports in 'data_flow_specs'; 'enable_logical_matching' binds names that are alike."
)
_MEND_PORTS = "Name an output and an input that the steps have, each input once."


@dataclass(frozen=True, slots=True)
class Flow:
    """What is to be tested."""

    name: str
    specs: Mapping[str, ScriptExecutionSpec]
    dag: PipelineDAG
    flows: Sequence[DataFlow] = ()
    aliases: bool = False
    loose: bool = False
    """Whether the edges are a guess: one that cannot be bound only gives the order."""
    sample: Mapping[str, Any] | None = None
    fallback: Mapping[str, Any] | None = None
    """For inputs that have no data and no producer."""


@dataclass
class _State:
    """How far a flow has come."""

    flow: Flow
    subjects: dict[str, Subject]
    wired: Wired
    results: dict[str, ScriptTestResult]
    data: Data
    before: dict[str, dict[str, tuple[FileSchema, ...]]] = field(default_factory=dict)
    """Node -> input that a producer gives -> the data that the spec itself has for it."""
    ended: execution.Finished | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how flows are tested. Without an `engine` this machine's is used."""

    config: RuntimeTestingConfiguration
    builder: PipelineTestingSpecBuilder
    threshold: float | None
    engine: Engine | None = None

    def subjects(self, specs: Mapping[str, ScriptExecutionSpec]) -> dict[str, Subject]:
        """Each node with all that can be read of it."""
        if self.config.project is not None:
            specs = placed(specs, self.config.project)
        places = Places(self.builder.search, Contracts(self.builder.contract_dirs()))
        return {node: subject(node, spec, places) for node, spec in specs.items()}

    def run(self, flow: Flow) -> PipelineResult:
        """Every node once, chained. Raises EnvironmentFault when nothing can run."""
        subjects = self.subjects(flow.specs)
        aliases = flow.aliases or self.config.enable_enhanced_features
        wired = wire(subjects, flow.dag, flow.flows, threshold=self.threshold, aliases=aliases, loose=flow.loose)
        state = _State(flow, subjects, wired, {}, Data())
        if wired.problems:
            return _unbound(state)
        with scratch(Path(self.config.root)) as made:
            state.data = provide(subjects, wired, made.folder / "data", flow.sample, flow.fallback)
            state.before = _before(subjects, wired)
            ready = _startable(state)
            pipeline = self._assembled(state, ready, made.folder / "calls") if ready else None
            if pipeline is not None:
                self._execute(state, pipeline)
                made.run_dir = state.ended.layout.root if state.ended else None
            told = _told(state)
            if state.ended is not None and self.config.cleanup_after_test:
                keep = self.config.preserve_outputs
                if clean(state.ended.layout, passed=told.pipeline_success, keep_outputs=keep):
                    return _without_run_dir(told)
            return told

    def _assembled(self, state: _State, ready: Sequence[str], calls: Path) -> Pipeline | None:
        """The checked pipeline of the nodes that can start; None when the check refuses it: then no node runs."""
        try:
            return assemble(
                state.flow.name,
                {node: state.subjects[node] for node in ready},
                state.wired,
                state.flow.dag.edges,
                data=state.data.folders,
                calls=calls,
                timeout=self.config.timeout_seconds,
            )
        except SpecError as error:
            state.refused = tuple(str(problem) for problem in error.problems)
            for node in ready:
                mine = [problem for problem in error.problems if problem.path.startswith(f"steps.{node}")]
                why = "\n".join(problem.message for problem in mine) or "the pipeline as a whole is refused"
                state.results[node] = outcomes.not_run(state.subjects[node], "spec", why, error.remedy)
            return None

    def _execute(self, state: _State, pipeline: Pipeline) -> None:
        log = execution.logger(self.config.log_level if self.config.enable_logging else None)
        with execution.connected(self.engine) as engine:
            tidy = self.config.cleanup_after_test
            ended = execution.run(pipeline, engine, Path(self.config.root) / "runs", log, tidy=tidy)
        state.ended = ended
        for found in ended.end.results:
            node = state.subjects[found.step]
            notes = tuple(ended.notices.get(found.step, ()))
            sources = state.data.sources[found.step]
            result = outcomes.outcome(node, found, ended.layout, sources, notes)
            host = {port.key: port.host for port in node.outputs.values()}
            places = {**result.outputs, **deliver(ended.layout, found, host, Path(self.config.root))}
            named = {name: places[port.key] for name, port in node.outputs.items() if port.key in places}
            state.results[found.step] = replace(result, outputs=named)


def _before(subjects: Mapping[str, Subject], wired: Wired) -> dict[str, dict[str, tuple[FileSchema, ...]]]:
    """Looked at before anything runs, since a delivery may write over it."""
    found: dict[str, dict[str, tuple[FileSchema, ...]]] = {}
    for node, known in subjects.items():
        for port in known.inputs.values():
            host = Path(port.host).expanduser()
            if port.name not in wired.bound[node] or not port.host.strip():
                continue
            if host.is_file():
                found.setdefault(node, {})[port.name] = (describe(host, root=host.parent),)
            elif host.is_dir():
                files = describe_tree(host, limit=_MOST_FILES)
                found.setdefault(node, {})[port.name] = tuple(each for each in files if each.path != ".")
    return found


def _startable(state: _State) -> list[str]:
    """The nodes that can run, in order. Those with a fault, and what needs them, get their results here."""
    ready: list[str] = []
    for node in state.flow.dag.topological_sort():
        subject = state.subjects[node]
        fault = subject.fault or state.data.faults.get(node)
        needs = state.flow.dag.get_dependencies(node)
        blocked = [each for each in needs if each in state.results]
        sources = state.data.sources.get(node, {})
        if fault is not None:
            state.results[node] = outcomes.not_run(
                subject, fault.kind, fault.message, fault.remedy, data_sources=sources
            )
        elif blocked:
            why = f"{', '.join(blocked)} did not pass"
            state.results[node] = outcomes.not_run(subject, "blocked", why, data_sources=sources)
        else:
            ready.append(node)
    return ready


def _unbound(state: _State) -> PipelineResult:
    """Nothing runs while nobody can say which data goes where."""
    messages = list(dict.fromkeys(state.wired.problems.values()))
    names = ", ".join(f"{source} -> {target}" for source, target in state.wired.problems if source)
    for node, known in state.subjects.items():
        mine = [text for (_, target), text in state.wired.problems.items() if node == target]
        if mine:
            unbound = Fault("unbound", "\n".join(mine), _NAME_PORTS)
        elif names:
            unbound = Fault("not-run", f"nothing runs while edges are not bound: {names}", "")
        else:
            unbound = Fault("unbound", "\n".join(messages), _MEND_PORTS)
        fault = known.fault or unbound
        state.results[node] = outcomes.not_run(known, fault.kind, fault.message, fault.remedy)
    state.refused = tuple(messages)
    return _told(state)


def _told(state: _State) -> PipelineResult:
    order = state.flow.dag.topological_sort()
    results = {node: state.results[node] for node in order}
    flows = {f"{a}->{b}": _edge(state, a, b) for a, b in _edges(state)}
    errors = list(state.refused)
    errors += [f"{node}: {result.error_message}" for node, result in results.items() if not result.success]
    errors += [f"{name}: {issue}" for name, each in flows.items() for issue in each.compatibility_issues[:1]
               if each.tested and not each.compatible and each.result_b and each.result_b.success]  # fmt: skip
    success = all(result.success for result in results.values()) and not state.refused
    ended = state.ended
    return PipelineResult(
        pipeline_success=success,
        script_results=results,
        data_flow_results=flows,
        errors=errors,
        execution_order=order,
        run_id=ended.end.run_id if ended else None,
        run_dir=str(ended.layout.root) if ended else None,
        seconds=ended.end.seconds if ended else 0.0,
        exit_code=EXIT_PASSED if success else _exit_code(state),
    )


def _without_run_dir(told: PipelineResult) -> PipelineResult:
    """The run directory is gone: nothing may point into it."""
    root = Path(told.run_dir or ".")

    def bare(result: ScriptTestResult) -> ScriptTestResult:
        outputs = {name: path for name, path in result.outputs.items() if not Path(path).is_relative_to(root)}
        return replace(result, stdout_path=None, stderr_path=None, run_dir=None, outputs=outputs)

    results = {node: bare(result) for node, result in told.script_results.items()}
    flows = {
        name: replace(
            each, result_a=each.result_a and bare(each.result_a), result_b=each.result_b and bare(each.result_b)
        )
        for name, each in told.data_flow_results.items()
    }
    return replace(told, script_results=results, data_flow_results=flows, run_dir=None)


def _exit_code(state: _State) -> int:
    if state.ended is not None and state.ended.end.exit_code != EXIT_PASSED:
        return state.ended.end.exit_code
    return EXIT_USAGE if state.refused else EXIT_STEP_FAILED


def _edges(state: _State) -> list[tuple[str, str]]:
    """The DAG's, and those that equal host paths made. One that was only guessed and carries no data is none."""
    guessed = state.flow.loose and not state.wired.problems
    real = [(a, b) for a, b in state.flow.dag.edges if not guessed or state.wired.ports(a, b)]
    found = dict.fromkeys(real)
    for target, bound in state.wired.bound.items():
        found |= dict.fromkeys((source, target) for source, _ in bound.values())
    return list(found)


def _edge(state: _State, source: str, target: str) -> DataCompatibilityResult:
    a, b = state.subjects[source], state.subjects[target]
    problem = state.wired.problems.get((source, target))
    if problem is not None or state.ended is None:
        ends = (state.results[source], state.results[target])
        shared = [text for edge, text in state.wired.problems.items() if edge == ("", "")]
        apart = [f"{each.step_name}: {each.error_message}" for each in ends if not each.success]
        issue = problem or next(iter(shared or apart), "nothing ran")
        return edges.untested(a, b, issue, state.results[source], state.results[target])
    note = state.wired.notes.get((source, target))
    ports = state.wired.ports(source, target)
    if not ports:
        issue = f"no output of '{source}' reaches an input of '{target}': the edge gives the order only"
        return edges.untested(a, b, issue, state.results[source], state.results[target])
    return edges.edge(
        a,
        b,
        ports,
        state.results[source],
        state.results[target],
        state.ended.layout,
        [note] if note else [],
        state.before.get(target),
    )
