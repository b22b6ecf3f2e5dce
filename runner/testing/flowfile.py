"""The documents' dict for a pipeline: `{"steps": {node: {"script": ..., "inputs": ..., "outputs": ...}}}`.

A step may have `script` (a file's name or path), `inputs` and `outputs` (logical name -> host path), `env`, `args`,
`image`, `type` and `depends_on`. `edges` may stand beside `steps`, and `nodes` with `edges` in their place. Where
nothing says how data flows, the steps follow each other as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runner.spec.dag import PipelineDAG
from runner.spec.names import did_you_mean, listed
from runner.testing.specs import PipelineTestingSpec, ScriptExecutionSpec, SpecFault, as_dag

if TYPE_CHECKING:
    from runner.testing.builder import PipelineTestingSpecBuilder

_FIELDS = {
    "inputs": "input_paths",
    "outputs": "output_paths",
    "env": "environ_vars",
    "args": "job_args",
    "image": "image",
    "type": "type",
}
KNOWN = ("script", *_FIELDS, "depends_on", *(name for name in _FIELDS.values() if name not in _FIELDS))
_TOP = ("steps", "edges", "nodes", "dag", "name", "metadata", "version")


def pipeline_spec(config: Mapping[str, Any], builder: PipelineTestingSpecBuilder) -> PipelineTestingSpec:
    """The spec of a pipeline. Raises SpecFault for what is no such dict, UsageError for cycles and loose ends."""
    for key in config.keys() - set(_TOP):
        raise SpecFault(f"unknown key '{key}'{did_you_mean(str(key), _TOP)}; known here: {listed(_TOP)}")
    if "steps" not in config:
        dag = as_dag(config.get("dag", config))
        specs = {node: builder.spec_for(node, save=False) for node in dag.nodes}
        return _spec(config, dag, specs, builder)
    specs = script_specs(config, builder)
    edges = _edges(config, list(specs))
    return _spec(config, PipelineDAG(specs, edges), specs, builder)


def in_a_row(config: Mapping[str, Any]) -> bool:
    """Whether nothing says how data flows, so that the edges are only the order in which the steps are written."""
    steps = config.get("steps")
    if not isinstance(steps, Mapping) or config.get("edges") is not None:
        return False
    return not any(isinstance(step, Mapping) and step.get("depends_on") for step in steps.values())


def script_specs(config: Mapping[str, Any], builder: PipelineTestingSpecBuilder) -> dict[str, ScriptExecutionSpec]:
    """By node: the saved spec, or that of the contract, or the defaults, under what the step itself says."""
    steps = config.get("steps")
    if not isinstance(steps, Mapping) or not steps:
        raise SpecFault("expected 'steps': a mapping from node to {'script': ...}")
    return {str(node): _script_spec(str(node), step, builder) for node, step in steps.items()}


def _script_spec(node: str, step: Any, builder: PipelineTestingSpecBuilder) -> ScriptExecutionSpec:
    if not isinstance(step, Mapping):
        raise SpecFault(f"steps.{node}: expected a mapping, as {{'script': 'train.py'}}; got {step!r}")
    for key in step.keys() - set(KNOWN):
        hint = did_you_mean(str(key), KNOWN) or f"; known here: {listed(KNOWN)}"
        raise SpecFault(f"steps.{node}: unknown key '{key}'{hint}")
    given: dict[str, Any] = {_FIELDS.get(str(key), str(key)): value for key, value in step.items()}
    given.pop("depends_on", None)
    script = given.pop("script", None)
    base = builder.spec_for(node, save=False)
    if script is not None:
        name = Path(str(script))
        saved = builder.saved_spec(node) is not None
        base = base if saved else builder.resolve_script_execution_spec_from_node(name.stem)
        given |= {"script_name": name.stem} | ({"script_path": str(name)} if len(name.parts) > 1 else {})
    try:
        return ScriptExecutionSpec.model_validate({**base.to_dict(), **given, "step_name": node})
    except ValidationError as error:
        raise SpecFault("\n".join(_fault(node, step, each) for each in error.errors())) from None


def _fault(node: str, step: Mapping[str, Any], error: Any) -> str:
    """By the key that stands in the step, as `env`, not by the field that it becomes."""
    first, *rest = map(str, error["loc"] or ("",))
    key = next((key for key, name in _FIELDS.items() if name == first and key in step), first)
    place = ".".join(part for part in ("steps", node, key, *rest) if part)
    return f"{place}: {error['msg']}, got {error['input']!r}"


def _edges(config: Mapping[str, Any], nodes: list[str]) -> list[tuple[str, str]]:
    if in_a_row(config):
        return list(pairwise(nodes))
    given = config.get("edges") or ()
    if not isinstance(given, list | tuple):
        raise SpecFault(f"edges: expected a list of [source, target], got {given!r}")
    found = [_edge(each) for each in given]
    for node, step in config["steps"].items():
        needs = step.get("depends_on") or ()
        if not isinstance(needs, str | list | tuple):
            raise SpecFault(f"steps.{node}.depends_on: expected a step or a list of steps, got {needs!r}")
        found += [(str(source), node) for source in ([needs] if isinstance(needs, str) else needs)]
    return list(dict.fromkeys(found))


def _edge(given: Any) -> tuple[str, str]:
    ends = [given.get("source"), given.get("target")] if isinstance(given, Mapping) else given
    if not isinstance(ends, list | tuple) or len(ends) < 2 or not all(isinstance(end, str) for end in ends[:2]):
        raise SpecFault(f"edges: expected [source, target] or {{'source': ..., 'target': ...}}, got {given!r}")
    return ends[0], ends[1]


def _spec(
    config: Mapping[str, Any],
    dag: PipelineDAG,
    specs: dict[str, ScriptExecutionSpec],
    builder: PipelineTestingSpecBuilder,
) -> PipelineTestingSpec:
    return PipelineTestingSpec(
        pipeline_name=config.get("name"),
        dag=dag,
        script_specs=specs,
        test_workspace_root=str(builder.test_data_dir),
    )
