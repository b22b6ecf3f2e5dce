"""pydantic's complaints in plain words, at their place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from runner.errors import Problem
from runner.spec.document import Place
from runner.spec.fields import StepType
from runner.spec.fold import Misfit
from runner.spec.mounts import fixed
from runner.spec.names import did_you_mean, listed
from runner.spec.scalar import Literal, described

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from runner.spec.origin import Origin

_EXPECTED = {
    "string_type": "text",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
_KEY = "[key]"
_MEANT = {
    "arguments": "args",
    "container_arguments": "args",
    "job_arguments": "args",
    "job_args": "args",
    "command": "entrypoint",
    "container_entrypoint": "entrypoint",
    "code": "script",
    "entry_point": "script",
    "environment": "env",
    "environ_vars": "env",
    "needs": "depends_on",
    "after": "depends_on",
    "image_uri": "image",
    "max_runtime_in_seconds": "timeout",
    "max_run": "timeout",
    "cpu": "cpus",
    "mem": "memory",
    "local_path": "path",
}
"""Names that SageMaker, its SDK or other tools use for the same thing, and that no spelling distance would find."""


def problems(
    error: ValidationError, origin: Origin, model: type[BaseModel], data: object, base: Place = ()
) -> list[Problem]:
    """One problem for each fault that pydantic found in `data`, which is no `model` and stands at `base`."""
    return [_problem(details, origin, model, data, base) for details in error.errors(include_url=False)]


def place_of(details: ErrorDetails) -> Place:
    """Where a fault is, without pydantic's mark for a key."""
    return tuple(part for part in details["loc"] if part != _KEY)


def _problem(details: ErrorDetails, origin: Origin, model: type[BaseModel], data: object, base: Place) -> Problem:
    inner = place_of(details)
    place = (*base, *inner)
    unwanted = _path_of_no_port(inner, data)
    if unwanted:
        return origin.problem(place, unwanted, key=True)
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Misfit):
        is_key = details["loc"][-1:] == (_KEY,)
        return origin.problem((*place, *cause.at), str(cause), key=is_key)
    if details["type"] == "extra_forbidden":
        known = [key for found in _models(model, inner[:-1]) for key in _keys(found)]
        return origin.problem(place[:-1], _unknown_key(str(inner[-1]), known), near=place, key=True)
    if details["type"] == "missing":
        return origin.problem(place[:-1], f"the key '{place[-1]}' is missing", key=True)
    return origin.problem(place, message(details))


def _path_of_no_port(place: Place, data: object) -> str:
    """Of a faulty `path` of a port: whether its step could have any, however it was written."""
    if place[-1:] == ("path",) and place[-3:-2] in (("inputs",), ("outputs",)):
        *above, part, name, _ = place
    elif place[-2:-1] in (("container_input_paths",), ("container_output_paths",)):
        *above, part, name = place
    else:
        return ""
    for key in above:
        data = data.get(str(key)) if isinstance(data, dict) else None
    written = data.get("type") if isinstance(data, dict) else None
    kind = next((kind for kind in StepType if kind.value == written), StepType.PROCESSING)
    return fixed(kind, "outputs" if "output" in str(part) else "inputs", str(name))


def message(details: ErrorDetails) -> str:
    """What was expected and what was found."""
    kind, value = details["type"], details["input"]
    if kind in _EXPECTED:
        quoted = f"; put it in quotes: '{value.text}'" if kind == "string_type" and isinstance(value, Literal) else ""
        return f"expected {_EXPECTED[kind]}, got {described(value)}{quoted}"
    if kind == "enum":
        choices = [choice.strip("'") for choice in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        either = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
        return f"expected {either}, got {described(value)}{hint}"
    if kind == "too_short":
        return "at least one is needed"
    return details["msg"]


def _unknown_key(key: str, known: list[str]) -> str:
    meant = _MEANT.get(key.lower())
    hint = f" (did you mean '{meant}'?)" if meant in known else did_you_mean(key, known)
    return f"unknown key '{key}'{hint}" if hint else f"unknown key '{key}'; known here: {listed(known)}"


def _models(shape: Any, place: Place) -> Iterator[type[BaseModel]]:
    """Every model whose keys may stand at `place` below `shape`: an annotation, with its unions, lists and mappings."""
    kind, inner = get_origin(shape), get_args(shape)
    if kind in (Union, UnionType):
        for each in inner:
            yield from _models(each, place)
    elif kind is Annotated:
        yield from _models(inner[0], place)
    elif kind in (dict, list, tuple):
        if place:
            yield from _models(inner[1] if kind is dict else inner[0], place[1:])
    elif hasattr(shape, "model_fields"):
        if not place:
            yield shape
            return
        for name, field in shape.model_fields.items():
            if (field.alias or name) == place[0]:
                yield from _models(field.annotation, place[1:])


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
