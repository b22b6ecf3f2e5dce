"""The quick start, each of its snippets as a test: what it says will happen does, in real containers.

`SNIPPETS` maps every heading of the document that has code to its tests.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from pathlib import Path

import pytest
from images.private_index import PACKAGE, WHEEL, wheel
from testing import workspaces
from testing.workspaces import chain, put, quick_specs, script, training_spec

from runner import (
    ContractDiscoveryManager,
    PipelineDAG,
    PipelineTestingSpec,
    PipelineTestingSpecBuilder,
    RuntimeTester,
    RuntimeTestingConfiguration,
    ScriptExecutionSpec,
)

HEADINGS = (
    "Step 1: Initialize the Runtime Tester",
    "Advanced Initialization with Configuration",
    "Step 2: Create Script Execution Specifications Using Real Contracts",
    "Step 3: Test Your First Script",
    "Step 4: Save and Load Specifications",
    "Step 5: Test Data Compatibility Between Scripts",
    "Step 6: Test Complete Pipeline Flow",
    "Step 7: Enhanced DAG Integration with Node-to-Script Resolution",
    "Advanced Features: Logical Name Matching",
    "Daily Development Workflow",
    "Pre-Commit Validation",
    "Common Script Dependency Error",
    "Diagnosing Script Dependencies",
    "Installing Script Dependencies",
    "Testing with Dependency Isolation",
    "Creating a Requirements File for Scripts",
    'Issue: "Script not found"',
    'Issue: "Main function signature doesn\'t match"',
    'Issue: "Data compatibility test fails"',
)
"""Those of the document that have code, in its order."""

STARTED = """

if __name__ == "__main__":
    root = "/opt/ml/processing"
    main({"data_input": f"{root}/input/data_input"}, {"data_output": f"{root}/output/data_output"}, {}, None)
"""
SNIPPETS = {
    "Step 1: Initialize the Runtime Tester": ["test_initialize_with_a_directory"],
    "Advanced Initialization with Configuration": ["test_initialize_with_a_configuration"],
    "Step 2: Create Script Execution Specifications Using Real Contracts": ["test_specs_keep_what_they_are_given"],
    "Step 3: Test Your First Script": ["test_first_script"],
    "Step 4: Save and Load Specifications": ["test_save_and_load"],
    "Step 5: Test Data Compatibility Between Scripts": ["test_compatibility_of_two_scripts"],
    "Step 6: Test Complete Pipeline Flow": ["test_pipeline_flow"],
    "Step 7: Enhanced DAG Integration with Node-to-Script Resolution": [
        "test_build_from_dag",
        "test_contract_is_found",
    ],
    "Advanced Features: Logical Name Matching": ["test_logical_names"],
    "Daily Development Workflow": ["test_daily_check"],
    "Pre-Commit Validation": ["test_pre_commit"],
    "Common Script Dependency Error": ["test_missing_package_is_named"],
    "Diagnosing Script Dependencies": ["test_imports_of_a_script_that_is_found"],
    "Installing Script Dependencies": ["test_packages_are_the_image_s"],
    "Testing with Dependency Isolation": ["test_missing_package_is_named"],
    "Creating a Requirements File for Scripts": ["test_requirements_file_beside_the_script"],
    'Issue: "Script not found"': ["test_script_not_found"],
    'Issue: "Main function signature doesn\'t match"': ["test_main_with_other_parameters"],
    'Issue: "Data compatibility test fails"': ["test_compatibility_that_fails"],
}


def test_every_heading_has_its_test():
    workspaces.check_table(SNIPPETS, HEADINGS, globals())


@pytest.fixture
def project(tmp_path, monkeypatch):
    return workspaces.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def outside(tmp_path):
    """The snippets' temporary directory, with the raw table where they say that it is."""
    put(tmp_path / "elsewhere/input/data/raw.csv", (workspaces.EXAMPLE / "data/raw.csv").read_text())
    return tmp_path / "elsewhere"


def preprocessing_spec(folder: Path) -> ScriptExecutionSpec:
    return ScriptExecutionSpec(
        script_name="tabular_preprocessing",
        step_name="TabularPreprocessing_training",
        input_paths={"data_input": f"{folder}/input/data"},
        output_paths={"data_output": f"{folder}/preprocessing/output"},
        environ_vars={"LABEL_FIELD": "target", "TRAIN_RATIO": "0.7", "TEST_VAL_RATIO": "0.15"},
        job_args={"job_type": "training"},
    )


def test_initialize_with_a_directory(project):
    tester = RuntimeTester("./test_workspace")
    assert tester.workspace_dir == Path("test_workspace")
    assert (project / "test_workspace").is_dir()


