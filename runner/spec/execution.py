"""Execution specs: how the script of one DAG node is run. Read from a directory or from one file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from runner.errors import Problem, SpecError
from runner.spec import wording
from runner.spec.document import Document, Place, read, shown
from runner.spec.expects import Expects
from runner.spec.fields import (
    Command,
    ContainerPath,
    EnvKey,
    Filled,
    JobArguments,
    Network,
    PortName,
    StepName,
    StepType,
    Timeout,
)
from runner.spec.fold import Misfit
from runner.spec.models import Resources
from runner.spec.names import did_you_mean, listed
from runner.spec.strict import Strict

SUFFIX = "_runtime_test_spec.json"


class PathSpec(Strict):
    """An input or output with the other names that edges may know it by."""

    logical_name: PortName | None = None
    """Default, and where it is given the same as: the key that it stands under."""
    path: str | None = None
    """Host path; where it is left out, that in `input_paths` or `output_paths`."""
    aliases: tuple[PortName, ...] = ()


class ScriptExecutionSpec(Strict):
    """One script with its paths, environment and arguments. Relative host paths start at the DAG file's directory."""

    script_name: Filled
    step_name: StepName | None = None
    """The DAG node; without it the spec serves every node of the script's name."""
    script_path: Filled | None = None
    """Default: `<script_name>.py` beside the DAG file or in `scripts/` there."""
    input_paths: dict[PortName, Filled] = Field(default={})
    """Logical name -> host path. What an edge brings replaces the path."""
    output_paths: dict[PortName, str] = Field(default={})
    """Logical name -> where a tester delivers it; a run keeps its outputs in the run directory."""
    input_path_specs: dict[PortName, PathSpec] = Field(default={})
    """Logical name -> path and aliases. A path given here stands in `input_paths` too."""
    output_path_specs: dict[PortName, PathSpec] = Field(default={})
    """Logical name -> path and aliases. A path given here stands in `output_paths` too."""
    expects: dict[PortName, Expects] = Field(default={})
    """Logical name of an input -> what its data must be, as `expects` in a pipeline file."""
    environ_vars: dict[EnvKey, str] = Field(default={})
    job_args: JobArguments = Field(default={})
    """Of a processing script `--key value ...`, of a training script its hyperparameters; a list is passed verbatim."""
    type: StepType = StepType.PROCESSING
    contract: Filled | None = None
    """Contract file of the script, for tests; without it one is looked for by name. `run` takes nothing from it."""
    image: Filled | None = None
    source_dir: Filled | None = None
    entrypoint: Command | None = None
    container_input_paths: dict[PortName, ContainerPath] = Field(default={})
    """Logical name -> directory in the container, where it is not the default."""
    container_output_paths: dict[PortName, ContainerPath] = Field(default={})
    resources: Resources = Resources()
    timeout: Timeout | None = None
    network: Network = Network.NONE
    last_updated: str | None = None
    """For people."""
    user_notes: str | None = None
    """For people."""

    @model_validator(mode="before")
    @classmethod
    def _paths_of_path_specs(cls, data: Any) -> Any:
        """Keep the plain dicts in step. What is no mapping is left to the fields to refuse."""
        if not isinstance(data, dict):
            return data
        kept = dict(data)
        for field in ("input", "output"):
            specs, plain = data.get(f"{field}_path_specs"), data.get(f"{field}_paths") or {}
            if not isinstance(specs, dict) or not isinstance(plain, dict):
                continue
            paths = {name: _path_in(spec) for name, spec in specs.items()}
            kept[f"{field}_paths"] = plain | {
                n: path for n, path in paths.items() if path is not None and n not in plain
            }
        return kept

    @model_validator(mode="after")
    def _path_specs_fit(self) -> ScriptExecutionSpec:
        for field in ("input", "output"):
            known = getattr(self, f"{field}_paths")
            for name, spec in getattr(self, f"{field}_path_specs").items():
                at = (f"{field}_path_specs", name)
                if spec.logical_name not in (None, name):
                    raise Misfit(
                        f"is '{spec.logical_name}' here and '{name}' above: write one name", *at, "logical_name"
                    )
                if name not in known:
                    raise Misfit(f"has no path, here or in {field}_paths{did_you_mean(name, known)}", *at)
                if spec.path is not None and spec.path != known[name]:
                    raise Misfit(f"is '{known[name]}' in {field}_paths: write one path", *at, "path")
        return self

    @model_validator(mode="after")
    def _container_paths_are_of_ports(self) -> ScriptExecutionSpec:
        about = (("input_paths", "container_input_paths"), ("output_paths", "container_output_paths"))
        for field, other in (*about, ("input_paths", "expects")):
            known = getattr(self, field)
            for name in getattr(self, other):
                if name not in known:
                    raise Misfit(f"no such name in {field}{did_you_mean(name, known)}", other, name)
        return self


