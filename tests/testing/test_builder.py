"""`PipelineTestingSpecBuilder`: specs for the nodes of a DAG, kept as files. Nothing runs."""

from __future__ import annotations

import argparse

import pytest
from testing import workspaces
from testing.workspaces import chain, put, script

from runner import PipelineDAG, PipelineTestingSpecBuilder, ScriptExecutionSpec
from runner.errors import SpecError

SUFFIX = "_runtime_test_spec.json"


@pytest.fixture
def project(tmp_path, monkeypatch):
    return workspaces.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def builder(project):
    return PipelineTestingSpecBuilder("w")


def test_places(builder, project):
    assert builder.specs_dir == builder.test_data_dir / ".specs"
    assert (project / "w/.specs").is_dir()
    assert PipelineTestingSpecBuilder().test_data_dir.as_posix() == "test/integration/runtime"


def test_one_error_names_every_node_and_the_call_that_fixes_it(builder, project):
    script(project, "fine")
    script(project, "no_paths")
    builder.save_script_spec(ScriptExecutionSpec(script_name="no_paths", step_name="no_paths"))
    with pytest.raises(ValueError) as caught:
        builder.build_from_dag(chain(["fine", "nowhere", "no_paths"]))
    text = str(caught.value)
    assert text.startswith("not every one of the 3 nodes can be tested")
    assert "no script for node 'nowhere'" in text
    assert "builder.update_script_spec('nowhere', script_path='...')" in text
    assert "no_paths: incomplete spec: no input_paths, no output_paths" in text
    assert "builder.update_script_spec('no_paths', input_paths={...}, output_paths={...})" in text
    assert "fine" not in text
    builder.update_script_spec("no_paths", input_paths={"data_input": "a"}, output_paths={"data_output": "b"})
    builder.update_script_spec("nowhere", script_path="scripts/fine.py")
    built = builder.build_from_dag(chain(["fine", "nowhere", "no_paths"]))
    assert built.dag.edges == [("fine", "nowhere"), ("nowhere", "no_paths")]


def test_a_source_needs_no_input(builder, project):
    text = "def main(input_paths, output_paths, environ_vars, job_args):\n    output_paths['rows']\n"
    script(project, "source", text)
    script(project, "hidden", text.replace("output_paths['rows']", "work(input_paths, output_paths['rows'])"))
    built = builder.build_from_dag(PipelineDAG(["source"]))
    assert (built.script_specs["source"].input_paths, list(built.script_specs["source"].output_paths)) == ({}, ["rows"])
    with pytest.raises(ValueError, match="hidden: incomplete spec: no input_paths"):
        builder.build_from_dag(PipelineDAG(["hidden"]))


def test_saved_specs_are_used_and_never_written_over(builder, project):
    script(project, "prep")
    builder.build_from_dag(PipelineDAG(["prep"]))
    path = project / f"w/.specs/prep{SUFFIX}"
    edited = path.read_text().replace('"LABEL_FIELD": "label"', '"LABEL_FIELD": "mine"')
    path.write_text(edited)
    assert builder.build_from_dag(PipelineDAG(["prep"])).script_specs["prep"].environ_vars == {"LABEL_FIELD": "mine"}
    assert path.read_text() == edited
    path.write_text("{")
    with pytest.raises(SpecError, match=r"prep_runtime_test_spec\.json:1:2"):
        builder.build_from_dag(PipelineDAG(["prep"]))
    assert path.read_text() == "{"


def test_two_nodes_with_one_script(builder, project):
    nodes = ["TabularPreprocessing_training", "TabularPreprocessing_validation"]
    built = builder.build_from_dag(PipelineDAG(nodes))
    assert [spec.job_args for spec in built.script_specs.values()] == [
        {"job_type": "training"},
        {"job_type": "validation"},
    ]
    assert builder.list_saved_specs() == [
        "tabular_preprocessing",
        "tabular_preprocessing.TabularPreprocessing_validation",
    ]
    again = builder.build_from_dag(PipelineDAG(nodes))
    plain = {node: spec.model_copy(update={"last_updated": None}) for node, spec in again.script_specs.items()}
    assert plain == built.script_specs
    by_file = builder.get_script_spec_by_name("tabular_preprocessing.TabularPreprocessing_validation")
    assert by_file is not None and by_file.step_name == "TabularPreprocessing_validation"
    assert builder.saved_spec("tabular_preprocessing.TabularPreprocessing_validation") == by_file
    with pytest.raises(ValueError, match="several specs fit 'tabular_preprocessing'"):
        builder.saved_spec("tabular_preprocessing")