def test_initialize_with_a_configuration(project):
    dag = PipelineDAG()
    dag.add_node("preprocessing")
    dag.add_node("training")
    dag.add_edge("preprocessing", "training")
    spec = PipelineTestingSpec(dag=dag, script_specs={}, test_workspace_root="./test_workspace")
    config = RuntimeTestingConfiguration(
        pipeline_spec=spec,
        test_individual_scripts=True,
        test_data_compatibility=True,
        test_pipeline_flow=True,
        enable_enhanced_features=True,
        enable_logical_matching=True,
        use_workspace_aware=False,
    )
    tester = RuntimeTester(config)
    assert tester.workspace_dir == Path("test_workspace")
    assert tester.pipeline_spec is not None
    assert tester.pipeline_spec.dag.nodes == ["preprocessing", "training"]
    assert tester.enable_logical_matching


def test_specs_keep_what_they_are_given(outside):
    spec = preprocessing_spec(outside)
    assert spec.script_name == "tabular_preprocessing"
    assert spec.input_paths == {"data_input": f"{outside}/input/data"}
    assert spec.output_paths == {"data_output": f"{outside}/preprocessing/output"}
    assert spec.environ_vars == {"LABEL_FIELD": "target", "TRAIN_RATIO": "0.7", "TEST_VAL_RATIO": "0.15"}
    training = training_spec("XGBoostTraining_training")
    assert list(training.input_paths) == ["input_path", "hyperparameters_s3_uri"]
    assert training.environ_vars == {}


@pytest.mark.docker
def test_first_script(project, outside):
    spec = preprocessing_spec(outside)
    builder = PipelineTestingSpecBuilder(str(outside))
    params = builder.get_script_main_params(spec)
    assert params == {
        "input_paths": spec.input_paths,
        "output_paths": spec.output_paths,
        "environ_vars": spec.environ_vars,
        "job_args": argparse.Namespace(job_type="training"),
    }
    result = RuntimeTester("./test_workspace").test_script_with_spec(spec, params)
    assert result.success, str(result)
    assert result.script_name == "tabular_preprocessing"
    assert result.has_main_function
    assert result.execution_time > 0
    assert result.error_message is None
    written = [name for name in workspaces.files(outside / "preprocessing/output") if name.endswith(".csv")]
    assert written == [f"{part}/{part}_processed_data.csv" for part in ("test", "train", "val")]


def test_save_and_load(outside):
    builder = PipelineTestingSpecBuilder(str(outside))
    path = preprocessing_spec(outside).save_to_file(str(builder.specs_dir))
    assert path == str(outside / ".specs/tabular_preprocessing_runtime_test_spec.json")
    loaded = ScriptExecutionSpec.load_from_file("tabular_preprocessing", str(builder.specs_dir))
    assert loaded.environ_vars["TEST_VAL_RATIO"] == "0.15"
    assert loaded.last_updated is not None
    assert loaded.user_notes is None
    default = ScriptExecutionSpec.create_default("model_evaluation", "evaluation_step")
    assert (default.script_name, default.step_name) == ("model_evaluation", "evaluation_step")


@pytest.mark.docker
def test_compatibility_of_two_scripts(project, outside):
    tester = RuntimeTester("./test_workspace")
    result = tester.test_data_compatibility_with_specs(preprocessing_spec(outside), training_spec("training_step"))
    assert result.compatible, str(result)
    assert (result.script_a, result.script_b) == ("tabular_preprocessing", "xgboost_training")
    assert (result.data_format_a, result.data_format_b) == ("CSV", "CSV")
    assert result.compatibility_issues == []
    assert result.result_b is not None and result.result_b.success, "the consumer itself ran"
    assert set(result.files_read) == {
        "data_output/train/train_processed_data.csv",
        "data_output/val/val_processed_data.csv",
    }


@pytest.mark.docker
def test_pipeline_flow(project):
    specs = quick_specs()
    spec = PipelineTestingSpec(dag=chain(list(specs)), script_specs=specs, test_workspace_root="./test_workspace")
    results = RuntimeTester("./test_workspace").test_pipeline_flow_with_spec(spec)
    assert results["pipeline_success"], results["errors"]
    assert results["errors"] == []
    assert results["execution_order"] == ["preprocessing", "training", "evaluation"]
    assert list(results["script_results"]) == ["preprocessing", "training", "evaluation"]
    assert all(each.success for each in results["script_results"].values())
    flows = results["data_flow_results"]
    assert {"preprocessing->training", "training->evaluation"} <= set(flows)
    assert all(each.compatible and each.compatibility_issues == [] for each in flows.values())
    metrics = json.loads((project / "test_output/metrics/metrics.json").read_text())
    assert metrics["rows"] > 0, "what the last step wrote is where its spec says"


