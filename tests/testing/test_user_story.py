"""The simplified design's user story, requirements and usage examples, in real containers.

`SNIPPETS` maps every heading of the document that has code for users, and the story itself, to its tests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from testing import workspaces
from testing.workspaces import chain, put, script

from runner import (
    DataCompatibilityResult,
    PipelineDAG,
    PipelineTestingSpec,
    PipelineTestingSpecBuilder,
    RuntimeTester,
    RuntimeTestingConfiguration,
    ScriptExecutionSpec,
    ScriptTestResult,
)

HEADINGS = (
    "Validated User Story",
    "Core Requirements 1: Script Functionality Validation",
    "Core Requirements 2: Data Transfer Consistency",
    "Core Requirements 3: End-to-End Pipeline Flow",
    "User-Centric Runtime Testing Approach",
    "Test Data Organization",
    "New Pipeline Testing Specification Structure",
    "ScriptExecutionSpec Structure",
    "From PipelineDAG",
    "From Script Contracts",
    "Simplified Usage for Basic Testing",
    "Minimal User Input Examples",
    "Basic Script Testing",
    "Data Compatibility Testing",
    "Pipeline Flow Testing",
    "Programmatic Usage",
    "Error Reporting",
)
"""Those of the document that have code for users, in its order."""

SNIPPETS = {
    "Validated User Story": ["test_edges_that_connect_and_data_that_does_not_fit"],
    "Core Requirements 1: Script Functionality Validation": ["test_import_and_syntax_errors"],
    "Core Requirements 2: Data Transfer Consistency": ["test_edges_that_connect_and_data_that_does_not_fit"],
    "Core Requirements 3: End-to-End Pipeline Flow": ["test_three_ways_to_use_it"],
    "User-Centric Runtime Testing Approach": ["test_specs_belong_to_the_user"],
    "Test Data Organization": ["test_data_of_a_workspace", "test_data_of_a_project"],
    "New Pipeline Testing Specification Structure": ["test_spec_of_a_dag"],
    "ScriptExecutionSpec Structure": ["test_main_params_of_a_spec"],
    "From PipelineDAG": ["test_dag_is_kept"],
    "From Script Contracts": ["test_contract_gives_environment_and_arguments"],
    "Simplified Usage for Basic Testing": ["test_dag_alone"],
    "Minimal User Input Examples": ["test_minimal_input"],
    "Basic Script Testing": ["test_command_lines"],
    "Data Compatibility Testing": ["test_command_lines"],
    "Pipeline Flow Testing": ["test_command_lines"],
    "Programmatic Usage": ["test_three_ways_to_use_it"],
    "Error Reporting": ["test_results_can_be_made_by_hand", "test_import_and_syntax_errors"],
}


def test_every_heading_has_its_test():
    workspaces.check_table(SNIPPETS, HEADINGS, globals())


@pytest.fixture
def project(tmp_path, monkeypatch):
    return workspaces.enter(tmp_path / "project", monkeypatch)


LABELS = """
import csv
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    with open(Path(output_paths["data_output"]) / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", "labels"], [1, 0]])
"""
READER = """
import csv
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    with open(Path(input_paths["data_input"]) / "rows.csv", newline="") as file:
        for row in csv.DictReader(file):
            row["label"]
    (Path(output_paths["data_output"]) / "done.txt").write_text("done")
"""


@pytest.mark.docker
def test_edges_that_connect_and_data_that_does_not_fit(project):
    """The story: the DAG is right, each script is right by itself, and the pipeline would fail all the same."""
    script(project, "prepare", LABELS)
    script(project, "train", READER)
    put(project / "test_workspace/train/input/rows.csv", "id,label\n1,0\n")
    builder, tester = PipelineTestingSpecBuilder("test_workspace"), RuntimeTester("test_workspace")
    spec = builder.build_from_dag(chain(["prepare", "train"]))
    assert all(tester.test_script_with_spec(each).success for each in spec.script_specs.values())
    results = tester.test_pipeline_flow_with_spec(spec)
    assert not results["pipeline_success"]
    assert results["script_results"]["prepare"].success
    edge = results["data_flow_results"]["prepare->train"]
    assert not edge.compatible
    said = " ".join(edge.compatibility_issues)
    assert "'label'" in said and "'labels'" in said, "what is needed, and what there is"


@pytest.mark.docker
def test_import_and_syntax_errors(project):
    script(project, "imports", f"import no_such_package_here\n{workspaces.COPY}")
    script(project, "syntax", "def main(input_paths, output_paths, environ_vars, job_args:\n    pass\n")
    script(project, "broken_script", "print('no main here')\n")
    tester = RuntimeTester("test_workspace")
    found = {name: tester.test_script(name) for name in ("imports", "syntax", "broken_script")}
    assert {name: result.kind for name, result in found.items()} == {
        "imports": "import",
        "syntax": "syntax",
        "broken_script": "signature",
    }
    assert not any(result.success for result in found.values())
    assert "scripts/syntax.py:1" in (found["syntax"].error_message or "")
    assert "main" in (found["broken_script"].error_message or "")


def test_specs_belong_to_the_user(project):
    nodes = ["data_loading", "xgboost_training", "model_evaluation"]
    builder = PipelineTestingSpecBuilder(test_data_dir="test/integration/runtime")
    spec = builder.build_from_dag(chain(nodes))
    assert list(spec.script_specs) == nodes
    assert builder.list_saved_specs() == sorted(nodes)
    builder.update_script_spec("model_evaluation", environ_vars={"LABEL_FIELD": "mine"})
    again = PipelineTestingSpecBuilder("test/integration/runtime").build_from_dag(chain(nodes))
    assert again.script_specs["model_evaluation"].environ_vars == {"LABEL_FIELD": "mine"}, "the saved one is used"
    params = builder.get_script_main_params(again.script_specs["model_evaluation"])
    assert params == {
        "input_paths": {"data_input": "test/integration/runtime/model_evaluation/input"},
        "output_paths": {"data_output": "test/integration/runtime/model_evaluation/output"},
        "environ_vars": {"LABEL_FIELD": "mine"},
        "job_args": argparse.Namespace(job_type="testing"),
    }


@pytest.mark.docker
def test_data_of_a_workspace(project):
    script(project, "script_a")
    put(project / "test/integration/runtime/script_a/input/test_data.csv", "id\n7\n")
    builder = PipelineTestingSpecBuilder()
    spec = builder.build_from_dag(PipelineDAG(["script_a"]))
    tester = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=spec))
    assert tester.test_script_with_spec(spec.script_specs["script_a"]).success
    assert (project / "test/integration/runtime/script_a/output/test_data.csv").read_text() == "id\n7\n"


@pytest.mark.docker
def test_data_of_a_project(project):
    """The project's script and data come before the common ones, and its outputs lie with it."""
    script(project, "script_a", "def main(input_paths, output_paths, environ_vars, job_args):\n    1 / 0\n")
    script(project, "script_b")
    root = project / "development/projects/project_xxx"
    put(root / "scripts/script_a.py", workspaces.COPY)
    put(root / "test/integration/runtime/script_a/input/user_test_data.csv", "id\n8\n")
    specs = [ScriptExecutionSpec.create_default(name) for name in ("script_a", "script_b")]
    pipeline = PipelineTestingSpec(
        dag=PipelineDAG(["script_a", "script_b"]), script_specs=specs, workspace_aware_root=str(root)
    )
    plain = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=pipeline))
    assert not plain.test_script_with_spec(specs[0]).success
    aware = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=pipeline, use_workspace_aware=True))
    results = aware.test_pipeline_flow_with_spec(pipeline)
    assert results["pipeline_success"], results["errors"]
    written = root / "test/integration/runtime"
    assert (written / "script_a/output/user_test_data.csv").read_text() == "id\n8\n"
    assert (written / "script_b/output/table.csv").is_file(), "without data of its own it takes the common one"


