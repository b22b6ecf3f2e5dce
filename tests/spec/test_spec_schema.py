"""The JSON Schema accepts what the loader accepts. A small validator does, for the few words that the schema uses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.spec import json_schema

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*pipeline.yaml"))
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "anyOf", "oneOf", "enum", "pattern", "required"}
KNOWN |= {"properties", "patternProperties", "additionalProperties", "items", "minItems", "minLength", "minProperties"}
KNOWN |= {"exclusiveMinimum", "minimum", "const"}


def fits(value: Any, schema: Any, root: Any) -> bool:
    if isinstance(schema, bool):
        return schema
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema and not fits(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root):
        return False
    if "anyOf" in schema and not any(fits(value, one, root) for one in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(fits(value, one, root) for one in schema["oneOf"]) != 1:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        return False
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0) and bool(re.search(schema.get("pattern", ""), value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        above = "exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"]
        return above and ("minimum" not in schema or value >= schema["minimum"])
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            fits(item, schema.get("items", True), root) for item in value
        )
    return not isinstance(value, dict) or _object_fits(value, schema, root)


def _object_fits(value: dict[str, Any], schema: Any, root: Any) -> bool:
    if not set(schema.get("required", ())) <= value.keys() or len(value) < schema.get("minProperties", 0):
        return False
    for key, item in value.items():
        rules = [schema["properties"][key]] if key in schema.get("properties", {}) else []
        rules += [rule for pattern, rule in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        if not all(fits(item, rule, root) for rule in rules or [schema.get("additionalProperties", True)]):
            return False
    return True


def accepts(text: str) -> bool:
    schema = json_schema()
    return fits(yaml.safe_load(text), schema, schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=[f"{path.parent.name}/{path.name}" for path in EXAMPLES])
def test_every_example_fits(path: Path) -> None:
    assert accepts(path.read_text())


STEP = "steps: {s: {script: a.py, %s}}"


@pytest.mark.parametrize(
    "part",
    [
        "inputs: {x: data/raw, y: {from: p.o}, z: {source: a, path: /opt/ml/processing/z}}",
        "inputs: {x: {from: p.o, expects: {format: csv, files: '*.csv', rows: 5, required: a, schema: 'm:S'}}}",
        "inputs: {x: {from: p.o, expects: {columns: {a: int, b: , c: {min: 0, max: 1.5, values: [x, 1, true]}}}}}",
        "inputs: {x: {from: p.o, expects: {rows: {min: 0}, required: [a, b], exact: true, order: false}}}",
        "outputs: [a, b.c]",
        "outputs: {a: , b: /opt/ml/processing/b, c: {allow_empty: true}, d: {path: /opt/ml/processing/d}}",
        "args: {a: 1, b: , c: [x, 1.5], d: true}",
        "args: [1, x, true]",
        "env: {A: 1, B: x, C: true}",
        "hyperparameters: {a: 0.1, b: [1, 2], c: {d: e}}",
        "depends_on: p",
        "depends_on: [p, q]",
        "timeout: 90",
        "timeout: 5m",
        "timeout: 1.5 H, stop_grace: 0",
        "timeout: .5, stop_grace: 0s",
        "resources: {memory: 512m, cpus: 1.5, shm_size: 64}",
        "resources: {memory: 1.5GiB, shm_size: 64 kb}",
        "resources: {memory: 6291456, shm_size: '64'}",
        "env: , inputs: , outputs: , args: , resources: , timeout: ",
        "entrypoint: [python3, 8000], network: bridge, type: training",
    ],
)
def test_every_form_fits(part: str) -> None:
    assert accepts(STEP % part)


@pytest.mark.parametrize(
    "part",
    [
        "inputs: {x: {from: p.o, source: a}}",
        "inputs: {x: {path: /opt/ml/processing/z}}",
        "inputs: {'a b': x}",
        "inputs: [x]",
        "inputs: {x: {from: p.o, expects: csv}}",
        "inputs: {x: {from: p.o, expects: {format: cvs}}}",
        "inputs: {x: {from: p.o, expects: {columns: [a]}}}",
        "inputs: {x: {from: p.o, expects: {columns: {a: flaot}}}}",
        "inputs: {x: {from: p.o, expects: {columns: {a: {values: []}}}}}",
        "inputs: {x: {from: p.o, expects: {rows: -1}}}",
        "outputs: {a: 5}",
        "outputs: {a: {path: /tmp/x}}",
        "args: text",
        "args: {a: {b: c}}",
        "entrypoint: []",
        "env: {1A: x}",
        "env: {A: [1]}",
        "network: host",
        "resources: {cpus: 0}",
        "resources: {memory: lots}",
        "resources: {memory: 6291455}",
        "resources: {memory: -1m}",
        "resources: {shm_size: 0}",
        "resources: {shm_size: 0g}",
        "resources: {shm_size: 2 gigs}",
        "timeout: soon",
        "timeout: 0",
        "timeout: 0s",
        "timeout: -5",
        "timeout: 5 minutes",
        "timeout: true",
        "stop_grace: later",
        "stop_grace: -1",
        "image: 3.12",
        "scrpt: x",
    ],
)
def test_what_the_loader_refuses_does_not_fit(part: str) -> None:
    assert not accepts(STEP % part)


def test_the_top_of_the_file() -> None:
    assert not accepts("name: x")
    assert not accepts("steps: {}")
    assert not accepts("steps: {a.b: {}}")
    assert not accepts("steps: {s: {}}\nextra: 1")


def test_the_text_is_stable_and_plain() -> None:
    assert json.dumps(json_schema()) == json.dumps(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_editors_have_something_to_say() -> None:
    step = json_schema()["$defs"]["StepSpec"]["properties"]
    assert "relative to the pipeline file" in step["script"]["description"]
    assert "90s" in step["timeout"]["description"]
    assert "an interrupted run waits 1 second" in step["stop_grace"]["description"]


def test_every_key_has_a_description_of_one_line() -> None:
    schema = json_schema()
    models = [schema, *schema["$defs"].values()]
    models += [one for model in models for one in model.get("anyOf", ()) if "properties" in one]
    found = [(key, about) for model in models for key, about in model.get("properties", {}).items()]
    assert len(found) == 5 + 23 + 9 + 4 + 7 + 2 + 8 + 6 + 2 + 2
    for key, about in found:
        assert about.get("description"), key
        assert "\n" not in about["description"], key


@pytest.mark.parametrize("part", ["timeout: soon", "timeout: 0s", "resources: {memory: -1m}", "stop_grace: -1"])
def test_the_loader_refuses_what_the_schema_refuses(refuse: Callable[..., list[str]], part: str) -> None:
    assert refuse(f"image: python\nsteps: {{s: {{script: a.py, {part}}}}}\n")
    assert not accepts(STEP % part)
