"""Faults at every depth of a file: for each model that the others reach, a key and a value that it does not take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from runner.errors import SpecError
from runner.spec import expects, load, models
from runner.spec.execution import ScriptExecutionSpec
from runner.spec.expects import ExpectedColumn
from runner.spec.models import Caching, PipelineSpec
from runner.spec.strict import Strict

Where = tuple[str, ...]
_EXAMPLE: dict[str, Any] = {
    "InputSpec": {"source": "data/raw"},
    "StepSpec": {"script": "a.py"},
    "ScriptExecutionSpec": {"script_name": "a"},
}
"""What a model must have."""


def nested(shape: Any, where: Where = ()) -> Iterator[tuple[Where, type[BaseModel]]]:
    """Every model at and below an annotation, with the keys to it; a mapping's own is `k` and its depth."""
    kind, inner = get_origin(shape), get_args(shape)
    if kind in (Union, UnionType, Annotated):
        for each in inner if kind is not Annotated else inner[:1]:
            yield from nested(each, where)
    elif kind is dict:
        yield from nested(inner[1], (*where, f"k{len(where)}"))
    elif kind in (list, tuple):
        yield from nested(inner[0], (*where, "0"))
    elif isinstance(shape, type) and issubclass(shape, BaseModel):
        yield where, shape
        for name, field in shape.model_fields.items():
            yield from nested(field.annotation, (*where, field.alias or name))


BASE = {"image": "x", "steps": {"k1": {"script": "a.py"}}}
PLACES = dict(nested(PipelineSpec))
OF_A_SPEC = dict(nested(ScriptExecutionSpec))


def document(places: dict[Where, type[BaseModel]], where: Where, value: Any) -> Any:
    """The document that has `value` at `where`, and above it what must be there."""
    for depth in range(len(where) - 1, -1, -1):
        model = places.get(where[:depth])
        value = (_EXAMPLE.get(model.__name__, {}) if model else {}) | {where[depth]: value}
    return value


def refused(project: Path, form: str, data: Any) -> list[str]:
    """The lines of the refusal; each key of the file has a line of its own."""
    path = project / f"pipeline.{form}"
    path.write_text(json.dumps(data, indent=1))  # which is YAML, too
    with pytest.raises(SpecError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_walk_reaches_every_model() -> None:
    written = {
        value
        for value in (*vars(models).values(), *vars(expects).values())
        if isinstance(value, type) and issubclass(value, Strict) and value is not Strict
    }
    assert set(PLACES.values()) == written
    assert ("steps", "k1", "transform") in PLACES


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("where", PLACES, ids=[".".join(where) or "top" for where in PLACES])
def test_an_unknown_key_is_named_with_the_nearest_known_one(project: Path, form: str, where: Where) -> None:
    model = PLACES[where]
    known = [field.alias or name for name, field in model.model_fields.items()]
    meant = max(known, key=len)
    typo = f"{meant}x"
    data = document(PLACES, where, _EXAMPLE.get(model.__name__, {}) | {typo: "x"})
    lines = refused(project, form, BASE | data)
    place = ".".join(where)
    text = (project / f"pipeline.{form}").read_text()
    number = line_of(text, typo)
    column = text.splitlines()[number - 1].index('"') + 1
    prefix = f"pipeline.{form}:{number}:{column}:{f' {place}:' if place else ''}"
    assert lines[0] == f"{prefix} unknown key '{typo}' (did you mean '{meant}'?)"
    far = document(PLACES, where, _EXAMPLE.get(model.__name__, {}) | {"Q": "x"})
    (line,) = refused(project, form, BASE | far)
    assert f"unknown key 'Q'; known here: '{known[0]}'" in line


WRONG: dict[str, Any] = {
    "'text'": "text",
    "the number 5": 5,
    "the boolean true": True,
    "a list": [1],
    "nothing (null)": None,
}
"""A value by its description in a message."""
MAY_BE = {
    "InputSpec": {"'text'"},
    "OutputSpec": {"'text'", "nothing (null)"},
    "Resources": {"nothing (null)"},
    "Transform": {"nothing (null)"},
    "Expects": {"nothing (null)"},
    "Caching": {"the boolean true", "nothing (null)"},
    "ExpectedColumn": set(WRONG),  # each is taken for a family: see the test below
    "ExpectedRows": {"the number 5", "nothing (null)"},
}
"""Short forms, and keys with nothing after them."""
CASES = [
    (where, kind)
    for where, model in PLACES.items()
    for kind in WRONG
    if where and kind not in MAY_BE.get(model.__name__, ())
]


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize(("where", "kind"), CASES, ids=lambda part: part if isinstance(part, str) else ".".join(part))
def test_a_value_of_another_kind_is_refused_at_its_place(project: Path, form: str, where: Where, kind: str) -> None:
    (line,) = refused(project, form, BASE | document(PLACES, where, WRONG[kind]))
    written = (project / f"pipeline.{form}").read_text()
    assert line.startswith(f"pipeline.{form}:{line_of(written, where[-1])}:")
    wanted = "true, false or {" if PLACES[where] is Caching else "a"
    assert f" {'.'.join(where)}: expected {wanted}" in line
    assert line.endswith(f" got {kind}")


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind != "nothing (null)"])
def test_a_column_of_another_kind_is_taken_for_a_family(project: Path, form: str, kind: str) -> None:
    where = next(where for where, model in PLACES.items() if model is ExpectedColumn)
    (line,) = refused(project, form, BASE | document(PLACES, where, WRONG[kind]))
    assert f" {'.'.join(where)}.family: expected int, float, bool, " in line
    assert f"got {kind}" in line


@pytest.mark.parametrize("value", WRONG.values())
def test_a_file_without_a_mapping_at_its_top_is_refused(project: Path, value: Any) -> None:
    (line,) = refused(project, "yaml", value)
    assert line.startswith("pipeline.yaml")


@pytest.mark.parametrize("where", OF_A_SPEC, ids=lambda where: ".".join(where) or "top")
def test_an_unknown_key_of_an_execution_spec_is_refused_at_its_place(project: Path, where: Where) -> None:
    (project / "dag.json").write_text('{"nodes": ["a"], "edges": []}')
    specs = project / "specs.json"
    data = document(OF_A_SPEC, where, _EXAMPLE.get(OF_A_SPEC[where].__name__, {}) | {"zzz": 1})
    specs.write_text(json.dumps([_EXAMPLE["ScriptExecutionSpec"] | data], indent=1))
    with pytest.raises(SpecError) as caught:
        load(project / "dag.json", specs)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("specs.json", line_of(specs.read_text(), "zzz"))
    assert "unknown key 'zzz'; known here: " in problem.message