def _path_in(spec: Any) -> Any:
    return spec.get("path") if isinstance(spec, dict) else getattr(spec, "path", None)


@dataclass(frozen=True)
class Entry:
    """A spec and where it was written."""

    spec: ScriptExecutionSpec
    document: Document
    place: Place


class Catalogue:
    """All specs that were given with a DAG."""

    def __init__(self, path: Path, documents: Sequence[Document] = ()) -> None:
        """Read a directory of `*_runtime_test_spec.json` files, or one file that holds a list or a mapping by node;
        or take `documents`, each of one spec, of which `path` then only is the name.

        Raises SpecError with the problems of all files.
        """
        self.path = path
        self._documents = documents
        self.entries: list[Entry] = []
        self._by_step: defaultdict[str | None, list[Entry]] = defaultdict(list)
        self._by_script: defaultdict[str, list[Entry]] = defaultdict(list)
        self._problems: list[Problem] = []
        for document, place, data in self._raw():
            self._add(document, place, data)
        if self._problems:
            raise SpecError(self._problems)

    def find(self, node: str, script: str | None = None) -> list[Entry]:
        """The specs that fit a node best: by its name as step name, then as script name, then by its script's name.
        One is the answer; for any other number `complaint` has the words."""
        by_name = self._by_script[node]
        found = self._by_step[node] or _for_any_step(by_name) or by_name
        return found or (_for_any_step(self._by_script[script]) if script is not None else [])

    def complaint(self, node: str, found: list[Entry]) -> str:
        """Why `found` is no answer to `find`."""
        if found:
            return f"several specs fit '{node}': {', '.join(entry.document.file for entry in found)}"
        known = [entry.spec.step_name or entry.spec.script_name for entry in self.entries]
        hint = did_you_mean(node, known) or f"; there are specs for: {listed(known)}"
        return f"no spec in {shown(self.path)} has the step_name or script_name '{node}'{hint}"

    def _raw(self) -> list[tuple[Document, Place, object]]:
        if self._documents:
            return [(document, (), document.data) for document in self._documents]
        if self.path.is_dir():
            documents = [read(path) for path in sorted(self.path.glob(f"*{SUFFIX}"))]
            if not documents:
                problem = Problem(shown(self.path), 0, 0, "", f"holds no file named <script_name>{SUFFIX}")
                raise SpecError([problem])
            return [(document, (), document.data) for document in documents]
        document = read(self.path)
        if isinstance(document.data, list):
            return [(document, (index,), item) for index, item in enumerate(document.data)]
        if not isinstance(document.data, dict):
            raise SpecError([document.problem((), "expected a list of specs or a mapping from node to spec")])
        if "script_name" in document.data:
            return [(document, (), document.data)]
        return [(document, (node,), _for_node(node, item)) for node, item in document.data.items()]

    def _add(self, document: Document, place: Place, data: object) -> None:
        try:
            entry = Entry(ScriptExecutionSpec.model_validate(data), document, place)
        except ValidationError as error:
            self._problems += wording.problems(error, document, ScriptExecutionSpec, data, place)
            return
        self.entries.append(entry)
        self._by_step[entry.spec.step_name].append(entry)
        self._by_script[entry.spec.script_name].append(entry)


def _for_any_step(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.spec.step_name is None]


def _for_node(node: str, item: object) -> object:
    """In a mapping by node the key says the step's name, and the script's where nothing else does."""
    return {"script_name": node, "step_name": node, **item} if isinstance(item, dict) else item
