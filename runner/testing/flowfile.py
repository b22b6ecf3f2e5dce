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

from runner.spec.dag import PipelineDAG
from runner.spec.names import did_you_mean, listed
from runner.spec.scalar import described
from runner.testing.faults import SpecFault, at, checked
from runner.testing.specs import PipelineTestingSpec, ScriptExecutionSpec, as_dag, edges_of

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
    if not isinstance(config, Mapping):
        raise SpecFault(f"a pipeline is a mapping {{'steps': {{node: {{'script': ...}}}}}}, got {described(config)}")
    for key in config.keys() - set(_TOP):
        raise at((str(key),), f"unknown key{did_you_mean(str(key), _TOP)}; known here: {listed(_TOP)}")
    if not config.keys() & {"steps", "nodes", "dag"}:
        raise SpecFault("nothing to test: expected 'steps', or 'nodes' and 'edges'")
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
        raise at(("steps",), "expected a mapping from node to {'script': ...}")
    return {str(node): _script_spec(str(node), step, builder) for node, step in steps.items()}


def _script_spec(node: str, step: Any, builder: PipelineTestingSpecBuilder) -> ScriptExecutionSpec:
    if not isinstance(step, Mapping):
        raise at(("steps", node), f"expected a mapping, as {{'script': 'train.py'}}; got {described(step)}")
    for key in step.keys() - set(KNOWN):
        hint = did_you_mean(str(key), KNOWN) or f"; known here: {listed(KNOWN)}"
        raise at(("steps", node, str(key)), f"unknown key '{key}'{hint}")
    given: dict[str, Any] = {_FIELDS.get(str(key), str(key)): value for key, value in step.items()}
    given.pop("depends_on", None)
    script = given.pop("script", None)
    base = builder.spec_for(node, save=False)
    if script is not None:
        name = Path(str(script))
        saved = builder.saved_spec(node) is not None
        base = base if saved else builder.resolve_script_execution_spec_from_node(name.stem)
        given |= {"script_name": name.stem} | ({"script_path": str(name)} if len(name.parts) > 1 else {})
    return _checked(node, step, {**base.to_dict(), **given, "step_name": node})


def _checked(node: str, step: Mapping[str, Any], data: dict[str, Any]) -> ScriptExecutionSpec:
    """The spec; what is wrong with it is told by the keys that the step has."""
    try:
        return checked(ScriptExecutionSpec, data)
    except SpecFault as fault:
        written = {_FIELDS.get(str(key), str(key)): str(key) for key in step}
        places = [(("steps", node, *(written.get(str(part), part) for part in place[:1]), *place[1:]), message)
                  for place, message in fault.places]  # fmt: skip
        lines = [f"{'.'.join(map(str, place))}: {message}" for place, message in places]
        raise SpecFault("\n".join(lines), remedy=fault.remedy, places=places) from None


def _edges(config: Mapping[str, Any], nodes: list[str]) -> list[tuple[str, str]]:
    if in_a_row(config):
        return list(pairwise(nodes))
    found = edges_of(config.get("edges"))
    for node, step in config["steps"].items():
        needs = step.get("depends_on") or ()
        if not isinstance(needs, str | list | tuple):
            raise at(("steps", node, "depends_on"), f"expected the name of a step, or a list, got {described(needs)}")
        found += [(str(source), str(node)) for source in ([needs] if isinstance(needs, str) else needs)]
    return list(dict.fromkeys(found))


def _spec(
    config: Mapping[str, Any],
    dag: PipelineDAG,
    specs: dict[str, ScriptExecutionSpec],
    builder: PipelineTestingSpecBuilder,
) -> PipelineTestingSpec:
    data = {
        "pipeline_name": config.get("name"),
        "dag": dag,
        "script_specs": specs,
        "test_workspace_root": str(builder.test_data_dir),
    }
    return checked(PipelineTestingSpec, data)
