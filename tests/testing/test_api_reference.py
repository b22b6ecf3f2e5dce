"""The API reference: each signature holds, and each snippet does in real containers what it says.

`SNIPPETS` maps every heading of the document that has code to its tests.
"""

from __future__ import annotations

import inspect
import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from testing import workspaces
from testing.workspaces import put, script

from runner import (
    DataCompatibilityResult,
    PipelineTestingSpec,
    PipelineTestingSpecBuilder,
    RuntimeTester,
    RuntimeTestingConfiguration,
    ScriptExecutionSpec,
    ScriptTestResult,
)

HEADINGS = (
    "RuntimeTester",
    "RuntimeTestingConfiguration",
    "test_script()",
    "test_script_with_spec()",
    "test_data_compatibility()",
    "test_data_compatibility_with_specs()",
    "test_pipeline_flow()",
    "test_pipeline_flow_with_spec()",
    "ScriptExecutionSpec",
    "PipelineTestingSpec",
    "PipelineTestingSpecBuilder",
    "Data Models: ScriptTestResult",
    "Data Models: DataCompatibilityResult",
    "Data Models: RuntimeTestingConfiguration",
    "CLI: test-script",
    "CLI: test-compatibility",
    "CLI: test-pipeline",
    "_generate_sample_data()",
    "_find_script_path()",
    "_setup_test_environment()",
    "_cleanup_test_environment()",
    "Common Exceptions: ScriptNotFoundError",
    "Common Exceptions: ScriptExecutionError",
    "Common Exceptions: TimeoutError",
    "Error Handling Best Practices",
    "Custom Configuration Patterns",
    "Batch Testing Operations",
    "Pipeline Testing Workflows",
    "Integration with CI/CD",
    "Optimizing Test Execution",
)
"""Those of the document that have code, in its order."""

SNIPPETS = {
    "RuntimeTester": ["test_both_ways_to_initialize", "test_signature"],
    "RuntimeTestingConfiguration": ["test_both_ways_to_initialize"],
    "test_script()": ["test_script_by_name", "test_signature"],
    "test_script_with_spec()": ["test_script_by_spec", "test_signature"],
    "test_data_compatibility()": ["test_compatibility_by_name", "test_signature"],
    "test_data_compatibility_with_specs()": ["test_compatibility_by_specs", "test_signature"],
    "test_pipeline_flow()": ["test_flow_of_a_dict", "test_signature"],
    "test_pipeline_flow_with_spec()": ["test_flow_of_a_spec", "test_signature"],
    "ScriptExecutionSpec": ["test_script_execution_spec"],
    "PipelineTestingSpec": ["test_pipeline_testing_spec"],
    "PipelineTestingSpecBuilder": ["test_builder_of_a_dict"],
    "Data Models: ScriptTestResult": ["test_results_are_values"],
    "Data Models: DataCompatibilityResult": ["test_results_are_values"],
    "Data Models: RuntimeTestingConfiguration": ["test_configuration_as_a_dict"],
    "CLI: test-script": ["test_cli_script"],
    "CLI: test-compatibility": ["test_cli_compatibility"],
    "CLI: test-pipeline": ["test_cli_pipeline"],
    "_generate_sample_data()": ["test_sample_data", "test_signature"],
    "_find_script_path()": ["test_find_script_path", "test_signature"],
    "_setup_test_environment()": ["test_environment_is_made_and_removed", "test_signature"],
    "_cleanup_test_environment()": ["test_environment_is_made_and_removed", "test_signature"],
    "Common Exceptions: ScriptNotFoundError": ["test_unknown_script_raises"],
    "Common Exceptions: ScriptExecutionError": ["test_failing_script_is_a_result"],
    "Common Exceptions: TimeoutError": ["test_time_out_is_named"],
    "Error Handling Best Practices": ["test_robust_workflow"],
    "Custom Configuration Patterns": ["test_configurations_for_their_uses"],
    "Batch Testing Operations": ["test_batch"],
    "Pipeline Testing Workflows": ["test_whole_workflow"],
    "Integration with CI/CD": ["test_ci"],
    "Optimizing Test Execution": ["test_batches_of_many"],
}