def test_build_from_dag(project):
    builder = PipelineTestingSpecBuilder("./test_workspace")
    nodes = ["TabularPreprocessing_training", "XGBoostTraining", "preprocessing"]
    built = builder.build_from_dag(chain(nodes), validate=False)
    assert built.test_workspace_root == "test_workspace"
    found = {node: (spec.script_name, spec.step_name) for node, spec in built.script_specs.items()}
    assert found == {
        "TabularPreprocessing_training": ("tabular_preprocessing", "TabularPreprocessing_training"),
        "XGBoostTraining": ("xgboost_training", "XGBoostTraining"),
        "preprocessing": ("preprocessing", "preprocessing"),
    }
    updated = builder.update_script_spec(
        "preprocessing",
        input_paths={"data_input": "./custom_data/input.csv"},
        environ_vars={"LABEL_FIELD": "custom_target"},
    )
    assert updated.script_name == "preprocessing"
    assert updated.environ_vars == {"LABEL_FIELD": "custom_target"}
    assert builder.list_saved_specs() == ["preprocessing", "tabular_preprocessing", "xgboost_training"]
    with pytest.raises(
        ValueError, match=r"no script for node 'preprocessing'.*\n.*update_script_spec\('preprocessing'"
    ):
        builder.build_from_dag(chain(nodes), validate=True)


def test_contract_is_found(project):
    found = ContractDiscoveryManager().discover_contract("tabular_preprocessing")
    assert found.contract_found
    assert found.contract_class is not None and found.contract_class.__name__ == "ScriptContract"
    assert found.contract_name == "TABULAR_PREPROCESSING_CONTRACT"
    assert found.discovery_method not in (None, "none")
    assert found.entry_point_valid
    missing = ContractDiscoveryManager().discover_contract("model_evaluation")
    assert not missing.contract_found
    assert missing.contract is None


def test_logical_names(project, outside):
    tester = RuntimeTester("./test_workspace", enable_logical_matching=True, semantic_threshold=0.7)
    assert tester.enable_logical_matching
    specs = quick_specs()
    matches = tester.get_path_matches(specs["preprocessing"], specs["evaluation"])
    assert [(m.source_logical_name, m.dest_logical_name, m.confidence) for m in matches][:1] == [
        ("processed_data", "processed_data", 1.0)
    ]
    assert tester.get_path_matches(preprocessing_spec(outside), training_spec("training")) == []
    report = tester.generate_matching_report(preprocessing_spec(outside), training_spec("training"))
    assert report["total_matches"] == 0
    assert report["unmatched_inputs"] == ["input_path", "hyperparameters_s3_uri"]
    pipeline = PipelineTestingSpec(dag=chain(list(specs)), script_specs=specs, test_workspace_root="./test_workspace")
    validation = tester.validate_pipeline_logical_names(pipeline)
    assert validation["overall_valid"], validation["recommendations"]
    assert validation["summary"] == {"total_edges": 2, "valid_edges": 2, "invalid_edges": 0}


@pytest.mark.docker
def test_daily_check(project):
    tester, builder = RuntimeTester("./test_workspace"), PipelineTestingSpecBuilder("./test_workspace")
    for name, step in (("tabular_preprocessing", "preprocessing"), ("model_evaluation", "evaluation")):
        with pytest.raises(FileNotFoundError, match="ScriptExecutionSpec file not found: "):
            ScriptExecutionSpec.load_from_file(name, str(builder.specs_dir))
        ScriptExecutionSpec.create_default(name, step).save_to_file(str(builder.specs_dir))
        spec = ScriptExecutionSpec.load_from_file(name, str(builder.specs_dir))
        result = tester.test_script_with_spec(spec, builder.get_script_main_params(spec))
        assert result.success, str(result)
    report = json.loads((project / "test/integration/runtime/model_evaluation/output/report.json").read_text())
    assert report["job_type"] == "testing"
    assert set(report["labels"]) == {"0", "1"}


@pytest.mark.docker
def test_pre_commit(project):
    specs = {
        "preprocessing": ScriptExecutionSpec.create_default("tabular_preprocessing", "preprocessing"),
        "training": ScriptExecutionSpec.create_default("xgboost_training", "training"),
        "evaluation": ScriptExecutionSpec.create_default("model_evaluation", "evaluation"),
    }
    spec = PipelineTestingSpec(dag=chain(list(specs)), script_specs=specs, test_workspace_root="./test_workspace")
    tester = RuntimeTester("./test_workspace")
    results = tester.test_pipeline_flow_with_spec(spec)
    assert results["pipeline_success"], results["errors"]
    broken = project / "scripts/xgboost_training.py"
    broken.write_text(broken.read_text().replace("    rounds = int(", '    label = "lable"\n    rounds = int('))
    results = tester.test_pipeline_flow_with_spec(spec)
    assert not results["pipeline_success"]
    assert any("training" in error and "lable" in error for error in results["errors"])
    assert results["script_results"]["preprocessing"].success
    assert results["script_results"]["evaluation"].kind == "blocked"


