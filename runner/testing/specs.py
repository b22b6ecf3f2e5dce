"""What a person writes to have a script, or a pipeline of scripts, tested; kept as JSON files in a specs directory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, Field, ValidationError, field_serializer, field_validator, model_validator

from runner.data.files import write_atomic
from runner.errors import SpecError
from runner.spec import execution, wording
from runner.spec.dag import PipelineDAG
from runner.spec.document import read
from runner.spec.fields import Filled, PortName, StepName
from runner.spec.fold import Misfit
from runner.spec.names import did_you_mean, listed
from runner.spec.scalar import described
from runner.spec.strict import Strict
from runner.testing.faults import SpecFault as SpecFault
from runner.testing.faults import at, checked

WORKSPACE = "test/integration/runtime"
"""Where test data and specs are when nothing else is said."""
KEPT = "It stays as it is. Mend it; or remove it, and the spec is made anew."
_DOCUMENTED = (
    "script_name", "step_name", "script_path", "input_paths", "output_paths", "environ_vars", "job_args",
    "last_updated", "user_notes",
)  # fmt: skip
"""Always written to the file, so that a person sees what can be filled in."""


class Writable(Strict):
    """Checked again when a field is set; an unknown key names the nearest known one."""

    model_config = ConfigDict(frozen=False, validate_assignment=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = {field.alias or name for name, field in cls.model_fields.items()} | cls.model_fields.keys()
            for key in data.keys() - known:
                hint = did_you_mean(str(key), known) or f"; known here: {listed(sorted(known))}"
                raise Misfit(f"unknown key '{key}'{hint}", str(key))
        return data


class ScriptExecutionSpec(Writable, execution.ScriptExecutionSpec):
    """One script with its paths, environment and arguments. Relative host paths start at the current directory."""

    model_config = ConfigDict(frozen=False)

    def save_to_file(self, specs_dir: str | Path) -> str:
        """Write `{script_name}_runtime_test_spec.json` into the directory, which is made, and return its path.

        Whole or not at all. A file of that name that belongs to another step stays: this spec's file then has the
        step's name before the suffix, too. Raises OSError, SpecFault for a script_name with a slash, and SpecError
        where a file of that name is no spec.
        """
        if "/" in self.script_name:
            raise SpecFault(f"script_name '{self.script_name}' names no file", remedy="Give the path in script_path.")
        path = _free_file(Path(specs_dir), self)
        stamped = {**self.to_dict(), "last_updated": datetime.now(UTC).isoformat(timespec="seconds")}
        _write(path, stamped)
        return str(path)

    @classmethod
    def load_from_file(cls, script_name: str, specs_dir: str | Path) -> Self:
        """The spec in `{script_name}_runtime_test_spec.json`.

        Raises FileNotFoundError, and SpecError (with file, line and value) for a file that is no spec; it stays as it
        is.
        """
        path = Path(specs_dir) / f"{script_name}{execution.SUFFIX}"
        if not path.is_file():
            raise FileNotFoundError(f"ScriptExecutionSpec file not found: {path}{_near(path, script_name)}")
        return cls.from_file(path)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The spec in a file. Raises SpecError."""
        try:
            document = read(path)
            return cls.model_validate(document.data)
        except ValidationError as error:
            raise SpecError(wording.problems(error, document, cls, document.data), remedy=KEPT) from None
        except SpecError as error:
            raise SpecError(error.problems, remedy=KEPT) from None

    @classmethod
    def create_default(cls, script_name: str, step_name: str | None = None, test_data_dir: str = WORKSPACE) -> Self:
        """A spec with the one input `data_input` and the one output `data_output` below `test_data_dir`."""
        data = {
            "script_name": script_name,
            "step_name": step_name or script_name,
            "input_paths": {"data_input": f"{test_data_dir}/{script_name}/input"},
            "output_paths": {"data_output": f"{test_data_dir}/{script_name}/output"},
            "environ_vars": {"LABEL_FIELD": "label"},
            "job_args": {"job_type": "testing"},
        }
        return checked(cls, data)

    def to_dict(self) -> dict[str, Any]:
        """The spec as its file has it: the documented keys, and of the others what differs from the default."""
        every = self.model_dump(mode="json", by_alias=True)
        other = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        said = ["type"] if "type" in self.model_fields_set else []  # what a person says wins over a contract
        return {**{key: every[key] for key in (*_DOCUMENTED, *said)}, **other}