SIGNATURES = {
    "__init__": ["config", "enable_logical_matching", "semantic_threshold"],
    "test_script": ["script_name", "user_config"],
    "test_script_with_spec": ["spec", "main_params"],
    "test_data_compatibility": ["script_a", "script_b", "sample_data"],
    "test_data_compatibility_with_specs": ["spec_a", "spec_b", "main_params_a", "main_params_b"],
    "test_pipeline_flow": ["pipeline_config"],
    "test_pipeline_flow_with_spec": ["pipeline_spec"],
    "get_path_matches": ["spec_a", "spec_b"],
    "generate_matching_report": ["spec_a", "spec_b"],
    "validate_pipeline_logical_names": ["pipeline_spec"],
    "_generate_sample_data": [],
    "_find_script_path": ["script_name"],
    "_setup_test_environment": ["script_name"],
    "_cleanup_test_environment": ["test_dir"],
    "_find_valid_output_files": ["output_dir"],
}
FLOW_KEYS = {"pipeline_success", "script_results", "data_flow_results", "errors", "execution_order"}


def test_every_heading_has_its_test():
    workspaces.check_table(SNIPPETS, HEADINGS, globals())


@pytest.fixture
def project(tmp_path, monkeypatch):
    return workspaces.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def tester(project):
    return RuntimeTester("./test_workspace")


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "run-pipeline"
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=240, check=False)


def preprocessing(**more: Any) -> ScriptExecutionSpec:
    fields: dict[str, Any] = {
        "script_name": "tabular_preprocessing",
        "step_name": "preprocessing",
        "input_paths": {"data_input": "./test_data/raw.csv"},
        "output_paths": {"data_output": "./test_output/processed"},
        "environ_vars": {"LABEL_FIELD": "target"},
        "job_args": {"job_type": "preprocessing"},
    }
    return ScriptExecutionSpec(**{**fields, **more})


