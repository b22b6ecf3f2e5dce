"""`PipelineTestingSpecBuilder`: specs for the nodes of a DAG, kept as files that people can edit."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import SpecError
from runner.spec.contracts import Contracts
from runner.spec.dag import PipelineDAG
from runner.spec.execution import SUFFIX, Catalogue
from runner.spec.names import listed, nearest
from runner.spec.resolution import resolve
from runner.testing.changes import changed
from runner.testing.faults import SpecFault
from runner.testing.specs import KEPT, WORKSPACE, PipelineTestingSpec, ScriptExecutionSpec, as_dag
from runner.testing.subjects import Places, Subject, subject

CONTRACTS = ("contracts", "steps/contracts")
"""Where contracts are looked for below each search directory, after the directory itself."""


class PipelineTestingSpecBuilder:
    """Builds specs from DAGs, and keeps them below `{test_data_dir}/.specs`."""

    def __init__(
        self,
        test_data_dir: str | Path = WORKSPACE,
        contracts_dir: str | Path | None = None,
        *,
        search: Sequence[Path] = (),
        log: logging.Logger | None = None,
    ) -> None:
        """`search` are directories of scripts that come before the workspace and the current directory; `log` hears
        which specs are read and written (default: `runner.testing`)."""
        self._log = log or logging.getLogger("runner.testing")
        self.test_data_dir = Path(test_data_dir)
        self.specs_dir = self.test_data_dir / ".specs"
        self.contracts_dir = Path(contracts_dir) if contracts_dir is not None else None
        self.search = (*search, self.test_data_dir, Path())
        self.specs_dir.mkdir(parents=True, exist_ok=True)

    # Specs of nodes

    def build_from_dag(self, dag: Any, validate: bool = True) -> PipelineTestingSpec:
        """A spec for every node: the saved one, else one from its contract or the defaults, which is saved.

        Raises one SpecFault (a ValueError) that names every node without a script and every incomplete spec, with the
        call that fixes each: then none is saved, since a saved spec wins over what is found later. Without `validate`
        they are left as they are. Raises SpecError for a saved file that is no spec: it is never overwritten.
        """
        graph = as_dag(dag)
        saved = {node: self.saved_spec(node) for node in graph.nodes}
        specs = {node: spec or self.spec_for(node, save=False) for node, spec in saved.items()}
        if validate:
            self._check(graph, specs)
        for node, spec in specs.items():
            if saved[node] is None:
                self.save_script_spec(spec)
        return PipelineTestingSpec(dag=graph, script_specs=specs, test_workspace_root=str(self.test_data_dir))

    def spec_for(self, node: str, *, save: bool = True) -> ScriptExecutionSpec:
        """The saved spec of a node or script, else a new one."""
        saved = self.saved_spec(node)
        if saved is not None:
            self._log.info("%s: saved spec of %s", node, saved.last_updated)
            return saved
        made = self.resolve_script_execution_spec_from_node(node)
        if save:
            self.save_script_spec(made)
        return made

    def saved_spec(self, node: str) -> ScriptExecutionSpec | None:
        """The spec in the specs directory that belongs to a node, or whose file has that name before the suffix; None
        when there is none.

        Raises SpecError for files that are no specs, SpecFault when several fit.
        """
        if not any(self.specs_dir.glob(f"*{SUFFIX}")):
            return None
        try:
            catalogue = Catalogue(self.specs_dir)
        except SpecError as error:
            raise SpecError(error.problems, remedy=KEPT) from None
        found = catalogue.find(node)
        if len(found) > 1:
            names = [entry.spec.step_name or Path(entry.document.file).name.removesuffix(SUFFIX) for entry in found]
            raise SpecFault(catalogue.complaint(node, found), remedy=f"Name one by its step: {listed(names)}.")
        if not found:
            return self.get_script_spec_by_name(node)
        return ScriptExecutionSpec.from_file(self._file_of(found[0].document.file))

    def resolve_script_execution_spec_from_node(self, node: str) -> ScriptExecutionSpec:
        """A new spec for a node: its script by the rules of `resolve`, its ports, environment and arguments from the
        contract, or from what the script's `main` looks up; else the documents' defaults. Nothing is saved."""
        found = resolve(node, self.search)
        script = found.script_name
        default = ScriptExecutionSpec.create_default(script, node, str(self.test_data_dir))
        if found.job_type is not None:
            default = default.model_copy(update={"job_args": {"job_type": found.job_type}})
        if found.script is None:
            return default
        probe = ScriptExecutionSpec(script_name=script, step_name=node, job_args=default.job_args)
        known = subject(node, probe, Places(self.search, Contracts(self.contract_dirs())))
        contract = known.contract.contract if known.contract else None
        names: dict[str, list[str]] = {"input": [], "output": []}
        if contract is not None:
            names = {"input": [*contract.expected_input_paths], "output": [*contract.expected_output_paths]}
        elif known.facts is not None:
            for port in known.facts.ports:
                names[port.kind].append(port.name)
        if not names["input"] and not names["output"]:
            return default
        root = f"{self.test_data_dir}/{script}"
        updates: dict[str, Any] = {
            f"{side}_paths": {
                each: f"{root}/{side}" if len(set(given)) == 1 else f"{root}/{side}/{each}"
                for each in dict.fromkeys(given)
            }
            for side, given in names.items()
        }
        if contract is not None:
            wanted = {**contract.optional_env_vars, **dict.fromkeys(contract.required_env_vars)}
            updates["environ_vars"] = {name: text for name, text in wanted.items() if text is not None}
            required = [name for name in contract.required_env_vars if name in default.environ_vars]
            updates["environ_vars"] |= {name: default.environ_vars[name] for name in required}
            promised = {name: text for name, text in contract.expected_arguments.items() if text is not None}
            common = default.job_args if isinstance(default.job_args, dict) else {}
            asked = {name: value for name, value in common.items() if name in contract.expected_arguments}
            given = {"job_type": found.job_type} if found.job_type else {}
            updates["job_args"] = {**asked, **promised, **given}
        return default.model_copy(update=updates)

    def save_script_spec(self, spec: ScriptExecutionSpec) -> str:
        """Write the spec to the specs directory, and return its path."""
        path = spec.save_to_file(self.specs_dir)
        self._log.info("saved the spec of %s to %s", spec.script_name, path)
        return path

    def update_script_spec(self, node_name: str, **updates: Any) -> ScriptExecutionSpec:
        """Change fields of a node's spec, save it, and return it.

        Raises SpecFault for a field that it does not have, or a value that does not fit: then nothing is written.
        """
        spec = self.spec_for(node_name, save=False)
        made = changed(spec, updates)
        self.save_script_spec(made)
        return made

    def update_script_spec_interactive(self, node_name: str) -> ScriptExecutionSpec:
        """Ask at the terminal for each field, and save what is answered. See `runner.testing.interactive`."""
        from runner.testing.interactive import ask

        made = ask(self.spec_for(node_name, save=False))
        self.save_script_spec(made)
        return made

    def list_saved_specs(self) -> list[str]:
        """Names of the scripts that have a saved spec, sorted."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.specs_dir.glob(f"*{SUFFIX}"))

    def get_script_spec_by_name(self, script_name: str) -> ScriptExecutionSpec | None:
        """The saved spec of a script; None when there is none. Raises SpecError for a file that is no spec."""
        try:
            return ScriptExecutionSpec.load_from_file(script_name, self.specs_dir)
        except FileNotFoundError:
            return None

    def match_step_to_spec(self, step_name: str, available_specs: Sequence[str]) -> str | None:
        """The name of the spec that a step most likely means: by the names that `resolve` would look for, then the
        likest; None when nothing is like it."""
        from runner.spec.naming import readings, snake_case

        for name, _ in readings(step_name):
            for spelling in (name, snake_case(name)):
                if spelling in available_specs:
                    return spelling
        return nearest(snake_case(step_name), available_specs)

    # What scripts are called with

    def get_script_main_params(self, spec: ScriptExecutionSpec) -> dict[str, Any]:
        """The four arguments of `main` as the spec has them: `input_paths`, `output_paths`, `environ_vars` (mappings)
        and `job_args` (a Namespace). In the container the paths are the container's."""
        arguments = spec.job_args if isinstance(spec.job_args, Mapping) else {}
        return {
            "input_paths": dict(spec.input_paths),
            "output_paths": dict(spec.output_paths),
            "environ_vars": dict(spec.environ_vars),
            "job_args": argparse.Namespace(**(arguments or {"job_type": "testing"})),
        }

    # DAGs as mappings

    def create_script_specs_from_dag(self, dag_config: Mapping[str, Any]) -> list[ScriptExecutionSpec]:
        """A spec for each of the `steps`; see `flowfile`."""
        from runner.testing.flowfile import script_specs

        return list(script_specs(dag_config, self).values())

    def create_pipeline_spec_from_dag(self, name: str, dag_config: Mapping[str, Any]) -> PipelineTestingSpec:
        """The pipeline's spec; see `flowfile`."""
        from runner.testing.flowfile import pipeline_spec

        return pipeline_spec(dag_config, self).model_copy(update={"pipeline_name": name})

    def validate_spec(self, spec: ScriptExecutionSpec) -> dict[str, Any]:
        """`{"valid": bool, "errors": [...]}`: what keeps the spec from being run, read from disk alone."""
        node = spec.step_name or spec.script_name
        found = subject(node, spec, Places(self.search, Contracts(self.contract_dirs())))
        errors = _incomplete(spec, found)
        if found.fault is not None:
            errors.append(f"{found.fault.kind}: {found.fault.message}")
        return {"valid": not errors, "errors": errors}

    # Places

    def script_path(self, name: str) -> Path:
        """Where the script of a name lies. Raises FileNotFoundError that says where it looked."""
        found = resolve(name, self.search, script_name=name.removesuffix(".py"))
        if found.script is None:
            found = resolve(name, self.search)
        if found.script is None:
            raise FileNotFoundError(found.message)
        return found.script

    def contract_dirs(self) -> list[Path]:
        """The directories that there are, of those where contracts are looked for."""
        if self.contracts_dir is not None:
            return [self.contracts_dir]
        every = [root / below for root in self.search for below in ("", *CONTRACTS)]
        return list(dict.fromkeys(path for path in every if path.is_dir()))

    def _file_of(self, shown: str) -> Path:
        return self.specs_dir / Path(shown).name

    def _check(self, dag: PipelineDAG, specs: Mapping[str, ScriptExecutionSpec]) -> None:
        places = Places(self.search, Contracts(self.contract_dirs()))
        lines: list[str] = []
        for node, spec in specs.items():
            found = subject(node, spec, places)
            lacking = _incomplete(spec, found)
            if found.script is None:
                lines += [
                    found.resolution.message,
                    f"  builder.update_script_spec('{node}', script_path='...')",
                ]
            if lacking:
                call = f"builder.update_script_spec('{node}', input_paths={{...}}, output_paths={{...}})"
                lines += [f"{node}: incomplete spec: {', '.join(lacking)}", f"  {call}"]
        if lines:
            head = f"not every one of the {len(dag.nodes)} nodes can be tested; these calls mend it:"
            raise SpecFault("\n".join([head, *lines]))


def _incomplete(spec: ScriptExecutionSpec, found: Subject) -> list[str]:
    lacking = []
    for side, given in (("input", spec.input_paths), ("output", spec.output_paths)):
        empty = [name for name, path in given.items() if not path.strip()]
        if not given and not _has_none(found, side):
            lacking.append(f"no {side}_paths")
        elif empty:
            lacking.append(f"no path for {side} '{empty[0]}'")
    return lacking


def _has_none(found: Subject, side: str) -> bool:
    """Whether the contract, or else a `main` that was read whole, says that the script has no input or no output."""
    if found.contract is not None:
        return not getattr(found.contract.contract, f"expected_{side}_paths")
    if found.facts is None or not found.is_called or found.facts.unknown(side):
        return False
    return not any(port.kind == side for port in found.facts.ports)
