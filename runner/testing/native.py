"""A pipeline file of `run-pipeline run`, tested: the same run, told by node and by edge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.engine.base import Engine
from runner.engine.credentials import host_credentials
from runner.engine.masking import hidden
from runner.errors import SpecError
from runner.spec import edges as edges_of
from runner.spec import load, order
from runner.spec.fields import Credentials
from runner.spec.models import Pipeline, StepSpec
from runner.spec.mounts import input_path, output_path
from runner.spec.resolution import Resolution
from runner.spec.scripts import facts
from runner.testing import edges, execution, outcomes
from runner.testing.ports import Port
from runner.testing.results import PipelineResult, ScriptTestResult
from runner.testing.specs import ScriptExecutionSpec
from runner.testing.subjects import Subject


def run_file(
    file: Path,
    *,
    runs_dir: Path,
    specs: Path | None = None,
    timeout: float | None = None,
    engine: Engine | None = None,
    log_level: str | None = None,
) -> PipelineResult:
    """Every step once, chained. `timeout` (seconds) is for steps that name none.

    Raises SpecError for what is wrong with the file, EnvironmentFault when nothing can run.
    """
    pipeline = load(file, specs)
    if timeout is not None:
        steps = {
            name: step if step.timeout is not None else step.model_copy(update={"timeout": timeout})
            for name, step in pipeline.spec.steps.items()
        }
        spec = pipeline.spec.model_copy(update={"steps": steps})
        pipeline = pipeline.model_copy(update={"spec": spec})
    with execution.connected(engine) as connected:
        ended = execution.run(pipeline, connected, runs_dir, execution.logger(log_level))
    subjects = {name: _subject(pipeline, name, step) for name, step in pipeline.spec.steps.items()}
    results: dict[str, ScriptTestResult] = {}
    for found in ended.end.results:
        step = pipeline.spec.steps[found.step]
        sources = {name: "producer" if each.from_ else "user" for name, each in step.inputs.items()}
        notes = tuple(ended.notices.get(found.step, ()))
        results[found.step] = outcomes.outcome(subjects[found.step], found, ended.layout, sources, notes)
    flows = {
        f"{a}->{b}": edges.edge(subjects[a], subjects[b], ports, results[a], results[b], ended.layout)
        for (a, b), ports in _ports(pipeline).items()
    }
    errors = [f"{node}: {result.error_message}" for node, result in results.items() if not result.success]
    told = PipelineResult(
        pipeline_success=not errors,
        script_results=results,
        data_flow_results=flows,
        errors=errors,
        execution_order=list(order(pipeline.spec)),
        run_id=ended.end.run_id,
        run_dir=str(ended.layout.root),
        seconds=ended.end.seconds,
        exit_code=ended.end.exit_code,
    )
    asked = any(step.credentials is not Credentials.NONE for step in pipeline.spec.steps.values())
    return hidden(host_credentials(), told) if asked else told  # names and columns may hold a secret


def _subject(pipeline: Pipeline, name: str, step: StepSpec) -> Subject:
    script = pipeline.script(step)
    spec = ScriptExecutionSpec(script_name=script.stem if script else name, step_name=name)
    made = Subject(name, spec, Resolution(name, name, spec.script_name, script=script))
    try:
        read = facts(script) if script is not None and script.is_file() else None
    except SpecError:
        read = None  # the run itself tells what is wrong with it
    return replace(
        made,
        facts=read,
        inputs={each: _port(each, input_path(step, each)) for each in step.inputs},
        outputs={each: _port(each, output_path(step, each)) for each in step.output_names},
    )


def _port(name: str, path: str) -> Port:
    return Port(name, name, "", path, path)


def _ports(pipeline: Pipeline) -> dict[tuple[str, str], dict[str, str]]:
    """By edge: output -> input; empty where only the order is given."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for edge in edges_of(pipeline.spec):
        ports = found.setdefault((edge.source, edge.target), {})
        if edge.output is not None and edge.input is not None:
            ports[edge.output] = edge.input
    return found