@pytest.mark.docker
def test_missing_package_is_named(project):
    script(project, "needs_a_package", f"import no_such_package_here\n{workspaces.COPY}")
    spec = ScriptExecutionSpec.create_default("needs_a_package", test_data_dir="test_workspace")
    params = PipelineTestingSpecBuilder("./test_workspace").get_script_main_params(spec)
    result = RuntimeTester("./test_workspace").test_script_with_spec(spec, params)
    assert not result.success
    found = re.search(r"ModuleNotFoundError: No module named '([^']+)'", result.error_message or "")
    assert found is not None, result.error_message
    assert found[1] == "no_such_package_here"
    assert result.kind == "import"
    assert "requirements.txt" in (result.remedy or "")


def test_imports_of_a_script_that_is_found(project):
    path = RuntimeTester("./test_workspace")._find_script_path("xgboost_training")
    tree = ast.parse(Path(path).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {"pandas", "xgboost"} <= names
    with pytest.raises(FileNotFoundError):
        RuntimeTester("./test_workspace")._find_script_path("no_such_script")


@pytest.mark.docker
def test_packages_are_the_image_s(project):
    """Nothing is installed on this machine: the contract asks for xgboost, and gets the image that has it."""
    with pytest.raises(ModuleNotFoundError):
        __import__("xgboost")
    result = RuntimeTester("./test_workspace").test_script("xgboost_training")
    assert result.success, str(result)


@pytest.mark.docker
@pytest.mark.parametrize("way", ["called", "started"])
def test_requirements_file_beside_the_script(project, way):
    """The file that the snippet writes is installed from where the script lies, as on SageMaker."""
    source = project / "source"
    text = f"import {PACKAGE}\n{workspaces.COPY}"
    put(source / "copy_rows.py", text if way == "called" else text + STARTED)
    put(source / "requirements.txt", f"# Core data processing\n./vendor/{WHEEL}\n")
    (source / "vendor").mkdir()
    (source / "vendor" / WHEEL).write_bytes(wheel())
    put(project / "test_workspace/copy_rows/input/table.csv", "id\n1\n")
    spec = ScriptExecutionSpec.create_default("copy_rows", test_data_dir="test_workspace")
    spec = spec.model_copy(update={"source_dir": "source", "script_path": "source/copy_rows.py", "image": "python"})
    result = RuntimeTester("./test_workspace").test_script_with_spec(spec.model_copy(update={"job_args": {}}))
    assert result.success, f"{result}\n{result.traceback}"
    assert workspaces.files(project / "test_workspace/copy_rows/output")[-1] == "table.csv"


def test_script_not_found(project):
    with pytest.raises(FileNotFoundError) as caught:
        RuntimeTester("./test_workspace")._find_script_path("tabular_preprocesing")
    for place in ("test_workspace/tabular_preprocesing.py", "scripts/tabular_preprocesing.py"):
        assert place in str(caught.value), "it says where it looked"
    assert "nearest: scripts/tabular_preprocessing.py" in str(caught.value)


def test_main_with_other_parameters(project):
    path = script(project, "odd_main", "def main(input_paths, output_paths, job_args):\n    pass\n")
    spec = ScriptExecutionSpec.create_default("odd_main", test_data_dir="test_workspace")
    result = RuntimeTester("./test_workspace").test_script_with_spec(spec)
    assert not result.success
    assert result.has_main_function
    assert result.kind == "signature"
    assert f"scripts/{path.name}:1" in (result.error_message or "")
    assert "environ_vars" in (result.error_message or "")


@pytest.mark.docker
def test_compatibility_that_fails(project):
    script(project, "script_a")
    needs = '    (Path(input_paths["data_input"]) / "expected.csv").read_text()\n'
    script(project, "script_b", workspaces.COPY.replace("    for file", f"{needs}    for file"))
    put(project / "test/integration/runtime/script_b/input/expected.csv", "id\n1\n")
    spec_a = ScriptExecutionSpec.create_default("script_a", "step_a")
    spec_b = ScriptExecutionSpec.create_default("script_b", "step_b")
    tester, builder = RuntimeTester("./test_workspace"), PipelineTestingSpecBuilder("./test_workspace")
    for spec in (spec_a, spec_b):
        result = tester.test_script_with_spec(spec, builder.get_script_main_params(spec))
        assert result.success, str(result)
    result = tester.test_data_compatibility_with_specs(spec_a, spec_b)
    assert not result.compatible
    assert "expected.csv" in " ".join(result.compatibility_issues)
    there = tester._find_valid_output_files(Path(spec_a.output_paths["data_output"]))
    assert [path.name for path in there] == ["table.csv"], "what the first one wrote lies there, to be looked at"