def training() -> ScriptExecutionSpec:
    return ScriptExecutionSpec(
        script_name="xgboost_training",
        step_name="training",
        input_paths={"data_input": "./test_output/processed"},
        output_paths={"model_output": "./test_output/model"},
        environ_vars={"MODEL_TYPE": "xgboost"},
        job_args={"job_type": "training"},
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    """Each parameter by keyword and position, under the document's name, in its order; what is ours comes after."""
    parameters = list(inspect.signature(getattr(RuntimeTester, name)).parameters.values())[1:]
    documented = [each for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert [each.name for each in documented] == SIGNATURES[name]
    own = [each for each in parameters if each not in documented]
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in own)
    assert all(each.default is not inspect.Parameter.empty for each in own)


def test_both_ways_to_initialize(project):
    assert RuntimeTester("./test_workspace").config.timeout_seconds == 300
    config = RuntimeTestingConfiguration(
        workspace_dir="./test_workspace",
        timeout_seconds=600,
        enable_logging=True,
        log_level="DEBUG",
        cleanup_after_test=True,
        preserve_outputs=False,
    )
    assert RuntimeTester(config).config is config
    assert RuntimeTester(config).workspace_dir == Path("test_workspace")


@pytest.mark.docker
def test_script_by_name(tester):
    result = tester.test_script("tabular_preprocessing")
    assert isinstance(result, ScriptTestResult)
    assert result.success, str(result)
    assert result.script_name == "tabular_preprocessing"
    assert isinstance(result.execution_time, float) and result.execution_time > 0
    assert result.has_main_function is True
    assert result.error_message is None


@pytest.mark.docker
def test_script_by_spec(tester, project):
    spec = preprocessing(
        step_name="preprocessing_step",
        input_paths={"data_input": "./test_data/raw_data.csv"},
        environ_vars={"LABEL_FIELD": "target", "FEATURE_COLS": "feature1,feature2"},
        job_args={"job_type": "preprocessing", "batch_size": 1000},
    )
    params = PipelineTestingSpecBuilder("./test_workspace").get_script_main_params(spec)
    result = tester.test_script_with_spec(spec, params)
    assert result.success, str(result)
    assert result.data_sources == {"data_input": "user"}
    assert (project / "test_output/processed/train/train_processed_data.csv").is_file()


@pytest.mark.docker
def test_compatibility_by_name(tester):
    result = tester.test_data_compatibility("tabular_preprocessing", "xgboost_training", tester._generate_sample_data())
    assert isinstance(result, DataCompatibilityResult)
    assert result.compatible, str(result)
    assert (result.script_a, result.script_b) == ("tabular_preprocessing", "xgboost_training")
    assert (result.data_format_a, result.data_format_b) == ("CSV", "CSV")
    assert result.compatibility_issues == []


@pytest.mark.docker
def test_compatibility_by_specs(tester):
    spec_a, spec_b = preprocessing(), training()
    builder = PipelineTestingSpecBuilder("./test_workspace")
    params_a, params_b = builder.get_script_main_params(spec_a), builder.get_script_main_params(spec_b)
    result = tester.test_data_compatibility_with_specs(spec_a, spec_b, params_a, params_b)
    assert result.compatible, str(result)
    assert result.ports == {"data_output": "data_input"}
    params_a["environ_vars"] = {"LABEL_FIELD": "no_such_column"}
    result = tester.test_data_compatibility_with_specs(spec_a, spec_b, params_a, params_b)
    assert not result.compatible, "the parameters win over the spec"
    assert any("no_such_column" in issue for issue in result.compatibility_issues)


@pytest.mark.docker
def test_flow_of_a_dict(tester):
    results = tester.test_pipeline_flow({
        "steps": {
            "data_preprocessing": {"script": "tabular_preprocessing.py"},
            "model_training": {"script": "xgboost_training.py"},
            "model_evaluation": {"script": "model_evaluation.py"},
        }
    })  # fmt: skip
    assert results.keys() >= FLOW_KEYS
    assert results["pipeline_success"], results["errors"]
    assert results["execution_order"] == ["data_preprocessing", "model_training", "model_evaluation"]
    assert {node: result.success for node, result in results["script_results"].items()} == {
        "data_preprocessing": True,
        "model_training": True,
        "model_evaluation": True,
    }
    assert {name: result.compatible for name, result in results["data_flow_results"].items()} == {
        "data_preprocessing->model_training": True,  # the evaluation counts labels of its own data: no flow leads there
    }
    assert results["errors"] == []


@pytest.mark.docker
def test_flow_of_a_spec(tester):
    flows: list[Any] = [{"from_step": "preprocessing", "to_step": "training", "data_path": "./test_output/processed"}]
    spec = PipelineTestingSpec(
        pipeline_name="ml_training_pipeline", script_specs=[preprocessing(), training()], data_flow_specs=flows
    )
    results = tester.test_pipeline_flow_with_spec(spec)
    assert results["pipeline_success"], results["errors"]
    assert list(results["data_flow_results"]) == ["preprocessing->training"]
    assert results["data_flow_results"]["preprocessing->training"].data_format_a == "CSV"


def test_script_execution_spec(project):
    spec = preprocessing(step_name="preprocessing_step", job_args={"job_type": "preprocessing", "batch_size": 1000})
    path = spec.save_to_file("./test_workspace/.specs")
    assert Path(path) == Path("test_workspace/.specs/tabular_preprocessing_runtime_test_spec.json")
    loaded = ScriptExecutionSpec.load_from_file("tabular_preprocessing", "./test_workspace/.specs")
    assert loaded.last_updated is not None
    assert loaded.model_copy(update={"last_updated": None}) == spec
    assert ScriptExecutionSpec.create_default("model_evaluation").step_name == "model_evaluation"


def test_pipeline_testing_spec(project):
    specs = [
        ScriptExecutionSpec(
            script_name="data_loading",
            step_name="loading",
            input_paths={"raw_data": "./data/raw"},
            output_paths={"loaded_data": "./test_output/loaded"},
        ),
        ScriptExecutionSpec(
            script_name="preprocessing",
            step_name="preprocessing",
            input_paths={"loaded_data": "./test_output/loaded"},
            output_paths={"processed_data": "./test_output/processed"},
        ),
    ]
    flows: list[Any] = [{"from_step": "loading", "to_step": "preprocessing", "data_path": "./test_output/loaded"}]
    spec = PipelineTestingSpec(pipeline_name="ml_training_pipeline", script_specs=specs, data_flow_specs=flows)
    assert Path(spec.save_to_file("./test_workspace/.specs")).is_file()
    loaded = PipelineTestingSpec.load_from_file("ml_training_pipeline", "./test_workspace/.specs")
    assert loaded.pipeline_name == "ml_training_pipeline"
    assert len(loaded.script_specs) == 2
    assert loaded.dag.edges == [("loading", "preprocessing")]
    assert loaded.script_specs == spec.script_specs


def test_builder_of_a_dict(project):
    builder = PipelineTestingSpecBuilder("./test_workspace")
    dag_config = {
        "steps": {
            "preprocessing": {
                "script": "tabular_preprocessing.py",
                "inputs": {"data": "./data/raw.csv"},
                "outputs": {"processed": "./output/processed"},
            }
        }
    }
    specs = builder.create_script_specs_from_dag(dag_config)
    assert [(spec.script_name, spec.step_name) for spec in specs] == [("tabular_preprocessing", "preprocessing")]
    assert builder.get_script_main_params(specs[0])["input_paths"] == {"data": "./data/raw.csv"}
    assert builder.validate_spec(specs[0]) == {"valid": True, "errors": []}
    broken = specs[0].model_copy(update={"script_name": "no_such_script", "output_paths": {}})
    validation = builder.validate_spec(broken)
    assert not validation["valid"]
    assert any("no output_paths" in error for error in validation["errors"])
    assert any("no_such_script" in error for error in validation["errors"])
    assert builder.create_pipeline_spec_from_dag("test_pipeline", dag_config).pipeline_name == "test_pipeline"


def test_results_are_values():
    result = ScriptTestResult(script_name="prep", success=True, execution_time=1.5, has_main_function=True)
    assert result.error_message is None
    assert str(replace(result, verdict="passed")) == "prep: PASS (1.500s)"
    failed = ScriptTestResult("prep", False, "no luck", 0.25, True, verdict="exit")
    assert str(failed).splitlines()[:2] == ["prep: FAIL (0.250s)", "  no luck"]
    assert {"script_name", "success", "execution_time", "has_main_function", "error_message"} <= failed.to_dict().keys()
    json.dumps(failed.to_dict())
    edge = DataCompatibilityResult("prep", "train", False, ["no column"], "CSV", "CSV")
    assert DataCompatibilityResult(script_a="a", script_b="b", compatible=True).compatibility_issues == []
    assert str(edge).startswith("prep -> train: INCOMPATIBLE")
    assert "no column" in str(edge)
    names = {"script_a", "script_b", "compatible", "data_format_a", "data_format_b", "compatibility_issues"}
    assert names <= edge.to_dict().keys()
    json.dumps(edge.to_dict())


def test_configuration_as_a_dict():
    config = RuntimeTestingConfiguration(workspace_dir="w")
    defaults = {
        "timeout_seconds": 300,
        "enable_logging": True,
        "log_level": "INFO",
        "cleanup_after_test": True,
        "preserve_outputs": False,
    }
    assert defaults.items() <= config.to_dict().items()
    assert RuntimeTestingConfiguration.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.docker
def test_cli_script(project):
    text = cli("test-script", "tabular_preprocessing", "--workspace-dir", "./test_workspace")
    assert text.returncode == 0, text.stderr
    assert text.stdout.startswith("tabular_preprocessing: PASS (")
    found = cli("test-script", "tabular_preprocessing", "--output-format", "json", "--timeout", "600")
    document = json.loads(found.stdout)
    assert found.returncode == 0
    assert document["script_name"] == "tabular_preprocessing"
    assert document["success"] is True
    assert document["has_main_function"] is True
    assert document["execution_time"] > 0


@pytest.mark.docker
def test_cli_compatibility(project):
    pair = ("tabular_preprocessing", "xgboost_training")
    text = cli("test-compatibility", *pair, "--workspace-dir", "./test_workspace")
    assert text.returncode == 0, text.stdout + text.stderr
    assert text.stdout.startswith("tabular_preprocessing -> xgboost_training: COMPATIBLE (CSV -> CSV)")
    document = json.loads(cli("test-compatibility", *pair, "--output-format", "json").stdout)
    assert (document["compatible"], document["compatibility_issues"]) == (True, [])


@pytest.mark.docker
def test_cli_pipeline(project):
    steps = {
        "preprocessing": {"script": "tabular_preprocessing.py"},
        "training": {"script": "xgboost_training.py"},
        "evaluation": {"script": "model_evaluation.py"},
    }
    put(project / "pipeline_config.json", json.dumps({"steps": steps}))
    text = cli("test-pipeline", "pipeline_config.json", "--workspace-dir", "./test_workspace")
    assert text.returncode == 0, text.stdout + text.stderr
    assert text.stdout.startswith("pipeline: PASS, scripts 3/3, data flows 1/1")
    found = cli("test-pipeline", "pipeline_config.json", "--output-format", "json")
    document = json.loads(found.stdout)
    assert document.keys() >= FLOW_KEYS
    assert (document["pipeline_success"], document["errors"]) == (True, [])


def test_sample_data(project, tester):
    sample = tester._generate_sample_data()
    assert sample == RuntimeTester("elsewhere")._generate_sample_data()
    assert {len(values) for values in sample.values()} == {5}
    assert "label" in sample


def test_find_script_path(tester, project):
    assert Path(tester._find_script_path("tabular_preprocessing")) == project / "scripts/tabular_preprocessing.py"
    with pytest.raises(FileNotFoundError, match="no_such_script"):
        tester._find_script_path("no_such_script")


def test_environment_is_made_and_removed(tester, project):
    made = tester._setup_test_environment("tabular_preprocessing")
    assert Path(made["test_dir"]) == Path("test_workspace/test_tabular_preprocessing")
    assert Path(made["input_paths"]["DATA"]).is_dir()
    assert Path(made["output_paths"]["processed_data"]).is_dir()
    tester._cleanup_test_environment("./test_workspace/test_tabular_preprocessing")
    assert not Path(made["test_dir"]).exists()
    with pytest.raises(ValueError, match="it stays"):
        tester._cleanup_test_environment(project / "data")
    assert (project / "data/raw.csv").is_file()


def test_unknown_script_raises(tester):
    with pytest.raises(FileNotFoundError, match="no script for node 'nonexistent_script': looked for"):
        tester.test_script("nonexistent_script")


@pytest.mark.docker
def test_failing_script_is_a_result(tester, project):
    script(project, "problematic_script", "def main(input_paths, output_paths, environ_vars, job_args):\n    1 / 0\n")
    result = tester.test_script("problematic_script")
    assert not result.success
    assert result.has_main_function
    assert "ZeroDivisionError" in (result.error_message or "")
    script(project, "empty_script", "VALUE = 1\n")
    result = tester.test_script("empty_script")
    assert not result.success
    assert not result.has_main_function
    assert result.verdict is None, "it was not even started"


@pytest.mark.docker
def test_time_out_is_named(project):
    text = "import time\n\n\ndef main(input_paths, output_paths, environ_vars, job_args):\n    time.sleep(100)\n"
    script(project, "long_running_script", text)
    config = RuntimeTestingConfiguration(workspace_dir="./test_workspace", timeout_seconds=1)
    result = RuntimeTester(config).test_script("long_running_script")
    assert not result.success
    assert "timeout" in (result.error_message or "").lower()
    assert result.verdict == "timeout"
    assert result.execution_time < 60


@pytest.mark.docker
def test_robust_workflow(tester, project):
    script(project, "data_validation", "import no_such_package_here\n" + workspaces.COPY)
    names = ["tabular_preprocessing", "xgboost_training", "data_validation", "no_such_script"]
    results: dict[str, ScriptTestResult | None] = {}
    for name in names:
        try:
            tester._find_script_path(name)
            results[name] = tester.test_script(name)
        except FileNotFoundError:
            results[name] = None
    passed = [name for name, result in results.items() if result and result.success]
    assert passed == ["tabular_preprocessing", "xgboost_training"]
    assert results["no_such_script"] is None
    failed = results["data_validation"]
    assert failed is not None and "import" in (failed.error_message or "").lower()
    assert tester.test_data_compatibility(*passed, tester._generate_sample_data()).compatible


@pytest.mark.docker
def test_configurations_for_their_uses(project, caplog):
    caplog.set_level(logging.NOTSET)
    common: dict[str, Any] = {"enable_logging": True}
    development = {"timeout_seconds": 60, "log_level": "DEBUG", "cleanup_after_test": False, "preserve_outputs": True}
    production = {"timeout_seconds": 600, "log_level": "INFO", "cleanup_after_test": True, "preserve_outputs": False}
    ci = {"timeout_seconds": 300, "log_level": "WARNING", "cleanup_after_test": True, "preserve_outputs": False}
    told, kept = {}, {}
    for name, settings in (("dev", development), ("prod", production), ("ci", ci)):
        script(project, "simple")
        spec = ScriptExecutionSpec.create_default("simple", test_data_dir="test_workspace")
        caplog.clear()
        config = RuntimeTestingConfiguration(workspace_dir=f"./{name}_workspace", **common, **settings)
        assert RuntimeTester(config).test_script_with_spec(spec).success
        told[name] = {record.levelname for record in caplog.records if record.name.startswith("runner.testing")}
        kept[name] = [path.name for path in (project / f"{name}_workspace/runs").glob("2*/steps/simple/outputs/*")]
    assert told == {"dev": {"DEBUG", "INFO"}, "prod": {"INFO"}, "ci": set()}
    assert kept == {"dev": ["data_output"], "prod": [], "ci": []}


@pytest.mark.docker
def test_batch(tester):
    names = ["tabular_preprocessing", "xgboost_training", "model_evaluation", "data_validation"]
    results = {name: tester.test_script(name) for name in names}
    assert {name: result.error_message for name, result in results.items()} == dict.fromkeys(names)
    assert all(result.success for result in results.values())


@pytest.mark.docker
def test_whole_workflow(tester):
    steps = {
        "data_loading": {"script": "data_loading.py"},
        "preprocessing": {"script": "tabular_preprocessing.py"},
        "training": {"script": "xgboost_training.py"},
        "evaluation": {"script": "model_evaluation.py"},
        "registration": {"script": "model_registration.py"},
    }
    names = [step["script"].removesuffix(".py") for step in steps.values()]
    assert [name for name in names if not tester.test_script(name).success] == []
    sample = tester._generate_sample_data()
    pairs = [("data_loading", "tabular_preprocessing"), ("tabular_preprocessing", "xgboost_training")]
    assert [pair for pair in pairs if not tester.test_data_compatibility(*pair, sample).compatible] == []
    results = tester.test_pipeline_flow({"steps": steps})
    assert results["pipeline_success"], results["errors"]
    assert len(results["script_results"]) == 5
    assert len(results["data_flow_results"]) == 3


@pytest.mark.docker
def test_ci(project):
    config = RuntimeTestingConfiguration(
        workspace_dir="./test_workspace", timeout_seconds=300, enable_logging=True, log_level="INFO",
        cleanup_after_test=True, preserve_outputs=False,
    )  # fmt: skip
    tester = RuntimeTester(config)
    script(project, "model_evaluation", "def main(input_paths, output_paths, environ_vars, job_args):\n    1 / 0\n")
    names = ["tabular_preprocessing", "xgboost_training", "model_evaluation"]
    results = {name: tester.test_script(name) for name in names}
    put(project / "ci.json", json.dumps({name: result.to_dict() for name, result in results.items()}))
    saved = json.loads((project / "ci.json").read_text())
    assert {name: each["success"] for name, each in saved.items()} == {
        "tabular_preprocessing": True,
        "xgboost_training": True,
        "model_evaluation": False,
    }
    assert "ZeroDivisionError" in saved["model_evaluation"]["error_message"]


@pytest.mark.docker
def test_batches_of_many(project):
    names = [f"script_{letter}" for letter in "abcde"]
    for name in names:
        script(project, name)
    config = RuntimeTestingConfiguration(workspace_dir="./test_workspace", timeout_seconds=120, enable_logging=False)
    tester = RuntimeTester(config)
    batches = [names[start : start + 3] for start in range(0, len(names), 3)]
    assert [[tester.test_script(name).success for name in batch] for batch in batches] == [[True] * 3, [True] * 2]
    assert [path.name for path in (project / "test_workspace/runs").iterdir()] == [], "nothing of them stays"