class EnhancedScriptExecutionSpec(ScriptExecutionSpec):
    """A spec whose inputs and outputs have aliases. Every spec may have them; this names the way to add them."""

    @classmethod
    def from_script_execution_spec(
        cls,
        spec: ScriptExecutionSpec,
        input_aliases: Mapping[str, Sequence[str]] | None = None,
        output_aliases: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """The spec with aliases for its logical names. Raises SpecFault for a name that it does not have."""
        paths: dict[str, Any] = {}
        for side, given in (("input", input_aliases or {}), ("output", output_aliases or {})):
            known: dict[str, str] = getattr(spec, f"{side}_paths")
            for name, aliases in given.items():
                if isinstance(aliases, str):
                    raise SpecFault(f"aliases of {side} '{name}': expected a list of names, got the text '{aliases}'")
                if name not in known:
                    raise SpecFault(f"no {side} '{name}'{did_you_mean(name, known)}; it has: {listed(known)}")
            paths[f"{side}_path_specs"] = {
                name: {"logical_name": name, "path": path, "aliases": list(given.get(name, ()))}
                for name, path in known.items()
            }
        return checked(cls, {**spec.to_dict(), **paths})


class DataFlow(Writable):
    """An edge with its ports: what one step writes and another reads."""

    from_step: StepName
    to_step: StepName
    data_path: str | None = None
    """Host path that both specs name: it says which output and which input are meant, where they are not named."""
    output: PortName | None = None
    input: PortName | None = None


class PipelineTestingSpec(Writable):
    """A pipeline under test: which step comes before which, and a spec for each."""

    SUFFIX: ClassVar[str] = "_pipeline_test_spec.json"

    pipeline_name: Filled | None = None
    dag: Any = None
    """Any object with `nodes` and `edges`; without one the steps are the specs', the edges the data flows'."""
    script_specs: dict[str, ScriptExecutionSpec]
    """By node; a list is keyed by `step_name`."""
    test_workspace_root: str = WORKSPACE
    workspace_aware_root: str | None = None
    """Project directory whose scripts and test data come before all others."""
    data_flow_specs: list[DataFlow] = Field(default=[])

    @field_validator("script_specs", mode="before")
    @classmethod
    def _by_node(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        named: dict[str, Any] = {}
        for item in value:
            spec = item if isinstance(item, execution.ScriptExecutionSpec) else ScriptExecutionSpec.model_validate(item)
            node = spec.step_name or spec.script_name
            if node in named:
                raise ValueError(f"two specs have the step_name '{node}'; give each step a name of its own")
            named[node] = spec
        return named

    @field_validator("dag", mode="before")
    @classmethod
    def _as_dag(cls, value: Any) -> Any:
        return None if value is None else as_dag(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.dag is None:
            self.__dict__["dag"] = PipelineDAG(self.script_specs, self._flows())
        for flow in self.data_flow_specs:
            for step in (flow.from_step, flow.to_step):
                if step not in self.dag.nodes:
                    raise ValueError(f"data_flow_specs: no step '{step}'{did_you_mean(step, self.dag.nodes)}")
        lacking = [edge for edge in self._flows() if edge not in self.dag.edges]
        if lacking:  # a flow is an edge, whether or not the DAG has it
            self.__dict__["dag"] = PipelineDAG(self.dag.nodes, [*self.dag.edges, *lacking])
        return self

    def _flows(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((flow.from_step, flow.to_step) for flow in self.data_flow_specs))

    @field_serializer("dag")
    def _dag(self, dag: PipelineDAG) -> dict[str, Any]:
        return {"nodes": dag.nodes, "edges": [list(edge) for edge in dag.edges]}

    def has_enhanced_specs(self) -> bool:
        """Whether any spec has aliases."""
        return bool(self.get_enhanced_specs())

    def get_enhanced_specs(self) -> dict[str, ScriptExecutionSpec]:
        """The specs with aliases, by node."""
        return {node: spec for node, spec in self.script_specs.items() if is_enhanced(spec)}

    def get_basic_specs(self) -> dict[str, ScriptExecutionSpec]:
        """The specs without aliases, by node."""
        return {node: spec for node, spec in self.script_specs.items() if not is_enhanced(spec)}

    def save_to_file(self, specs_dir: str | Path) -> str:
        """Write `{pipeline_name}_pipeline_test_spec.json` into the directory, and return its path."""
        if self.pipeline_name is None:
            raise SpecFault("a pipeline without a name cannot be saved", remedy="Set pipeline_name.")
        if "/" in self.pipeline_name or self.pipeline_name.startswith("."):
            raise SpecFault(f"pipeline_name '{self.pipeline_name}' cannot be the name of a file")
        path = Path(specs_dir) / f"{self.pipeline_name}{self.SUFFIX}"
        document = self.model_dump(mode="json", by_alias=True, exclude={"script_specs"})
        _write(path, {**document, "script_specs": {node: spec.to_dict() for node, spec in self.script_specs.items()}})
        return str(path)

    @classmethod
    def load_from_file(cls, pipeline_name: str, specs_dir: str | Path) -> Self:
        """Raises FileNotFoundError, and SpecError for a file that is no pipeline's spec."""
        path = Path(specs_dir) / f"{pipeline_name}{cls.SUFFIX}"
        if not path.is_file():
            raise FileNotFoundError(f"PipelineTestingSpec file not found: {path}")
        return cls.from_file(path)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The pipeline in a file. Raises SpecError."""
        document = read(path)
        try:
            return cls.model_validate(document.data)
        except ValidationError as error:
            raise SpecError(wording.problems(error, document, cls, document.data)) from None


def is_enhanced(spec: execution.ScriptExecutionSpec) -> bool:
    """Whether a spec says more of its ports than their names."""
    specs = (*getattr(spec, "input_path_specs", {}).values(), *getattr(spec, "output_path_specs", {}).values())
    return any(found.aliases for found in specs)


def as_dag(value: Any) -> PipelineDAG:
    """A DAG from anything with `nodes` and `edges`, or a mapping with them.

    Raises UsageError for cycles and loose ends, SpecFault for what has no nodes.
    """
    if isinstance(value, PipelineDAG):
        return value
    given = value if isinstance(value, Mapping) else {key: getattr(value, key, None) for key in ("nodes", "edges")}
    nodes = given.get("nodes")
    if nodes is None:
        raise SpecFault(f"a DAG has 'nodes' and 'edges'; {type(value).__name__} has no nodes")
    if isinstance(nodes, str) or not isinstance(nodes, Iterable):
        raise at(("nodes",), f"expected a list of names, got {described(nodes)}")
    return PipelineDAG([str(node) for node in nodes], edges_of(given.get("edges")))


def edges_of(edges: Any) -> list[tuple[str, str]]:
    """Pairs from lists, and from mappings with `source` and `target`. Raises SpecFault for anything else."""
    if edges is None:
        return []
    if isinstance(edges, str | dict) or not isinstance(edges, Iterable):  # networkx's view of edges is a Mapping, too
        raise at(("edges",), f"expected a list of edges, got {described(edges)}")
    return [_edge(edge, index) for index, edge in enumerate(edges)]


def _edge(edge: Any, index: int) -> tuple[str, str]:
    if isinstance(edge, Mapping) and "source" in edge and "target" in edge:
        return str(edge["source"]), str(edge["target"])
    if isinstance(edge, Sequence) and not isinstance(edge, str) and len(edge) >= 2:
        return str(edge[0]), str(edge[1])  # networkx and others add a third part
    raise at(("edges", index), f"expected [source, target] or {{'source': ..., 'target': ...}}, got {edge!r}")


def _near(path: Path, script_name: str) -> str:
    known = [found.name.removesuffix(execution.SUFFIX) for found in path.parent.glob(f"*{execution.SUFFIX}")]
    return did_you_mean(script_name, known)


def _free_file(directory: Path, spec: ScriptExecutionSpec) -> Path:
    path = directory / f"{spec.script_name}{execution.SUFFIX}"
    if not path.is_file() or spec.step_name is None:
        return path
    written = ScriptExecutionSpec.from_file(path).step_name  # a file that is no spec is kept: SpecError
    if written in (None, spec.step_name):
        return path
    return directory / f"{spec.script_name}.{spec.step_name}{execution.SUFFIX}"


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
