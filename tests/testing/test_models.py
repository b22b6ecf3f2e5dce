"""What people write for a test: specs, aliases, pipelines. Nothing runs."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import networkx
import pytest
from pydantic import ValidationError

import runner.data.files
from runner import (
    ContractDiscoveryManager,
    DataFlow,
    EnhancedScriptExecutionSpec,
    MatchType,
    PathMatch,
    PathSpec,
    PipelineDAG,
    PipelineTestingSpec,
    PipelineTestingSpecBuilder,
    RuntimeTester,
    ScriptExecutionSpec,
)
from runner.errors import RunnerError, SpecError
from runner.testing.changes import changed, with_main_params

SUFFIX = "_runtime_test_spec.json"


def spec(name: str = "prep", **more: Any) -> ScriptExecutionSpec:
    fields = {"script_name": name, "input_paths": {"raw": "in"}, "output_paths": {"clean": "out"}}
    return ScriptExecutionSpec.model_validate({**fields, **more})


# ScriptExecutionSpec


def test_save_and_load_keep_every_field(tmp_path):
    made = spec(
        step_name="Prep_training",
        script_path="scripts/prep.py",
        environ_vars={"A": "1", "EMPTY": ""},
        job_args={"job_type": "training", "rounds": 3},
        user_notes="for Grüße",
        type="training",
        image="xgboost",
        timeout=30,
        resources={"memory": "1g"},
        expects={"raw": {"columns": {"label": "int"}}},
    )
    path = made.save_to_file(tmp_path / "new" / "specs")
    assert path == str(tmp_path / "new" / "specs" / f"prep{SUFFIX}")
    loaded = ScriptExecutionSpec.load_from_file("prep", tmp_path / "new" / "specs")
    assert loaded.last_updated is not None
    assert loaded.model_copy(update={"last_updated": None}) == made


def test_saved_file_shows_what_can_be_filled_in(tmp_path):
    written = json.loads(open(ScriptExecutionSpec(script_name="x").save_to_file(tmp_path)).read())  # noqa: PTH123, SIM115
    assert list(written) == [
        "script_name", "step_name", "script_path", "input_paths", "output_paths", "environ_vars", "job_args",
        "last_updated", "user_notes",
    ]  # fmt: skip


def test_a_type_that_was_said_stays_said(tmp_path):
    """A contract would decide otherwise."""
    spec(type="processing").save_to_file(tmp_path)
    assert "type" in ScriptExecutionSpec.load_from_file("prep", tmp_path).model_fields_set
    spec("other").save_to_file(tmp_path)
    assert "type" not in ScriptExecutionSpec.load_from_file("other", tmp_path).model_fields_set


def test_load_of_nothing_names_the_path_and_the_nearest(tmp_path):
    spec("preprocess").save_to_file(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        ScriptExecutionSpec.load_from_file("preproces", tmp_path)
    assert str(caught.value).startswith(f"ScriptExecutionSpec file not found: {tmp_path}/preproces{SUFFIX}")
    assert "did you mean 'preprocess'?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", ":1:2"),
        (
            '{"script_name": "prep",\n "inptu_paths": {}}',
            ":2:2: inptu_paths: unknown key 'inptu_paths' (did you mean 'input_paths'?)",
        ),
        (
            '{"script_name": "prep",\n "environ_vars": {"A": 1}}',
            ":2:24: environ_vars.A: expected text, got the number 1",
        ),
        ("[]", "prep"),
    ],
)
def test_load_of_a_file_that_is_no_spec(tmp_path, text, words):
    path = tmp_path / f"prep{SUFFIX}"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        ScriptExecutionSpec.load_from_file("prep", tmp_path)
    assert words in str(caught.value)
    assert path.read_text() == text
    with pytest.raises(SpecError):
        spec(step_name="s").save_to_file(tmp_path)
    assert path.read_text() == text, "what is no spec is never written over"


def test_create_default():
    made = ScriptExecutionSpec.create_default("prep")
    assert (made.script_name, made.step_name) == ("prep", "prep")
    assert made.input_paths == {"data_input": "test/integration/runtime/prep/input"}
    assert made.output_paths == {"data_output": "test/integration/runtime/prep/output"}
    assert made.environ_vars == {"LABEL_FIELD": "label"}
    assert made.job_args == {"job_type": "testing"}
    assert ScriptExecutionSpec.create_default("prep", "Step", "w").input_paths == {"data_input": "w/prep/input"}
    assert ScriptExecutionSpec.create_default("prep", "Step", "w").step_name == "Step"


@pytest.mark.parametrize("value", [1, 1.5, True, None, ["a"]])
def test_environment_is_text(value):
    with pytest.raises(ValidationError, match="environ_vars"):
        ScriptExecutionSpec(script_name="x", environ_vars={"A": value})


@pytest.mark.parametrize("model", [ScriptExecutionSpec, EnhancedScriptExecutionSpec])
def test_unknown_key_names_the_nearest(model):
    with pytest.raises(ValidationError, match=r"unknown key 'input_path' \(did you mean 'input_paths'\?\)"):
        model(script_name="x", input_path={})
    with pytest.raises(ValidationError, match="unknown key 'zzz'; known here: "):
        model(script_name="x", zzz=1)


def test_fields_that_are_set_are_checked():
    made = spec()
    made.environ_vars = {"A": "2"}
    assert made.environ_vars == {"A": "2"}
    with pytest.raises(ValidationError):
        made.environ_vars = {"A": 2}  # type: ignore[dict-item]
    assert made.environ_vars == {"A": "2"}


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / f"prep{SUFFIX}"
    spec(user_notes="old").save_to_file(tmp_path)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(runner.data.files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        spec(user_notes="new").save_to_file(tmp_path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "no half of a file stays"


def test_two_steps_with_one_script_have_a_file_each(tmp_path):
    first = spec(step_name="Prep_training").save_to_file(tmp_path)
    second = spec(step_name="Prep_testing", user_notes="second").save_to_file(tmp_path)
    assert (first, second) == (f"{tmp_path}/prep{SUFFIX}", f"{tmp_path}/prep.Prep_testing{SUFFIX}")
    assert spec(step_name="Prep_training", user_notes="again").save_to_file(tmp_path) == first
    assert spec(step_name="Prep_testing", user_notes="again").save_to_file(tmp_path) == second
    assert ScriptExecutionSpec.load_from_file("prep", tmp_path).step_name == "Prep_training"


def test_a_name_that_is_a_path_is_not_written_elsewhere(tmp_path):
    with pytest.raises(ValueError, match=r"script_name '\.\./prep' names no file"):
        spec("../prep").save_to_file(tmp_path / "specs")
    assert list(tmp_path.rglob("*.json")) == []


# Aliases


def test_enhanced_spec_of_a_plain_one():
    made = EnhancedScriptExecutionSpec.from_script_execution_spec(
        spec(user_notes="kept"), {"raw": ["source"]}, {"clean": ["training_data", "table"]}
    )
    assert made.input_path_specs == {"raw": PathSpec(logical_name="raw", path="in", aliases=("source",))}
    assert made.output_path_specs["clean"].aliases == ("training_data", "table")
    assert (made.input_paths, made.output_paths) == ({"raw": "in"}, {"clean": "out"})
    assert made.user_notes == "kept"
    with pytest.raises(ValueError, match=r"no output 'cleen' \(did you mean 'clean'\?\)"):
        EnhancedScriptExecutionSpec.from_script_execution_spec(spec(), {}, {"cleen": ["x"]})


def test_paths_beside_aliases_stay_in_step():
    made = EnhancedScriptExecutionSpec(
        script_name="prep",
        input_path_specs={"raw": PathSpec(logical_name="raw", path="in", aliases=("source",))},
    )
    assert made.input_paths == {"raw": "in"}
    moved = changed(made, {"input_paths": {"raw": "elsewhere"}})
    assert isinstance(moved, EnhancedScriptExecutionSpec)
    assert moved.input_path_specs["raw"] == PathSpec(logical_name="raw", path="elsewhere", aliases=("source",))
    back = changed(moved, {"input_path_specs": {"raw": {"path": "in"}}})
    assert back.input_paths == {"raw": "in"}
    assert changed(moved, {"input_paths": {"other": "x"}}).input_path_specs == {}
    assert with_main_params(made, {"input_paths": {"raw": "here"}}).input_path_specs["raw"].path == "here"


def test_main_params_of_another_name_are_refused():
    with pytest.raises(ValueError, match=r"main has no parameter 'environ_var' \(did you mean 'environ_vars'\?\)"):
        with_main_params(spec(), {"environ_var": {}})


@pytest.mark.parametrize(
    ("output", "port", "kind", "confidence"),
    [
        (("data", []), ("data", []), MatchType.EXACT_LOGICAL, 1.0),
        (("data", []), ("table", ["data"]), MatchType.LOGICAL_TO_ALIAS, 0.95),
        (("data", ["table"]), ("table", []), MatchType.ALIAS_TO_LOGICAL, 0.95),
        (("data", ["rows"]), ("table", ["rows"]), MatchType.ALIAS_TO_ALIAS, 0.9),
        (("trained_model", []), ("model_trained", []), MatchType.SEMANTIC, None),
    ],
)
def test_kinds_of_matches(tmp_path, monkeypatch, output, port, kind, confidence):
    monkeypatch.chdir(tmp_path)
    a = EnhancedScriptExecutionSpec.from_script_execution_spec(
        spec("a", output_paths={output[0]: "o"}), {}, {output[0]: output[1]}
    )
    b = EnhancedScriptExecutionSpec.from_script_execution_spec(
        spec("b", input_paths={port[0]: "i"}), {port[0]: port[1]}, {}
    )
    tester = RuntimeTester("w")
    [match] = tester.get_path_matches(a, b)
    assert (match.source_logical_name, match.dest_logical_name, match.match_type) == (output[0], port[0], kind)
    assert match.confidence == confidence if confidence else 0.7 <= match.confidence < 1
    assert (match.semantic_details is not None) == (kind is MatchType.SEMANTIC)
    report = tester.generate_matching_report(a, b)
    assert (report["script_a"], report["script_b"], report["total_matches"]) == ("a", "b", 1)
    assert report["best_matches"][port[0]] == match.model_dump(mode="json")
    assert bool(report["recommendations"]) == (kind is MatchType.SEMANTIC)
    strict = RuntimeTester("w", enable_logical_matching=False)
    assert bool(strict.get_path_matches(a, b)) == (kind is not MatchType.SEMANTIC)


def test_match_can_be_made_by_hand():
    match = PathMatch(
        source_logical_name="a", dest_logical_name="b", match_type=MatchType.SEMANTIC, confidence=0.8,
        matched_source_name="a", matched_dest_name="b",
    )  # fmt: skip
    assert match.semantic_details is None
    assert [each.value for each in MatchType] == [
        "exact_logical", "logical_to_alias", "alias_to_logical", "alias_to_alias", "semantic",
    ]  # fmt: skip


def test_logical_names_of_a_pipeline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "def main(input_paths, output_paths, environ_vars, job_args):\n    pass\n"
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(code)
    a = spec("a", step_name="a", output_paths={"x": "ox", "y": "oy"})
    b = spec("b", step_name="b", input_paths={"p": "ip", "q": "iq"})
    pipeline = PipelineTestingSpec(dag=PipelineDAG(["a", "b"], [("a", "b")]), script_specs=[a, b])
    found = RuntimeTester("w").validate_pipeline_logical_names(pipeline)
    assert not found["overall_valid"]
    assert found["summary"] == {"total_edges": 1, "valid_edges": 0, "invalid_edges": 1}
    assert found["edge_validations"]["a->b"]["problem"] in found["recommendations"][0]
    flows = [DataFlow(from_step="a", to_step="b", output="x", input="q")]
    told = pipeline.model_copy(update={"data_flow_specs": flows})
    found = RuntimeTester("w").validate_pipeline_logical_names(told)
    assert found["overall_valid"]
    assert found["edge_validations"]["a->b"]["ports"] == {"x": "q"}


# PipelineTestingSpec


def test_specs_by_node_or_as_a_list():
    by_node = PipelineTestingSpec(dag=PipelineDAG(["n"]), script_specs={"n": spec()})
    assert list(by_node.script_specs) == ["n"]
    listed = PipelineTestingSpec(script_specs=[spec(step_name="one"), spec("other")])
    assert list(listed.script_specs) == ["one", "other"]
    assert listed.dag.nodes == ["one", "other"]
    with pytest.raises(ValidationError, match="two specs have the step_name 'one'"):
        PipelineTestingSpec(script_specs=[spec(step_name="one"), spec("b", step_name="one")])


@pytest.mark.parametrize(
    "dag",
    [
        PipelineDAG(["a", "b"], [("a", "b")]),
        SimpleNamespace(nodes=["a", "b"], edges=[("a", "b")]),
        SimpleNamespace(nodes={"a": 1, "b": 2}, edges=[["a", "b"]]),
        {"nodes": ["a", "b"], "edges": [{"source": "a", "target": "b"}]},
        networkx.DiGraph([("a", "b")]),
    ],
)
def test_any_object_with_nodes_and_edges_is_a_dag(dag):
    made = PipelineTestingSpec(dag=dag, script_specs={"a": spec("a"), "b": spec("b")})
    assert (made.dag.nodes, made.dag.edges) == (["a", "b"], [("a", "b")])


@pytest.mark.parametrize(
    ("dag", "words"),
    [
        (SimpleNamespace(edges=[]), "has no nodes"),
        (SimpleNamespace(nodes=["a", "b"], edges=[("a", "b"), ("b", "a")]), "cycle: a -> b -> a"),
        (SimpleNamespace(nodes=["a"], edges=[("a", "bb")]), "no node 'bb'"),
    ],
)
def test_what_is_no_dag(dag, words):
    with pytest.raises((ValueError, RunnerError), match=words):
        PipelineTestingSpec(dag=dag, script_specs={})


def test_data_flows_become_edges_with_ports():
    flows: list[Any] = [{"from_step": "a", "to_step": "b", "data_path": "p", "output": "clean", "input": "raw"}]
    made = PipelineTestingSpec(script_specs=[spec("a"), spec("b")], data_flow_specs=flows)
    assert made.dag.edges == [("a", "b")]
    assert (made.data_flow_specs[0].output, made.data_flow_specs[0].input) == ("clean", "raw")
    with pytest.raises(ValidationError, match=r"data_flow_specs: no step 'bb'"):
        PipelineTestingSpec(
            dag=PipelineDAG(["a"]), script_specs=[spec("a")], data_flow_specs=[{"from_step": "a", "to_step": "bb"}]
        )


def test_enhanced_and_basic_specs():
    plain = spec("a")
    more = EnhancedScriptExecutionSpec.from_script_execution_spec(spec("b"), {"raw": ["source"]})
    made = PipelineTestingSpec(script_specs=[plain, more])
    assert made.has_enhanced_specs()
    assert made.get_enhanced_specs() == {"b": more}
    assert made.get_basic_specs() == {"a": plain}
    assert not PipelineTestingSpec(script_specs=[plain]).has_enhanced_specs()


def test_pipeline_is_saved_and_loaded(tmp_path):
    more = EnhancedScriptExecutionSpec.from_script_execution_spec(spec("b"), {"raw": ["source"]})
    made = PipelineTestingSpec(
        pipeline_name="p",
        dag=PipelineDAG(["a", "b"], [("a", "b")]),
        script_specs=[spec("a"), more],
        test_workspace_root="w",
        workspace_aware_root="project",
        data_flow_specs=[DataFlow(from_step="a", to_step="b")],
    )
    made.save_to_file(tmp_path)
    loaded = PipelineTestingSpec.load_from_file("p", tmp_path)
    assert (loaded.dag.nodes, loaded.dag.edges) == (made.dag.nodes, made.dag.edges)
    assert loaded.model_dump(exclude={"dag"}) == made.model_dump(exclude={"dag"})
    with pytest.raises(FileNotFoundError, match="PipelineTestingSpec file not found: "):
        PipelineTestingSpec.load_from_file("q", tmp_path)
    with pytest.raises(ValueError, match="without a name cannot be saved"):
        PipelineTestingSpec(script_specs=[]).save_to_file(tmp_path)


# ContractDiscoveryManager


def test_contracts_of_a_directory(tmp_path, monkeypatch):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/prep.step.yaml").write_text(
        "entry_point: prep.py\nexpected_input_paths: {raw: /opt/ml/processing/input/raw}\nrequired_env_vars: [LABEL]\n"
    )
    (tmp_path / "prep.py").write_text("raise RuntimeError('never imported')\n")
    monkeypatch.chdir(tmp_path)
    for manager in (ContractDiscoveryManager(), ContractDiscoveryManager("contracts")):
        found = manager.discover_contract("prep", script="prep.py")
        assert found.contract_found and found.entry_point_valid
        assert (found.contract_name, found.discovery_method) == ("prep", "step_yaml")
        assert found.contract is not None and found.contract.required_env_vars == ["LABEL"]
        assert found.error_message is None
    (tmp_path / "other.py").write_text("")
    found = ContractDiscoveryManager().discover_contract("prep", script="other.py")
    assert found.contract_found and not found.entry_point_valid
    assert "prep.py" in (found.error_message or "")
    missing = ContractDiscoveryManager(["contracts"]).discover_contract("prepp")
    assert not missing.contract_found
    assert "did you mean" in (missing.error_message or "")
    with pytest.raises(SpecError):
        ContractDiscoveryManager("no_such_directory").discover_contract("prep")


def test_contract_dirs_of_a_builder_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("contracts", "mine"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "prep.step.yaml").write_text(
            f"entry_point: prep.py\nexpected_input_paths: {{{place}: /opt/ml/processing/input/x}}\n"
        )
    (tmp_path / "prep.py").write_text("def main(input_paths, output_paths, environ_vars, job_args):\n    pass\n")
    made = PipelineTestingSpecBuilder("w").resolve_script_execution_spec_from_node("prep")
    assert list(made.input_paths) == ["contracts"]
    made = PipelineTestingSpecBuilder("w", "mine").resolve_script_execution_spec_from_node("prep")
    assert list(made.input_paths) == ["mine"]
