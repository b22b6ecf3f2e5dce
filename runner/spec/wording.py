"""pydantic's complaints in plain words, at their place in the file."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, cast, get_args, get_origin

from runner.errors import Problem
from runner.spec.document import Place
from runner.spec.fold import Misfit
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


def problems(error: ValidationError, origin: Origin, model: type[BaseModel], base: Place = ()) -> list[Problem]:
    """One problem for each fault that pydantic found in a `model` that stands at `base`."""
    return [_problem(details, origin, model, base) for details in error.errors(include_url=False)]


def place_of(details: ErrorDetails) -> Place:
    """Where a fault is, without pydantic's mark for a key."""
    return tuple(part for part in details["loc"] if part != _KEY)


def _problem(details: ErrorDetails, origin: Origin, model: type[BaseModel], base: Place) -> Problem:
    inner = place_of(details)
    place = (*base, *inner)
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Misfit):
        is_key = details["loc"][-1:] == (_KEY,)
        return origin.problem((*place, *cause.at), str(cause), key=is_key)
    if details["type"] == "extra_forbidden":
        known = _keys(_model(model, inner[:-1]))
        return origin.problem(place[:-1], _unknown_key(str(inner[-1]), known), near=place, key=True)
    if details["type"] == "missing":
        return origin.problem(place[:-1], f"the key '{place[-1]}' is missing", key=True)
    return origin.problem(place, _message(details))


def _message(details: ErrorDetails) -> str:
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


def _model(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model whose keys stand at `place` below `model`."""
    parts = iter(place)
    for part in parts:
        annotation = next(
            field.annotation for name, field in model.model_fields.items() if (field.alias or name) == part
        )
        if get_origin(annotation) is UnionType:  # `Model | None`
            annotation = get_args(annotation)[0]
        if get_origin(annotation) is dict:
            next(parts)
            annotation = get_args(annotation)[1]
        model = cast("type[BaseModel]", annotation)
    return model


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
