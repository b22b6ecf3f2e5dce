"""DAG files with execution specs: they become ordinary pipelines, or say why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec import Edge, edges, load, order
from runner.spec.models import InputSpec, OutputSpec, Pipeline

Load = Callable[..., Pipeline]
Refuse = Callable[..., list[str]]


def spec(name: str, **fields: object) -> dict[str, object]:
    return {"script_name": name, "step_name": name, "script_path": "a.py", **fields}


PRODUCE = spec("Produce", input_paths={"raw": "data/raw"}, output_paths={"rows": "out/rows"})
TRAIN = spec("Train", type="training", input_paths={"train": "out/none"}, job_args={"eta": 0.5})
REPORT = spec(
    "Report",
    input_paths={"model": "none", "rows": "none"},
    output_paths={"html": "x"},
    container_output_paths={"html": "/opt/ml/processing/html"},
    environ_vars={"LABEL": "y"},
    job_args={"job_type": "testing", "verbose": None},
)
NODES = ["Produce", "Train", "Report"]
EDGES: list[object] = [
    ["Produce", "Train"],
    {"source": "Train", "target": "Report", "output": "model", "input": "model"},
    ["Produce", "Report"],
]


@pytest.fixture
def specs(project: Path) -> Callable[..., Path]:
    def write(*entries: dict[str, object]) -> Path:
        folder = project / "specs"
        folder.mkdir(exist_ok=True)
        for entry in entries:
            path = folder / f"{entry['script_name']}_runtime_test_spec.json"
            path.write_text(json.dumps(entry, indent=1))
        return folder

    return write


@pytest.mark.parametrize(
    "dag",
    [
        {"nodes": NODES, "edges": EDGES},
        {"dag": {"nodes": NODES, "edges": EDGES}, "metadata": {"owner": "me"}},
        {"version": "1.0", "dag": {"nodes": NODES, "edges": EDGES}, "metadata": {}},
        {"version": 1.2, "nodes": NODES, "edges": EDGES},
    ],
)
def test_a_dag_becomes_a_pipeline(load_text: Load, specs: Callable[..., Path], dag: object) -> None:
    pipeline = load_text(json.dumps(dag), "my-dag.json", specs=specs(PRODUCE, TRAIN, REPORT))
    assert (pipeline.spec.name, pipeline.spec.image) == ("my-dag", "sklearn")
    assert set(edges(pipeline.spec)) == {
        Edge("Produce", "rows", "Train", "train"),
        Edge("Train", "model", "Report", "model"),
        Edge("Produce", "rows", "Report", "rows"),
    }
    assert order(pipeline.spec) == ("Produce", "Train", "Report")
    produce, train, report = pipeline.spec.steps.values()
    assert produce.inputs == {"raw": InputSpec(source="data/raw")}
    assert train.hyperparameters == {"eta": "0.5"}
    assert report.args == ("--job_type", "testing", "--verbose")
    assert report.env == {"LABEL": "y"}
    assert report.outputs == {"html": OutputSpec(path="/opt/ml/processing/html")}


@pytest.mark.parametrize("form", ["mapping", "list", "yaml"])
def test_specs_in_one_file(load_text: Load, project: Path, form: str) -> None:
    one = {"script_path": "a.py", "output_paths": {"o": "x"}, "image": "xgboost", "timeout": "5m"}
    path = project / ("specs.yaml" if form == "yaml" else "specs.json")
    if form == "yaml":
        path.write_text("A:\n  script_path: a.py\n  output_paths: {o: x}\n  image: xgboost\n  timeout: 5m\n")
    else:
        path.write_text(json.dumps({"A": one} if form == "mapping" else [{"script_name": "A", **one}]))
    step = load_text('{"nodes": ["A"], "image": "python"}', "dag.json", specs=path).spec.steps["A"]
    assert (step.image, step.timeout, step.outputs) == ("xgboost", 300.0, {"o": OutputSpec()})


def test_the_step_name_goes_before_the_script_name(load_text: Load, project: Path) -> None:
    path = project / "specs.json"
    entries = [
        {"script_name": "a", "environ_vars": {"WHICH": "by script"}},
        {"script_name": "other", "script_path": "a.py", "step_name": "b", "environ_vars": {"WHICH": "by step"}},
    ]
    path.write_text(json.dumps(entries))
    steps = load_text('{"nodes": ["a", "b"]}', "dag.json", specs=path).spec.steps
    assert {name: step.env["WHICH"] for name, step in steps.items()} == {"a": "by script", "b": "by step"}
    assert steps["a"].script == "a.py"


def test_data_on_the_host_leaves_the_other_input_to_the_edge(load_text: Load, specs: Callable[..., Path]) -> None:
    folder = specs(
        spec("P", output_paths={"o": "x"}),
        spec("C", input_paths={"static": "data/raw", "dynamic": "none"}),
    )
    step = load_text('{"nodes": ["P", "C"], "edges": [["P", "C"]]}', "dag.json", specs=folder).spec.steps["C"]
    assert step.inputs == {"static": InputSpec(source="data/raw"), "dynamic": InputSpec.model_validate({"from": "P.o"})}


def test_each_edge_that_is_bound_leaves_less_to_choose(load_text: Load, specs: Callable[..., Path]) -> None:
    folder = specs(
        spec("P", output_paths={"anything": "x"}),
        spec("Q", output_paths={"q": "x"}),
        spec("C", input_paths={"q": "none", "rest": "none"}),
    )
    dag = '{"nodes": ["P", "Q", "C"], "edges": [["P", "C"], ["Q", "C"]]}'
    assert edges(load_text(dag, "dag.json", specs=folder).spec) == (
        Edge("Q", "q", "C", "q"),
        Edge("P", "anything", "C", "rest"),
    )


def test_half_an_explicit_port_narrows_the_choice(load_text: Load, specs: Callable[..., Path]) -> None:
    folder = specs(spec("P", output_paths={"a": "x", "b": "x"}), spec("C", input_paths={"i": "none"}))
    dag = '{"nodes": ["P", "C"], "edges": [{"source": "P", "target": "C", "output": "b"}]}'
    assert edges(load_text(dag, "dag.json", specs=folder).spec) == (Edge("P", "b", "C", "i"),)


def test_a_dag_with_steps_is_a_pipeline_named_after_its_file(load_text: Load) -> None:
    pipeline = load_text('{"steps": {"a": {"script": "a.py", "image": "python"}}}', "flow.json")
    assert pipeline.spec.name == "flow"
    assert list(pipeline.spec.steps) == ["a"]


SHAPES = [
    ('{"nodes": [], "edges": []}', ["1:2: nodes: at least one node is needed"]),
    ('{"nodes": {}, "edges": []}', ["1:2: nodes: expected a list, got a mapping"]),
    (
        '{"nodes": ["a", 5, "a", "b c"]}',
        [
            "1:17: nodes.1: expected the name of a node, got the number 5",
            "1:20: nodes.2: node 'a' is given twice",
            "1:25: nodes.3: 'b c' is not a step name: 1 to 64 letters, digits, '_' and '-', beginning with a letter"
            " or digit",
        ],
    ),
    ('{"nodes": ["a"], "edgs": []}', ["1:18: edgs: unknown key 'edgs' (did you mean 'edges'?)"]),
    ('{"dag": {"nodes": ["a"], "x": 1}}', ["1:26: dag.x: unknown key 'x'; known here: 'nodes', 'edges'"]),
    ('{"version": "2.0", "nodes": ["a"]}', ["1:13: version: expected version 1.x, got '2.0'"]),
    (
        '{"nodes": ["alpha"], "edges": [["alpha", "alpa"], ["alpha"], "x", {"source": "alpha"}, ["alpha", "alpha"]]}',
        [
            "1:32: edges.0: no node 'alpa' (did you mean 'alpha'?)",
            "1:51: edges.1: expected [source, target] or {source, target}, got a list",
            "1:62: edges.2: expected [source, target] or {source, target}, got 'x'",
            "1:67: edges.3: 'target': expected a name, got nothing (null)",
            "1:88: edges.4: node 'alpha' cannot need itself",
        ],
    ),
    (
        '{"nodes": ["a", "b"], "edges": [["a", "b"], {"source": "a", "target": "b"}]}',
        [
            "1:45: edges.1: edge 'a' -> 'b' is given twice",
        ],
    ),
    ('{"nodes": ["a"]}', ["1:1: is a DAG file, and needs the specs of its nodes"]),
]


@pytest.mark.parametrize(("text", "lines"), SHAPES, ids=[lines[0] for _, lines in SHAPES])
def test_a_faulty_dag(refuse: Refuse, text: str, lines: list[str]) -> None:
    assert refuse(text, "dag.json") == [f"dag.json:{line}" for line in lines]


def test_nodes_without_a_spec(refuse: Refuse, specs: Callable[..., Path]) -> None:
    dag = '{"nodes": ["Produc", "Zzz"]}'
    assert refuse(dag, "dag.json", specs(PRODUCE, TRAIN)) == [
        "dag.json:1:12: nodes.0: no spec in specs has the step_name or script_name 'Produc' (did you mean 'Produce'?)",
        "dag.json:1:22: nodes.1: no spec in specs has the step_name or script_name 'Zzz';"
        " there are specs for: 'Produce', 'Train'",
    ]


def test_faulty_specs_are_all_reported_in_their_own_files(refuse: Refuse, specs: Callable[..., Path]) -> None:
    folder = specs(
        spec("A", environ_vars={"N": 5}, imput_paths={}),
        {"script_name": "B", "container_input_paths": {"x": "/opt/ml/processing/x"}},
        {
            "script_name": "C",
            "type": "training",
            "input_paths": {"x": "data/raw"},
            "container_input_paths": {"x": "/opt/ml/input/data/x"},
        },
    )
    assert refuse('{"nodes": ["A"]}', "dag.json", folder) == [
        "specs/A_runtime_test_spec.json:6:8: environ_vars.N: expected text, got the number 5; put it in quotes: '5'",
        "specs/A_runtime_test_spec.json:8:2: unknown key 'imput_paths' (did you mean 'input_paths'?)",
        "specs/B_runtime_test_spec.json:4:8: container_input_paths.x: no such name in input_paths",
        "specs/C_runtime_test_spec.json:8:3: container_input_paths.x: is fixed in a training step:"
        " /opt/ml/input/data/x; remove it, or rename the channel",
    ]


def test_an_edge_that_fits_in_no_way_shows_the_candidates(refuse: Refuse, specs: Callable[..., Path]) -> None:
    folder = specs(
        spec("P", output_paths={"a": "x", "b": "x"}),
        spec("C", input_paths={"c": "none", "d": "none", "e": "data/raw"}),
    )
    assert refuse('{"nodes": ["P", "C"], "edges": [["P", "C"]]}', "dag.json", folder) == [
        "dag.json:1:33: edges.0: edge 'P' -> 'C' can be bound in no way or in several; outputs of 'P': 'a', 'b';"
        " inputs of 'C' without data: 'c', 'd'; with data on the host: 'e'; name both with 'output' and 'input'"
        " in the edge"
    ]


def test_two_edges_for_one_input(refuse: Refuse, specs: Callable[..., Path]) -> None:
    folder = specs(
        spec("P", output_paths={"o": "x"}), spec("Q", output_paths={"o": "x"}), spec("C", input_paths={"i": "none"})
    )
    dag = '{"nodes": ["P", "Q", "C"], "edges": [["P", "C"], ["Q", "C"]]}'
    assert refuse(dag, "dag.json", folder) == [
        "dag.json:1:50: edges.1: edge 'Q' -> 'C' can be bound in no way or in several; outputs of 'Q': 'o'; inputs of"
        " 'C' without data: none; already bound: 'i' (from 'P.o'); name both with 'output' and 'input' in the edge"
    ]


def test_explicit_ports_that_do_not_exist_or_collide(refuse: Refuse, specs: Callable[..., Path]) -> None:
    folder = specs(spec("P", output_paths={"rows": "x", "o": "x"}), spec("C", input_paths={"i": "none"}))
    port = {"source": "P", "target": "C", "input": "i"}
    edges_ = [{**port, "output": "row"}, {**port, "output": "o"}, {**port, "output": "rows"}]
    assert refuse(json.dumps({"nodes": ["P", "C"], "edges": edges_}), "dag.json", folder) == [
        "dag.json:1:88: edges.0: 'P' has no output 'row' (did you mean 'rows'?); it has: 'rows', 'o'",
        "dag.json:1:157: edges.2: input 'i' of 'C' already comes from 'P.o'",
    ]


def test_faults_of_the_whole_point_to_where_they_were_written(refuse: Refuse, specs: Callable[..., Path]) -> None:
    folder = specs(
        spec("A", input_paths={"x": "data/none"}, output_paths={"o": "x"}, script_path="gone.py"),
        spec("B", input_paths={"i": "none"}, output_paths={"o": "x"}, type="training"),
    )
    dag = '{"nodes": ["A", "B"], "edges": [["A", "B"]]}'
    assert refuse(dag, "dag.json", folder) == [
        "specs/A_runtime_test_spec.json:4:17: script_path: no file 'gone.py' (looked for gone.py)",
        "specs/A_runtime_test_spec.json:6:8: input_paths.x: no file or directory 'data/none' (looked for data/none)",
        "specs/B_runtime_test_spec.json:9:3: output_paths.o: a training step has the outputs 'model' and 'output'"
        " and no others",
    ]


def test_a_cycle_points_to_its_edge(refuse: Refuse, specs: Callable[..., Path]) -> None:
    ports = {"input_paths": {"i": "none"}, "output_paths": {"o": "x"}}
    dag = '{"nodes": ["A", "B"], "edges": [["A", "B"], ["B", "A"]]}'
    assert refuse(dag, "dag.json", specs(spec("A", **ports), spec("B", **ports))) == [
        "dag.json:1:45: edges.1: cycle: A -> B -> A"
    ]


def test_a_script_that_is_nowhere_says_where_it_was_sought(
    refuse: Refuse, specs: Callable[..., Path], project: Path
) -> None:
    folder = specs({"script_name": "gone"})
    assert refuse('{"nodes": ["gone"]}', "dag.json", folder) == [
        f"specs/gone_runtime_test_spec.json:2:17: script_name: no script: looked for 'gone.py', 'scripts/gone.py'"
        f" in {project}; set 'script_path'"
    ]


def test_specs_that_are_not_there(load_text: Load, project: Path) -> None:
    (project / "dag.json").write_text('{"nodes": ["a"]}')
    (project / "list.json").write_text("5")
    for path, message in [
        (project / "none", "none: no such file"),
        (project / "data", "data: holds no file named <script_name>_runtime_test_spec.json"),
        (project / "list.json", "list.json:1:1: expected a list of specs or a mapping from node to spec"),
    ]:
        with pytest.raises(SpecError) as caught:
            load(project / "dag.json", path)
        assert str(caught.value) == message