def test_spec_of_a_dag(project):
    nodes = ["CradleDataLoading_training", "TabularPreprocessing_training", "XGBoostTraining"]
    put(project / "scripts/cradle_data_loading.py", workspaces.COPY)
    builder = PipelineTestingSpecBuilder(contracts_dir="contracts", test_data_dir="test/integration/runtime")
    spec = builder.build_from_dag(chain(nodes))
    assert spec.dag.nodes == nodes
    assert [each.script_name for each in spec.script_specs.values()] == [
        "cradle_data_loading",
        "tabular_preprocessing",
        "xgboost_training",
    ]
    assert spec.script_specs["TabularPreprocessing_training"].job_args == {"job_type": "training"}
    assert list(spec.script_specs["XGBoostTraining"].input_paths) == ["input_path", "hyperparameters_s3_uri"]
    assert spec.test_workspace_root == "test/integration/runtime"


def test_main_params_of_a_spec(project):
    spec = ScriptExecutionSpec(
        script_name="xgboost_training",
        script_path=None,
        input_paths={"data_input": "test/integration/runtime/xgboost_training/input"},
        output_paths={"data_output": "test/integration/runtime/xgboost_training/output"},
        environ_vars={"MODEL_TYPE": "xgboost", "EVAL_METRIC": "auc"},
        job_args={"job_type": "training", "n_estimators": 100},
    )
    params = PipelineTestingSpecBuilder().get_script_main_params(spec)
    seen = (lambda input_paths, output_paths, environ_vars, job_args: (environ_vars, job_args))(**params)
    assert seen == (
        {"MODEL_TYPE": "xgboost", "EVAL_METRIC": "auc"},
        argparse.Namespace(job_type="training", n_estimators=100),
    )