def test_update(builder, project):
    script(project, "prep")
    made = builder.update_script_spec("prep", environ_vars={"A": "1"}, user_notes="n")
    assert (made.environ_vars, made.user_notes) == ({"A": "1"}, "n")
    assert builder.get_script_spec_by_name("prep").environ_vars == {"A": "1"}
    before = (project / f"w/.specs/prep{SUFFIX}").read_bytes()
    with pytest.raises(
        ValueError, match=r"the spec of 'prep'.*unknown key 'environ_var' \(did you mean 'environ_vars'"
    ):
        builder.update_script_spec("prep", environ_var={})
    with pytest.raises(ValueError, match=r"the spec of 'prep': environ_vars\.A"):
        builder.update_script_spec("prep", environ_vars={"A": 1})
    assert (project / f"w/.specs/prep{SUFFIX}").read_bytes() == before


def test_update_keeps_aliases(builder, project):
    script(project, "prep")
    specs = {"data_input": {"path": "in", "aliases": ["raw"]}}
    builder.update_script_spec("prep", input_path_specs=specs)
    made = builder.update_script_spec("prep", input_paths={"data_input": "elsewhere"})
    assert made.input_path_specs["data_input"].path == "elsewhere"
    assert made.input_path_specs["data_input"].aliases == ("raw",)


def test_list_and_get(builder):
    assert builder.list_saved_specs() == []
    assert builder.get_script_spec_by_name("prep") is None
    for name in ("prep", "a"):
        builder.save_script_spec(ScriptExecutionSpec(script_name=name))
    assert builder.list_saved_specs() == ["a", "prep"]
    assert builder.get_script_spec_by_name("prep").script_name == "prep"


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("XGBoostTraining", "xgboost_training"),
        ("XGBoostTraining_training", "xgboost_training"),
        ("xgboost_trainin", "xgboost_training"),
        ("prep", "prep"),
        ("Unlike", None),
    ],
)
def test_match_step_to_spec(builder, step, found):
    assert builder.match_step_to_spec(step, ["prep", "xgboost_training"]) == found


def test_main_params(builder):
    spec = ScriptExecutionSpec(script_name="x", input_paths={"a": "b"}, job_args={"rounds": 3})
    params = builder.get_script_main_params(spec)
    assert params["job_args"] == argparse.Namespace(rounds=3)
    params["input_paths"]["a"] = "changed"
    assert spec.input_paths == {"a": "b"}, "they are copies"
    nothing = builder.get_script_main_params(ScriptExecutionSpec(script_name="x"))
    assert nothing["job_args"] == argparse.Namespace(job_type="testing")


def test_spec_of_a_node(builder, project):
    made = builder.resolve_script_execution_spec_from_node("TabularPreprocessing_calibration")
    assert (made.script_name, made.step_name) == ("tabular_preprocessing", "TabularPreprocessing_calibration")
    assert made.job_args == {"job_type": "calibration"}
    assert made.input_paths == {"DATA": "w/tabular_preprocessing/input"}
    assert made.environ_vars == {"LABEL_FIELD": "label", "TRAIN_RATIO": "0.7", "TEST_VAL_RATIO": "0.5"}
    assert builder.list_saved_specs() == [], "nothing is saved"
    unknown = builder.resolve_script_execution_spec_from_node("Nowhere")
    assert unknown == ScriptExecutionSpec.create_default("nowhere", "Nowhere", "w")


def test_specs_of_a_dict(builder, project):
    config = {
        "steps": {
            "one": {"script": "tabular_preprocessing.py", "inputs": {"DATA": "d"}, "env": {"LABEL_FIELD": "y"}},
            "two": {"script": "scripts/model_evaluation.py", "depends_on": "one", "args": {"job_type": "testing"}},
        }
    }
    one, two = builder.create_script_specs_from_dag(config)
    assert (one.script_name, one.step_name, one.input_paths) == ("tabular_preprocessing", "one", {"DATA": "d"})
    assert one.environ_vars == {"LABEL_FIELD": "y"}
    assert (two.script_path, two.job_args) == ("scripts/model_evaluation.py", {"job_type": "testing"})
    pipeline = builder.create_pipeline_spec_from_dag("p", config)
    assert (pipeline.pipeline_name, pipeline.dag.edges) == ("p", [("one", "two")])
    with pytest.raises(ValueError, match=r"steps\.one\.scirpt: unknown key 'scirpt' \(did you mean 'script'\?\)"):
        builder.create_script_specs_from_dag({"steps": {"one": {"scirpt": "a.py"}}})
    with pytest.raises(ValueError, match="steps: expected a mapping"):
        builder.create_script_specs_from_dag({})


def test_validate(builder, project):
    path = script(project, "prep")
    spec = ScriptExecutionSpec.create_default("prep", test_data_dir="w")
    assert builder.validate_spec(spec) == {"valid": True, "errors": []}
    put(path, "def main(a, b):\n    pass\n")
    found = builder.validate_spec(spec)
    assert not found["valid"]
    assert found["errors"][0].startswith("signature: scripts/prep.py:1")
    put(path, "def main(:\n")
    assert builder.validate_spec(spec)["errors"][0].startswith("syntax: scripts/prep.py:1")
    lost = builder.validate_spec(spec.model_copy(update={"output_paths": {"data_output": " "}}))
    assert "no path for output 'data_output'" in lost["errors"]
