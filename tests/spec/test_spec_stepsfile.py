"""The third shape of a DAG file: `steps`, of which execution specs say the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec import Edge, edges
from runner.spec.models import InputSpec, OutputSpec, Pipeline

Load = Callable[..., Pipeline]
Refuse = Callable[..., list[str]]

SPECS = {
    "Clean": {"script_path": "gone.py", "input_paths": {"raw": "data/raw"}, "output_paths": {"rows": "x"}},
    "Average": {
        "script_path": "a.py",
        "source_dir": "src",
        "input_paths": {"rows": "none", "extra": "data/raw"},
        "output_paths": {"mean": "x", "log": "x"},
        "container_output_paths": {"mean": "/opt/ml/processing/mean"},
        "container_input_paths": {"rows": "/opt/ml/processing/rows"},
        "environ_vars": {"A": "spec", "B": "spec"},
        "resources": {"cpus": 1, "memory": "1g"},
        "job_args": {"k": 1},
        "timeout": "5m",
    },
}


@pytest.fixture
def specs(project: Path) -> Path:
    (project / "src" / "a.py").write_text("")
    path = project / "specs.json"
    path.write_text(json.dumps(SPECS))
    return path


def test_what_a_step_leaves_out_comes_from_its_spec(load_text: Load, specs: Path) -> None:
    text = '{"steps": {"Clean": {"script": "a.py"}, "Average": {}}, "edges": [["Clean", "Average"]], "metadata": {}}'
    spec = load_text(text, "dag.json", specs=specs).spec
    clean, average = spec.steps.values()
    assert (spec.name, spec.image, clean.script, average.script) == ("dag", "sklearn", "a.py", "a.py")
    assert clean.inputs == {"raw": InputSpec(source="data/raw")}
    assert edges(spec) == (Edge("Clean", "rows", "Average", "rows"),)
    assert average.inputs["rows"].path == "/opt/ml/processing/rows"
    assert (average.args, average.timeout, average.source_dir) == (("--k", "1"), 300.0, "src")


def test_a_step_s_own_keys_win(load_text: Load, specs: Path) -> None:
    text = """
        name: mine
        image: python
        steps:
          Clean: {script: a.py, outputs: [rows, more]}
          Average:
            type: processing
            script: src/main.py
            args: [x]
            env: {B: own, C: own}
            timeout: 1h
            resources: {memory: 2g}
            depends_on: Clean
            inputs:
              rows: {from: Clean.more}
              extra: data/raw/rows.csv
            outputs: {mean: /opt/ml/processing/m, new: }
    """
    spec = load_text(text, specs=specs).spec
    average = spec.steps["Average"]
    assert (spec.name, spec.image) == ("mine", "python")
    assert (average.script, average.source_dir) == ("src/main.py", None)  # not below the spec's directory
    assert average.args == ("x",)
    assert average.env == {"A": "spec", "B": "own", "C": "own"}
    assert (average.timeout, average.resources.memory, average.resources.cpus) == (3600.0, "2g", 1.0)
    assert average.inputs["rows"] == InputSpec.model_validate({"from": "Clean.more", "path": "/opt/ml/processing/rows"})
    assert average.inputs["extra"] == InputSpec(source="data/raw/rows.csv")
    paths = {"mean": "/opt/ml/processing/m", "log": None, "new": None}
    assert average.outputs == {name: OutputSpec(path=path) for name, path in paths.items()}
    assert edges(spec) == (Edge("Clean", "more", "Average", "rows"), Edge("Clean", None, "Average", None))


def test_an_edge_binds_what_the_step_leaves_open(load_text: Load, specs: Path) -> None:
    text = """
        steps:
          Clean: {script: a.py}
          Other: {script: a.py, outputs: [o]}
          Average: {inputs: {extra: {from: Other.o}, rows: {path: /opt/ml/processing/own}}}
        edges: [[Clean, Average], [Other, Average], {source: Other, target: Average, output: o, input: extra}]
    """
    spec = load_text(text, specs=specs).spec
    assert set(edges(spec)) == {Edge("Clean", "rows", "Average", "rows"), Edge("Other", "o", "Average", "extra")}
    assert spec.steps["Average"].inputs["rows"].path == "/opt/ml/processing/own"


def test_a_spec_is_found_by_the_name_of_the_script(load_text: Load, project: Path) -> None:
    path = project / "specs.json"
    path.write_text(json.dumps([{"script_name": "a", "environ_vars": {"FOUND": "yes"}}]))
    step = load_text("steps: {Any: {script: a.py}}", specs=path).spec.steps["Any"]
    assert step.env == {"FOUND": "yes"}


def test_a_complete_step_needs_no_spec(load_text: Load, specs: Path) -> None:
    assert load_text("steps: {s: {script: a.py}}", specs=specs).spec.steps["s"].script == "a.py"


def test_edges_beside_complete_steps_need_no_specs(load_text: Load) -> None:
    text = """
        image: python
        steps:
          p: {script: a.py, outputs: [o]}
          c: {script: a.py, inputs: {i: }}
        edges: [[p, c]]
    """
    assert edges(load_text(text).spec) == (Edge("p", "o", "c", "i"),)


def test_without_specs_the_remedy_names_them(load_text: Load) -> None:
    with pytest.raises(SpecError) as caught:
        load_text('{"image": "python", "steps": {"Clean": {"script": "a.py"}, "Average": {}}}', "dag.json")
    assert "steps.Average: needs a 'script'" in str(caught.value)
    assert "--specs" in caught.value.remedy
    with pytest.raises(SpecError) as caught:
        load_text("image: python\nsteps: {s: {script: b.py}}")
    assert caught.value.remedy == ""


FAULTS = [
    ("steps: {Clan: }", ["1:9: steps.Clan: no spec in specs.json has the step_name or script_name 'Clan'"]),
    ("steps: {s: 5}", ["1:12: steps.s: expected a mapping, got the number 5"]),
    ("steps: []", ["1:1: steps: expected a mapping from step name to step, got a list"]),
    ("steps: {}", ["1:1: steps: expected a mapping from step name to step, got an empty one"]),
    ("steps: {Clean: }\nnodes: []", ["2:1: nodes: the nodes are the keys of 'steps': remove 'nodes'"]),
    ("steps: {Clean: {scrpt: a.py, script: a.py}}", ["1:17: steps.Clean: unknown key 'scrpt'"]),
    ("steps: {Clean: {script: a.py, env: [x]}}", ["1:31: steps.Clean.env: expected a mapping, got a list"]),
    (
        "steps: {Clean: {script: a.py, outputs: [5]}}",
        ["1:41: steps.Clean.outputs.0: expected a name, got the number 5"],
    ),
    ("steps: {Clean: {script: a.py, inputs: [5]}}", ["1:31: steps.Clean.inputs: expected a mapping, got a list"]),
    ("steps: {Clean: {script: a.py, inputs: {z: }}}", ["1:43: steps.Clean.inputs.z: has neither 'source' nor 'from'"]),
    ("steps: {Clean: {script: b.py}}", ["1:25: steps.Clean.script: no file 'b.py'"]),
    (
        "steps: {Clean: {script: a.py}, Average: {inputs: {rows: data/raw}}}\n"
        "edges: [{source: Clean, target: Average, input: rows}]",
        ["2:9: edges.0: input 'rows' of 'Average' already has a 'source': remove one of the two"],
    ),
]


@pytest.mark.parametrize(("text", "lines"), FAULTS, ids=[text for text, _ in FAULTS])
def test_a_faulty_steps_file(refuse: Refuse, specs: Path, text: str, lines: list[str]) -> None:
    found = refuse(text, specs=specs)
    assert len(found) == len(lines)
    for line, start in zip(found, lines, strict=True):
        assert line.startswith(f"pipeline.yaml:{start}")


def test_a_fault_of_a_spec_points_to_it(refuse: Refuse, specs: Path) -> None:
    assert refuse("steps: {Clean: {env: {A: x}}}", specs=specs) == [
        "specs.json:1:27: Clean.script_path: no file 'gone.py' (looked for gone.py)"
    ]


CYCLES = [
    '{"nodes": ["Clean", "Average"], "edges": [["Clean", "Average"], ["Average", "Clean"]]}',
    '{"steps": {"Clean": {}, "Average": {}}, "edges": [["Clean", "Average"], ["Average", "Clean"]]}',
    '{"steps": {"Clean": {"depends_on": ["Average"]}, "Average": {"inputs": {"rows": {"from": "Clean.rows"}}}}}',
]


@pytest.mark.parametrize("text", CYCLES)
def test_a_cycle_comes_before_the_ports(refuse: Refuse, specs: Path, text: str) -> None:
    (line,) = refuse(text, "dag.json", specs=specs)
    assert line.endswith(": cycle: Clean -> Average -> Clean")
    assert "edges.1" in line or "depends_on.0" in line


def test_a_cycle_shows_without_specs_too(refuse: Refuse) -> None:
    assert refuse('{"nodes": ["a", "b"], "edges": [["a", "b"], ["b", "a"]]}', "dag.json") == [
        "dag.json:1:45: edges.1: cycle: a -> b -> a"
    ]