def test_dag_is_kept(project):
    dag = chain(["tabular_preprocessing", "xgboost_training"])
    spec = PipelineTestingSpecBuilder().build_from_dag(dag)
    assert spec.dag.nodes == dag.nodes
    assert spec.dag.edges == dag.edges


def test_contract_gives_environment_and_arguments(project):
    """With their real defaults; and the file is found under each of the three names."""
    contract = project / "contracts/xgboost_training_contract.py"
    for name in ("xgboost_training_contract.py", "xgboosttraining_contract.py", "XGBoostTraining_contract.py"):
        contract = contract.rename(contract.with_name(name))
        spec = PipelineTestingSpecBuilder("w").resolve_script_execution_spec_from_node("XGBoostTraining")
        assert spec.environ_vars == {"LABEL_FIELD": "target"}, name
        assert list(spec.output_paths) == ["model_output", "evaluation_output"]


def test_dag_alone(project):
    script(project, "preprocessing")
    script(project, "training")
    dag = chain(["data_loading", "preprocessing", "training"])
    builder = PipelineTestingSpecBuilder()
    spec = builder.build_from_dag(dag)
    assert list(spec.script_specs) == dag.nodes
    assert list(spec.script_specs["data_loading"].input_paths) == ["raw_data"], "as its main looks it up"
    assert all(builder.validate_spec(each)["valid"] for each in spec.script_specs.values())


@pytest.mark.docker
def test_minimal_input(project):
    for name in ("my_script", "preprocessing", "training"):
        script(project, name)
    builder = PipelineTestingSpecBuilder()
    spec = builder.build_from_dag(PipelineDAG(nodes=["my_script"], edges=[]))
    tester = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=spec))
    own = spec.script_specs["my_script"]
    assert tester.test_script_with_spec(own, builder.get_script_main_params(own)).success
    spec = builder.build_from_dag(chain(["data_loading", "preprocessing", "training"]))
    results = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=spec)).test_pipeline_flow_with_spec(spec)
    assert results["pipeline_success"], results["errors"]
    assert list(results["data_flow_results"]) == ["data_loading->preprocessing", "preprocessing->training"]


@pytest.mark.docker
def test_command_lines(project):
    names = ["data_preprocessing", "model_training", "model_evaluation"]
    for name in (*names, "currency_conversion"):
        script(project, name)
    put(project / "my_pipeline.json", json.dumps({"nodes": names, "edges": chain(names).edges}))
    said = {
        ("test-script", "currency_conversion"): ["currency_conversion: PASS ("],
        ("test-compatibility", *names[:2]): ["data_preprocessing -> model_training: COMPATIBLE (CSV -> CSV)"],
        ("test-pipeline", "my_pipeline.json"): [
            "pipeline: PASS",
            *(f"  {name}: PASS" for name in names),
            "  data_preprocessing -> model_training: COMPATIBLE",
            "  model_training -> model_evaluation: COMPATIBLE",
        ],
    }
    program = Path(sys.executable).parent / "run-pipeline"
    for arguments, beginnings in said.items():
        done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert all(any(line.startswith(begin) for line in lines) for begin in beginnings), done.stdout


@pytest.mark.docker
def test_three_ways_to_use_it(project):
    for name in ("currency_conversion", "script_a", "script_b", "preprocessing", "training"):
        script(project, name)
    builder = PipelineTestingSpecBuilder(contracts_dir="contracts", test_data_dir="test/integration/runtime")

    single = builder.build_from_dag(PipelineDAG(nodes=["currency_conversion"], edges=[]))
    tester = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=single))
    own = single.script_specs["currency_conversion"]
    result = tester.test_script_with_spec(own, builder.get_script_main_params(own))
    assert result.success and result.execution_time > 0, str(result)

    pair = builder.build_from_dag(PipelineDAG(nodes=["script_a", "script_b"], edges=[("script_a", "script_b")]))
    tester = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=pair))
    edge = tester.test_data_compatibility_with_specs(pair.script_specs["script_a"], pair.script_specs["script_b"])
    assert edge.compatible and edge.files_read == ("data_output/table.csv",), str(edge)

    whole = builder.build_from_dag(chain(["data_loading", "preprocessing", "training"]))
    tester = RuntimeTester(RuntimeTestingConfiguration(pipeline_spec=whole))
    flow = tester.test_pipeline_flow_with_spec(whole)
    assert flow["pipeline_success"], flow["errors"]
    assert all(each.success for each in flow["script_results"].values())
    assert all(each.compatible for each in flow["data_flow_results"].values())


def test_results_can_be_made_by_hand():
    result = ScriptTestResult(
        script_name="broken_script", success=False, error_message="no main()", execution_time=0.001,
        has_main_function=False,
    )  # fmt: skip
    assert "no main()" in str(result)
    edge = DataCompatibilityResult(
        script_a="data_prep", script_b="model_train", compatible=False, compatibility_issues=["no column", "no label"]
    )
    assert "no column" in str(edge) and "no label" in str(edge)
