"""Which output an edge brings to which input: names, aliases and likeness."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from runner.spec import Edge, edges
from runner.spec.binding import Binder, Node, Wire
from runner.spec.document import read
from runner.spec.matching import MatchType, likeness, path_matches, words

ALIKE = [
    ("trainData", "train_data", 1.0, 1.0),
    ("model_output", "model_input", 1.0, 1.0),
    ("model_artifacts", "model", 1.0, 1.0),
    ("processed_data", "preprocessed_dataset", 1.0, 1.0),
    ("evaluation_output", "eval_data", 0.7, 0.9),
    ("processed_data", "DATA", 0.4, 0.7),
    ("train_features_data", "test_features_data", 0.0, 0.3),
    ("validation_data", "train_data", 0.0, 0.3),
    ("metrics", "model", 0.0, 0.3),
    ("input", "output", 0.0, 0.3),
    ("a" * 300, "a" * 300, 0.0, 0.0),
    ("", "", 0.0, 0.3),
]


@pytest.mark.parametrize(("one", "other", "least", "most"), ALIKE)
def test_likeness(one: str, other: str, least: float, most: float) -> None:
    found = likeness(one, other)
    assert least <= found.score <= most
    assert found.score == likeness(other, one).score
    assert found.details


def test_words_of_a_name() -> None:
    assert words("HTTPTrainData-v2_path") == ("http", "train", "data", "v2")
    assert words("input_path") == ("input", "path")


def kinds(outputs: dict[str, list[str]], inputs: dict[str, list[str]], threshold: float | None = None):
    return [
        (
            m.source_logical_name,
            m.dest_logical_name,
            m.match_type,
            m.confidence,
            m.matched_source_name,
            m.matched_dest_name,
        )
        for m in path_matches(outputs, inputs, threshold)
    ]


def test_the_confidences_of_matches() -> None:
    assert kinds({"a": []}, {"a": []}) == [("a", "a", MatchType.EXACT_LOGICAL, 1.0, "a", "a")]
    assert kinds({"a": []}, {"b": ["a"]}) == [("a", "b", MatchType.LOGICAL_TO_ALIAS, 0.95, "a", "a")]
    assert kinds({"a": ["b"]}, {"b": []}) == [("a", "b", MatchType.ALIAS_TO_LOGICAL, 0.95, "b", "b")]
    assert kinds({"a": ["c"]}, {"b": ["c"]}) == [("a", "b", MatchType.ALIAS_TO_ALIAS, 0.9, "c", "c")]
    assert kinds({"model_output": []}, {"model_input": []}) == []
    (match,) = path_matches({"model_output": []}, {"model_input": []}, 0.7)
    assert (match.match_type, match.confidence) == (MatchType.SEMANTIC, 1.0)
    assert match.semantic_details == "words in common: model; spelling 1.00"
    assert path_matches({"train": []}, {"metrics": []}, 0.7) == ()


def bind(nodes: dict[str, Node], wires: list[tuple[str, str]], threshold: float | None, tmp_path: Path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"edges": [list(wire) for wire in wires]}))
    binder = Binder(read(path), nodes, semantic_threshold=threshold)
    binder.bind([Wire(a, b, None, None, ("edges", i)) for i, (a, b) in enumerate(wires)])
    found = {
        (target, port): (wire.source, output, binder.choices[target, port].rule)
        for target, inputs in binder.bound.items()
        for port, (wire, output) in inputs.items()
    }
    return found, [problem.message for problem in binder.problems]


def node(outputs: str = "", inputs: str = "", supplied: str = "", **aliases: dict[str, list[str]]) -> Node:
    return Node(tuple(outputs.split()), tuple(inputs.split()), frozenset(supplied.split()), **aliases)


def test_likeness_is_off_unless_asked(tmp_path: Path) -> None:
    nodes = {"P": node("model_output metrics_output"), "C": node("", "model_input metrics_input")}
    found, problems = bind(nodes, [("P", "C")], None, tmp_path)
    assert found == {}
    assert problems[0].startswith("edge 'P' -> 'C' can be bound in no way or in several")
    assert "likeness: 'model_output' -> 'model_input' 1.00, 'metrics_output' -> 'metrics_input' 1.00" in problems[0]
    found, problems = bind(nodes, [("P", "C")], 0.7, tmp_path)
    assert problems == []
    assert found == {
        ("C", "model_input"): ("P", "model_output", "semantic"),
        ("C", "metrics_input"): ("P", "metrics_output", "semantic"),
    }


CASES = [
    # two outputs equally alike to one input
    (node("model_a model_b"), node("", "model report"), {}, 1),
    # one output equally alike to two inputs
    (node("data rest"), node("", "data_x data_y"), {}, 1),
    # the data on the host is not replaced by a guess, and what is below the threshold stays open
    (node("model_output x"), node("", "model_input y z", "model_input"), {}, 1),
    # an equal name wins over likeness, and likeness gets what is left
    (
        node("train model_output"),
        node("", "train model_input other"),
        {("C", "train"): ("P", "train", "exact_logical"), ("C", "model_input"): ("P", "model_output", "semantic")},
        0,
    ),
    # an alias wins over likeness
    (
        node("model_old model_new"),
        node("", "model y", input_aliases={"model": ["model_new"]}),
        {("C", "model"): ("P", "model_new", "logical_to_alias")},
        0,
    ),
    # aliases that name two outputs name none
    (node("a b"), node("", "i j", input_aliases={"i": ["a", "b"]}), {}, 1),
    # an exact name wins over an alias of another output
    (
        node("i b", output_aliases={"b": ["i"]}),
        node("", "i j"),
        {("C", "i"): ("P", "i", "exact_logical")},
        0,
    ),
    # one output for one input, whatever their names
    (node("x"), node("", "y"), {("C", "y"): ("P", "x", "only_pair")}, 0),
]


@pytest.mark.parametrize(("source", "target", "expected", "problems"), CASES)
def test_each_input_comes_from_one_output_or_from_none(tmp_path: Path, source, target, expected, problems: int) -> None:
    found, said = bind({"P": source, "C": target}, [("P", "C")], 0.7, tmp_path)
    assert found == expected
    assert len(said) == problems


def test_two_edges_that_want_one_input_get_neither(tmp_path: Path) -> None:
    nodes = {"P": node("model_output x"), "Q": node("model_artifact y"), "C": node("", "model zz")}
    found, said = bind(nodes, [("P", "C"), ("Q", "C")], 0.7, tmp_path)
    assert (found, len(said)) == ({}, 2)


def test_what_likeness_binds_leaves_less_to_choose(tmp_path: Path) -> None:
    nodes = {"P": node("model_output x y"), "Q": node("anything"), "C": node("", "model_input rest")}
    found, said = bind(nodes, [("P", "C"), ("Q", "C")], 0.7, tmp_path)
    assert said == []
    assert found[("C", "rest")] == ("Q", "anything", "only_pair")


def spec(name: str, **fields: object) -> dict[str, object]:
    return {"script_name": name, "step_name": name, "script_path": "a.py", **fields}


def test_aliases_of_a_spec_bind_an_edge(load_text, project: Path) -> None:
    specs = [
        spec(
            "P",
            output_path_specs={"processed": {"path": "out/p", "aliases": ["training_data"]}},
            output_paths={"b": "x"},
        ),
        spec(
            "C",
            input_paths={"train": "none", "second": "none2"},
            input_path_specs={"train": {"logical_name": "train", "aliases": ["training_data"]}},
        ),
    ]
    path = project / "specs.json"
    path.write_text(json.dumps(specs))
    pipeline = load_text(
        '{"nodes": ["P", "C"], "edges": [["P", "C"],'
        ' {"source": "P", "target": "C", "output": "b", "input": "second"}]}',
        "dag.json",
        specs=path,
    )
    assert set(edges(pipeline.spec)) == {Edge("P", "processed", "C", "train"), Edge("P", "b", "C", "second")}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_path_specs": {"a": {}}}, "specs.json:6:4: 0.input_path_specs.a: has no path, here or in input_paths"),
        (
            {"input_paths": {"a": "x"}, "input_path_specs": {"a": {"path": "y"}}},
            "0.input_path_specs.a.path: is 'x' in input_paths: write one path",
        ),
        (
            {"input_path_specs": {"a": {"path": "y", "logical_name": "b"}}},
            "0.input_path_specs.a.logical_name: is 'b' here and 'a' above: write one name",
        ),
        ({"input_path_specs": {"a": {"path": "y", "alias": []}}}, "unknown key 'alias' (did you mean 'aliases'?)"),
        ({"input_path_specs": []}, "0.input_path_specs: expected a mapping, got a list"),
        ({"output_path_specs": {"a": {"path": 5}}}, "expected text, got the number 5; put it in quotes: '5'"),
        ({"output_path_specs": {"a": "x"}}, "0.output_path_specs.a: expected a mapping, got 'x'"),
    ],
)
def test_faulty_path_specs_say_where(refuse, project: Path, fields: dict[str, object], message: str) -> None:
    path = project / "specs.json"
    path.write_text(json.dumps([{"script_name": "A", "script_path": "a.py", **fields}], indent=1))
    lines = refuse('{"nodes": ["A"]}', "dag.json", specs=path)
    assert any(message in line for line in lines), lines


def test_many_ports_are_bound_in_bounded_time(tmp_path: Path) -> None:
    names = " ".join(f"port_{i}_x" for i in range(300))
    started = time.monotonic()
    bind({"P": node(names), "C": node("", names.replace("x", "y"))}, [("P", "C")], None, tmp_path)
    assert time.monotonic() - started < 2
