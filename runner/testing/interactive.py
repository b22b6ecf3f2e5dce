"""Asks at the terminal what a spec lacks: each field with its value, an empty answer keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runner.testing.changes import changed
from runner.testing.specs import ScriptExecutionSpec, SpecFault

_MAPPINGS = ("input_paths", "output_paths", "environ_vars", "job_args")
_DEFAULT_PORT = {"input_paths": "data_input", "output_paths": "data_output"}
_HELP = {
    "script_path": "path of the script, empty for the one that is found by its name",
    "input_paths": 'logical name -> host path, as {"data_input": "data/in"}, or one path',
    "output_paths": 'logical name -> host path, as {"data_output": "data/out"}, or one path',
    "environ_vars": 'name -> text, as {"LABEL_FIELD": "label"}',
    "job_args": 'name -> value, as {"job_type": "testing"}',
    "user_notes": "for people",
}


def ask(
    spec: ScriptExecutionSpec, read: Callable[[str], str] = input, write: Callable[[str], None] = print
) -> ScriptExecutionSpec:
    """The spec with the answers. What does not fit is told and asked again; `-` empties a field.

    Raises SpecFault when the input ends before the last answer: nothing is changed then.
    """
    write(f"Spec of '{spec.step_name or spec.script_name}' (script {spec.script_name}). Enter keeps what is shown.")
    for field in _HELP:
        spec = _ask_field(spec, field, read, write)
    return spec


def _ask_field(
    spec: ScriptExecutionSpec, field: str, read: Callable[[str], str], write: Callable[[str], None]
) -> ScriptExecutionSpec:
    now = getattr(spec, field)
    write(f"\n{field}: {_HELP[field]}")
    while True:
        try:
            answer = read(f"  [{_shown(now)}] > ").strip()
        except EOFError:
            raise SpecFault(f"the input ended before '{field}' was answered: nothing was saved") from None
        except KeyboardInterrupt:
            write("\nnothing was saved")
            raise
        if not answer:
            return spec
        try:
            return changed(spec, {field: _value(field, answer)})
        except ValueError as error:
            write(f"  {error}")


def _value(field: str, answer: str) -> Any:
    """Raises ValueError for what is no JSON mapping where one is needed."""
    if answer == "-":
        return {} if field in _MAPPINGS else None
    if field not in _MAPPINGS:
        return answer
    if field in _DEFAULT_PORT and not answer.startswith("{"):
        return {_DEFAULT_PORT[field]: answer}
    try:
        value = json.loads(answer)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected a mapping in braces, got {answer}")  # noqa: TRY004  told as an answer that does not fit
    return value


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value or "")
