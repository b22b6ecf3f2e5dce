"""A spec with other values than it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from runner.spec import wording
from runner.spec.document import Document
from runner.spec.names import did_you_mean, listed
from runner.testing.specs import ScriptExecutionSpec, SpecFault


def with_main_params(spec: ScriptExecutionSpec, params: Mapping[str, Any] | None) -> ScriptExecutionSpec:
    """The spec with the arguments of `main` that a caller gives in its place: `input_paths`, `output_paths`,
    `environ_vars` and `job_args` (a Namespace or a mapping). Raises SpecFault for any other name."""
    if not params:
        return spec
    names = {"input_paths", "output_paths", "environ_vars", "job_args"}
    for name in params.keys() - names:
        raise SpecFault(f"main has no parameter '{name}'{did_you_mean(name, names)}; it has: {listed(sorted(names))}")
    given = dict(params)
    if "job_args" in given and not isinstance(given["job_args"], Mapping | list):
        given["job_args"] = vars(given["job_args"])
    return changed(spec, given)


def changed(spec: ScriptExecutionSpec, updates: Mapping[str, Any]) -> ScriptExecutionSpec:
    """The spec with other values, of the same class; plain paths and those beside aliases stay in step.

    Raises SpecFault for a field that it does not have, and for a value that does not fit.
    """
    data = {**spec.to_dict(), **updates}
    for side in ("input", "output"):
        plain, beside = f"{side}_paths", f"{side}_path_specs"
        if plain in updates and beside not in updates and isinstance(data[plain], Mapping):
            known = data.get(beside, {})
            data[beside] = {name: {**known[name], "path": path} for name, path in data[plain].items() if name in known}
        elif beside in updates and plain not in updates and isinstance(data[beside], Mapping):
            data[plain] = {name: path for name, path in data[plain].items() if _path_of(data[beside].get(name)) is None}
    try:
        return type(spec).model_validate(data)
    except ValidationError as error:
        problem = wording.problems(error, Document("spec", b"", data, {}), type(spec), data)[0]
        what = f"{problem.path}: {problem.message}" if problem.path else problem.message
        raise SpecFault(f"the spec of '{spec.step_name or spec.script_name}': {what}") from None


def _path_of(found: Any) -> Any:
    return found.get("path") if isinstance(found, Mapping) else getattr(found, "path", None)
