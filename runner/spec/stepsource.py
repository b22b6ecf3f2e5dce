"""One step of a DAG: what the DAG file says of it, and its execution spec for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import Problem
from runner.spec.binding import Node, Wire
from runner.spec.document import Document, Place
from runner.spec.execution import Entry, PathSpec
from runner.spec.fields import StepType
from runner.spec.links import split_from
from runner.spec.models import TRAINING_OUTPUTS, TRANSFORM_OUTPUTS, host_path
from runner.spec.names import listed
from runner.spec.origin import Patchwork

_AS_IN_A_STEP = ("type", "source_dir", "image", "entrypoint", "resources", "timeout", "network")
_MERGED = ("env", "hyperparameters", "resources")
"""Here the step's own names win one by one; anything else of its own replaces the spec's as a whole."""
Ports = dict[str, Any]
"""Name -> as in a pipeline file."""


@dataclass(frozen=True)
class StepSource:
    """`own` are the step's keys in the DAG file, without nulls; they win over those of `entry`, its spec."""

    name: str
    own: dict[str, Any]
    entry: Entry | None
    root: Path
    dag: Document
    origin: Patchwork
    problems: list[Problem] = field(default_factory=list)

    def node(self) -> Node:
        """What the edges may bind: not the inputs for which the DAG file itself names a host path."""
        outputs = tuple(dict.fromkeys([*self._given("output_paths"), *(self._own_outputs() or {})]))
        if not self._given("output_paths"):
            outputs = TRAINING_OUTPUTS if self._is(StepType.TRAINING) else outputs
            outputs = TRANSFORM_OUTPUTS if self._is(StepType.TRANSFORM) else outputs
        own = self.own_inputs()
        paths = self._given("input_paths")
        inputs = [name for name in dict.fromkeys([*paths, *own]) if name not in self.own_sources()]
        there = [name for name, path in paths.items() if name in inputs and host_path(self.root, path).exists()]
        return Node(outputs, tuple(inputs), frozenset(there), self._aliases("output"), self._aliases("input"))

    def _aliases(self, kind: str) -> dict[str, tuple[str, ...]]:
        """The other names of the spec's inputs or outputs."""
        specs: dict[str, PathSpec] = getattr(self.entry.spec, f"{kind}_path_specs") if self.entry else {}
        return {name: spec.aliases for name, spec in specs.items() if spec.aliases}

    def own_inputs(self) -> Ports:
        """The inputs in the DAG file; none where that is not even a mapping, which the pipeline's check reports."""
        inputs = self.own.get("inputs")
        return inputs if isinstance(inputs, dict) else {}

    def own_sources(self) -> list[str]:
        """The inputs that the DAG file takes from the host."""
        return [
            name
            for name, given in self.own_inputs().items()
            if isinstance(given, str) or (isinstance(given, dict) and given.get("source") is not None)
        ]

    def own_wires(self) -> dict[str, Wire]:
        """Input -> the edge that its `from` in the DAG file makes."""
        wires = {}
        for port, given in self.own_inputs().items():
            if isinstance(given, dict) and isinstance(given.get("from"), str):
                source, output = split_from(given["from"])
                wires[port] = Wire(source, self.name, output, port, ("steps", self.name, "inputs", port))
        return wires

    def data(self, bound: dict[str, tuple[Wire, str]]) -> dict[str, Any]:
        """The step as a pipeline file would have it. `bound`: input -> edge and output that it comes from."""
        place = self.entry.place if self.entry else ()
        if not self.own and self.entry:
            self.origin.add(("steps", self.name), self.entry.document, place)
        else:
            self.origin.add(("steps", self.name), self.dag, ("steps", self.name))
        step = {**self._from_spec(), **self.own}
        for part in _MERGED:
            given, own = self._raw(_FIELDS.get(part, part)), self.own.get(part)
            if part in step and isinstance(given, dict) and isinstance(own, dict):
                step[part] = {**given, **own}
                for name in given.keys() - own.keys():
                    self._written((part, name), (_FIELDS.get(part, part), name))
        if isinstance(step.get("inputs", {}), dict):
            ports = dict.fromkeys([*self._given("input_paths"), *self.own_inputs()])
            step["inputs"] = {name: self._input(name, bound) for name in ports}
        own_outputs = self._own_outputs()
        if own_outputs is not None:
            ports = dict.fromkeys([*self._given("output_paths"), *own_outputs])
            step["outputs"] = {name: self._output(name, own_outputs) for name in ports}
        return step

    def _from_spec(self) -> dict[str, Any]:
        if self.entry is None:
            return {}
        job_args = "hyperparameters" if self._is(StepType.TRAINING) else "args"
        # A script of its own has nothing to do with the directory and the command of the spec's script.
        skipped = ("source_dir", "entrypoint") if "script" in self.own else ()
        fields = {part: part for part in _AS_IN_A_STEP if part not in skipped}
        fields |= {"env": "environ_vars", job_args: "job_args"}
        step = {}
        for part, source in fields.items():
            if part not in self.own and self._raw(source) is not None:
                step[part] = self._raw(source)
                self._written((part,), (source,))
        if "script" not in self.own:
            self._written(("script",), ("script_path",))
            script = self._script(self.entry)
            step |= {"script": script} if script is not None else {}
        return step

    def _written(self, part: Place, source: Place) -> None:
        """Say where in the spec a part of the step was written."""
        if self.entry:
            self.origin.add(("steps", self.name, *part), self.entry.document, (*self.entry.place, *source))

    def _raw(self, field: str) -> Any:
        """A value of the spec as its file has it."""
        return self.entry.document.at((*self.entry.place, field)) if self.entry else None

    def _given(self, field: str) -> dict[str, str]:
        return getattr(self.entry.spec, field) if self.entry else {}

    def _is(self, kind: StepType) -> bool:
        return bool(self.own.get("type", self.entry.spec.type if self.entry else None) == kind)

    def _own_outputs(self) -> Ports | None:
        """The outputs in the DAG file; None for a faulty value, which the pipeline's check reports."""
        outputs = self.own.get("outputs", {})
        if isinstance(outputs, list) and all(isinstance(name, str) for name in outputs):
            return dict.fromkeys(outputs) if len(set(outputs)) == len(outputs) else None
        return outputs if isinstance(outputs, dict) else None

    def _input(self, name: str, bound: dict[str, tuple[Wire, str]]) -> Any:
        at = self._besides(name)
        own = self.own_inputs().get(name)
        if own is not None and not isinstance(own, dict):
            return {"source": own, **at} if isinstance(own, str) else own
        if own and (own.get("source") is not None or own.get("from") is not None):
            return {**at, **own}
        if name in bound:
            wire, output = bound[name]
            if name not in self.own_inputs():
                self.origin.add(("steps", self.name, "inputs", name), self.dag, wire.place)
            return {"from": f"{wire.source}.{output}", **at, **(own or {})}
        if name not in self._given("input_paths"):
            return own or {}
        if name not in self.own_inputs():
            self._written(("inputs", name), self._where("input", name))
        else:
            self._written(("inputs", name, "source"), self._where("input", name))
        return {"source": self._given("input_paths")[name], **at, **(own or {})}

    def _besides(self, name: str) -> dict[str, Any]:
        """What the spec says of an input beside its path on the host."""
        container, expects = self._given("container_input_paths").get(name), self._raw("expects")
        at: dict[str, Any] = {"path": container} if container else {}
        if isinstance(expects, dict) and name in expects:
            at["expects"] = expects[name]
            self._written(("inputs", name, "expects"), ("expects", name))
        return at

    def _where(self, kind: str, name: str) -> Place:
        """Where in the spec the path of an input or output stands."""
        plain = self._raw(f"{kind}_paths")
        return (f"{kind}_paths" if isinstance(plain, dict) and name in plain else f"{kind}_path_specs", name)

    def _output(self, name: str, own_outputs: Ports) -> Any:
        container = self._given("container_output_paths").get(name)
        at = {"path": container} if container else {}
        own = own_outputs.get(name)
        if name not in own_outputs:
            self._written(("outputs", name), self._where("output", name))
        if own is None:
            return at
        return {**at, **own} if isinstance(own, dict) else own

    def _script(self, entry: Entry) -> str | None:
        spec = entry.spec
        if spec.script_path is not None or spec.entrypoint is not None or "entrypoint" in self.own:
            return spec.script_path
        source_dir = self.own.get("source_dir", spec.source_dir)
        tried = [f"{spec.script_name}.py", f"scripts/{spec.script_name}.py"]
        base = host_path(self.root, source_dir) if isinstance(source_dir, str) else self.root
        for candidate in tried:
            if (base / candidate).is_file():
                return candidate
        message = f"no script: looked for {listed(tried)} in {base}; set 'script_path'"
        self.problems.append(entry.document.problem((*entry.place, "script_name"), message))
        return None


_FIELDS = {"env": "environ_vars", "hyperparameters": "job_args"}
"""Keys of a step that a spec calls otherwise."""
