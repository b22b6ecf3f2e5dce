"""The JSON Schema of a pipeline file, for editors: it accepts what people write, short forms included."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from runner.spec.models import PipelineSpec
from runner.spec.strict import Strict

Schema = dict[str, Any]
_NULL: Schema = {"type": "null"}


def json_schema() -> Schema:
    """Draft 2020-12. The same on every call and every machine; plain data, ready for `json.dumps`."""
    schema = PipelineSpec.model_json_schema(by_alias=True, mode="validation")
    definitions: Schema = schema["$defs"]
    for described in _subclasses(Strict):
        whole = schema if described is PipelineSpec else definitions.get(described.__name__, {})
        _describe(whole.get("properties", {}), described)
    for model in (schema, *definitions.values()):
        if "properties" in model:
            model["properties"] = {key: _without_title(value) for key, value in model["properties"].items()}
            model["properties"] = {key: _nullable(value) for key, value in model["properties"].items()}
    one_origin = {"oneOf": [{"required": ["source"]}, {"required": ["from"]}]}
    definitions["InputSpec"] = _or_text(definitions["InputSpec"] | one_origin)
    definitions["ExpectedRows"] = _or(definitions["ExpectedRows"], {"type": "integer", "minimum": 0})
    definitions["Caching"] = _or(definitions["Caching"], {"type": "boolean"})
    definitions["OutputSpec"] = _or_text(definitions["OutputSpec"], _NULL)
    schema["required"] = ["steps"]  # the name defaults to the file's
    steps = schema["properties"]["steps"]
    schema["properties"]["steps"] = steps["anyOf"][0] | {"description": steps["description"]}
    _close(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Pipeline file of run-pipeline",
        "description": "The steps of a SageMaker pipeline, to be run in local containers.",
    }


def _subclasses(model: type[Strict]) -> Iterator[type[Strict]]:
    for below in model.__subclasses__():
        yield below
        yield from _subclasses(below)


def _describe(properties: Schema, model: type[Strict]) -> None:
    """What stands below each field in the source. Pydantic would read it whenever the models are imported, which takes
    longer than all else that is done with them in a run; the schema alone needs it."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  # for the type checker
    for field, below in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            known = model.model_fields.get(field.target.id)
            name = (known.alias if known is not None else None) or field.target.id
            if name in properties and isinstance(below.value, ast.Constant):
                properties[name]["description"] = inspect.cleandoc(str(below.value.value))


def _without_title(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("title", "default")}


def _close(schema: Any) -> None:
    """Names that fit no pattern are errors too."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)


def _nullable(schema: Schema) -> Schema:
    """A key with nothing after it counts as not written."""
    if _NULL in schema.get("anyOf", ()) or schema.get("type") == "null":
        return schema
    about = {"description": schema.pop("description")} if "description" in schema else {}
    return {"anyOf": [schema, _NULL], **about}


def _or_text(model: Schema, *more: Schema) -> Schema:
    """The short form: one path as text."""
    return _or(model, {"type": "string", "minLength": 1}, *more)


def _or(model: Schema, *more: Schema) -> Schema:
    """A short form, or several."""
    about = {"description": model.pop("description")} if "description" in model else {}
    return {"anyOf": [model, *more], **about}
