"""`resolve` and `contracts`: what the text of files says about scripts, contracts and edges."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from runner.cli.main import entry

PREPARE = """\
import argparse, os
def main(input_paths, output_paths, environ_vars, job_args):
    input_paths["DATA"], output_paths["processed_data"], output_paths["report"], environ_vars["LABEL_FIELD"]
if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--job_type", choices=["training", "validation"], required=True)
    out = "/opt/ml/processing/output"
    paths = {"processed_data": f"{out}/data", "report": f"{out}/report"}
    main({"DATA": "/opt/ml/processing/input/DATA"}, paths, os.environ, p.parse_args())
"""
PREPARE_CONTRACT = """\
PREPARE = ProcessingScriptContract(
    entry_point="tabular_preprocessing.py",
    expected_input_paths={"DATA": "/opt/ml/processing/input/DATA"},
    expected_output_paths={
        "processed_data": "/opt/ml/processing/output/data",
        "report": "/opt/ml/processing/output/report",
    },
    expected_arguments=["job_type"],
    required_env_vars=["LABEL_FIELD"],
)
"""
TRAIN_CONTRACT = """\
entry_point: xgboost_training.py
expected_input_paths: {processed_data: /opt/ml/input/data/train}
expected_output_paths: {model_output: /opt/ml/model, evaluation_output: /opt/ml/output/data}
"""
EVALUATE_CONTRACT = """\
entry_point: model_evaluation.py
expected_input_paths: {model_input: /opt/ml/processing/input/model, eval_data: /opt/ml/processing/input/eval}
"""
DAG = {
    "nodes": ["TabularPreprocessing_training", "XGBoostTraining", "ModelEvaluation"],
    "edges": [["TabularPreprocessing_training", "XGBoostTraining"], ["XGBoostTraining", "ModelEvaluation"]],
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a bare DAG, its scripts in `scripts`, their contracts in `contracts`."""
    monkeypatch.chdir(tmp_path)
    files = {
        "dag.json": json.dumps(DAG),
        "scripts/tabular_preprocessing.py": PREPARE,
        "scripts/xgboost_training.py": "def main(input_paths, output_paths, environ_vars, job_args): pass\n",
        "scripts/model_evaluation.py": "print(1)\n",
        "contracts/tabular_preprocessing_contract.py": PREPARE_CONTRACT,
        "contracts/xgboost_training.step.yaml": TRAIN_CONTRACT,
        "contracts/model_evaluation.step.yaml": EVALUATE_CONTRACT,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_resolve_shows_every_choice_with_its_rule(here, capsys) -> None:
    assert entry(["resolve", "dag.json", "--semantic-threshold", "0.7"]) == 0
    assert (
        capsys.readouterr().out
        == """\
NODE                           SCRIPT                            RULE            SCORE
TabularPreprocessing_training  scripts/tabular_preprocessing.py  canonical_name  1.00
  job type  --job_type training (asked for by script)
  contract  contracts/tabular_preprocessing_contract.py (snake_case_file)
XGBoostTraining                scripts/xgboost_training.py       canonical_name  1.00
  contract  contracts/xgboost_training.step.yaml (step_yaml)
ModelEvaluation                scripts/model_evaluation.py       canonical_name  1.00
  contract  contracts/model_evaluation.step.yaml (step_yaml)

EDGE                                              BRINGS                            RULE           SCORE
TabularPreprocessing_training -> XGBoostTraining  processed_data -> processed_data  exact_logical  1.00
  also      report -> processed_data (0.09)
XGBoostTraining -> ModelEvaluation                model_output -> model_input       semantic       1.00
  by        words in common: model; spelling 1.00
  also      evaluation_output -> model_input (0.08)
XGBoostTraining -> ModelEvaluation                evaluation_output -> eval_data    semantic       0.71
  by        words in common: evaluation; spelling 0.80
  also      model_output -> eval_data (0.06)

3 nodes, 3 edges: all resolved
"""
    )


def test_without_a_threshold_nothing_is_guessed(here, capsys) -> None:
    assert entry(["resolve", "dag.json"]) == 2
    out = capsys.readouterr().out
    assert "XGBoostTraining -> ModelEvaluation                nothing                           unbound" in out
    assert "nearest   model_output -> model_input (1.00), evaluation_output -> eval_data (0.71)" in out
    assert "dag.json:1:" in out
    assert "edges.1: edge 'XGBoostTraining' -> 'ModelEvaluation' can be bound in no way or in several" in out
    assert out.endswith("3 nodes, 2 edges: 1 problem\n")


def test_resolve_as_json(here, capsys) -> None:
    assert entry(["resolve", "dag.json", "--format", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["schema_version"], document["resolved"], len(document["problems"])) == (1, False, 1)
    first = document["nodes"][0]
    assert (first["script"], first["rule"], first["score"]) == (
        "scripts/tabular_preprocessing.py",
        "canonical_name",
        1.0,
    )
    assert (first["arguments"], first["job_type_asked_by"]) == (["--job_type", "training"], "script")
    assert (first["contract_discovery"], first["entry_point_valid"]) == ("snake_case_file", True)
    assert [edge["rule"] for edge in document["edges"]] == ["exact_logical", "unbound"]
    best = {"output": "model_output", "input": "model_input", "score": 1.0}
    assert document["edges"][1]["alternatives"][0] == best


def test_a_missing_script_says_where_it_was_looked_for(here, capsys) -> None:
    (here / "scripts/model_evaluation.py").rename(here / "scripts/model_evaluaton.py")
    assert entry(["resolve", "dag.json", "--semantic-threshold", "0.7"]) == 2
    out = capsys.readouterr().out
    assert "ModelEvaluation                none" in out
    assert "nearest   scripts/model_evaluaton.py (similar 0.97)" in out
    assert (
        "no script for node 'ModelEvaluation': looked for 'model_evaluation.py', 'scripts/model_evaluation.py'" in out
    )


def test_search_directories_go_first(here, capsys) -> None:
    workspace = here / "w"
    (workspace / "contracts").mkdir(parents=True)
    (workspace / "model_evaluation.py").write_text("")
    (workspace / "contracts/model_evaluation_contract.py").write_text(
        "C = ScriptContract(entry_point='model_evaluation.py')"
    )
    assert entry(["resolve", "dag.json", "--search", "w"]) == 2
    out = capsys.readouterr().out
    assert "w/model_evaluation.py" in out
    assert "also      scripts/model_evaluation.py (canonical_name 1.00)" in out
    assert "contract  w/contracts/model_evaluation_contract.py (snake_case_file)" in out


def test_specs_decide_as_in_a_run(here, capsys) -> None:
    specs = {
        "TabularPreprocessing_training": {
            "script_path": "scripts/tabular_preprocessing.py",
            "output_paths": {"a": "x"},
        },
        "XGBoostTraining": {
            "script_name": "xgboost_training",
            "input_paths": {"b": "none"},
            "output_paths": {"m": "x"},
        },
        "ModelEvaluation": {
            "script_name": "model_evaluation",
            "input_path_specs": {"z": {"path": "none", "aliases": ["m"]}, "y": {"path": "none"}},
        },
    }
    (here / "specs.json").write_text(json.dumps(specs))
    assert entry(["resolve", "dag.json", "--specs", "specs.json"]) == 0
    out = capsys.readouterr().out
    assert "scripts/xgboost_training.py       script_name  1.00" in out
    assert "TabularPreprocessing_training -> XGBoostTraining  a -> b  only_pair         -" in out
    assert "XGBoostTraining -> ModelEvaluation                m -> z  logical_to_alias  0.95" in out
    assert "  by        'm'" in out


def test_a_pipeline_file_shows_its_explicit_edges_and_faulty_ones(here, capsys) -> None:
    (here / "p.yaml").write_text(
        "image: python\nsteps:\n  A: {script: scripts/model_evaluation.py, outputs: [o]}\n"
        "  B: {script: scripts/absent.py, inputs: {i: {from: A.o}, j: {from: A.p}, k: {from: C.x}}, depends_on: A}\n"
        "  D: {image: x}\n  T: {type: transform, image: x}\n"
        "  U: {image: x, inputs: {i: {from: T.output}, m: {from: V.model}}}\n"
        "  V: {type: training, image: x}\n  E: {source_dir: scripts, module: pkg.mod}\n"
    )
    assert entry(["resolve", "p.yaml"]) == 2
    out = capsys.readouterr().out
    for line in (
        "A     scripts/model_evaluation.py  script_path  1.00",
        "D     what its image runs          -            -",
        "E     module pkg.mod               -            -",
        "A -> B  o -> i       explicit  -",
        "T -> U  output -> i  explicit  -",
        "V -> U  model -> m   explicit  -",
        "A -> B  order only   order     -",
        "p.yaml:4:3: steps.B: no script for node 'B': looked for 'scripts/absent.py'",
        "steps.B.inputs.j.from: 'A' has no output 'p'; it has: 'o'",
        "steps.B.inputs.k.from: no step 'C'",
        "7 nodes, 6 edges: 3 problems",
    ):
        assert line in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resolve", "absent.json"], "absent.json: no such file"),
        (["resolve", "dag.json", "--search", "absent"], "Directory 'absent' does not exist"),
        (["resolve", "dag.json", "--semantic-threshold", "2"], "2.0 is not in the range 0<x<=1"),
        (["contracts", "--dir", "absent"], "Directory 'absent' does not exist"),
        (["contracts", "xgboost_trainin"], "no contract for 'xgboost_trainin' (did you mean 'xgboost_training'?)"),
    ],
)
def test_wrong_usage_says_so(here, capsys, words: list[str], message: str) -> None:
    assert entry(words) == 2
    assert message in capsys.readouterr().err


def test_contracts_that_agree(here, capsys) -> None:
    assert entry(["contracts"]) == 0
    out = capsys.readouterr().out
    assert "PREPARE           contracts/tabular_preprocessing_contract.py  tabular_preprocessing.py" in out
    assert "xgboost_training: agrees\n  note: paths not compared: scripts/xgboost_training.py names none below" in out
    assert out.endswith("\n3 contracts: all agree with their scripts\n")


def test_contracts_tells_each_disagreement_with_both_sides(here, capsys) -> None:
    (here / "contracts/xgboost_training.step.yaml").write_text(TRAIN_CONTRACT + "expected_arguments: [eta]\n")
    assert entry(["contracts", "--dir", "."]) == 1
    out = capsys.readouterr().out
    assert (
        "xgboost_training: disagrees\n"
        "  the contract (contracts/xgboost_training.step.yaml:4) gives argument 'eta', which the script "
        "(scripts/xgboost_training.py) does not take\n"
    ) in out
    assert out.endswith("\n3 contracts: 1 does not agree with its script\n")


def test_contracts_as_json(here, capsys) -> None:
    path = here / "contracts/tabular_preprocessing_contract.py"
    path.write_text(PREPARE_CONTRACT.replace('["LABEL_FIELD"]', '["LABEL"]'))
    assert entry(["contracts", "TabularPreprocessing", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    (found,) = document["contracts"]
    assert (document["agree"], found["verdict"], found["class"]) == (False, "disagrees", "ProcessingScriptContract")
    assert (found["discovery_method"], found["script"]) == ("snake_case_file", "scripts/tabular_preprocessing.py")
    assert [(each["kind"], each["name"]) for each in found["disagreements"]] == [
        ("environment", "LABEL"),
        ("environment", "LABEL_FIELD"),
    ]
    assert found["disagreements"][1]["script"] == "scripts/tabular_preprocessing.py:3"


def test_contracts_that_agree_that_have_no_script_and_that_cannot_be_read(here, capsys) -> None:
    assert entry(["contracts", "tabular_preprocessing"]) == 0
    assert capsys.readouterr().out.endswith("\n1 contract: all agree with their scripts\n")
    (here / "scripts/tabular_preprocessing.py").unlink()
    assert entry(["contracts", "tabular_preprocessing"]) == 1
    assert (
        "no script 'tabular_preprocessing.py': looked for 'contracts/tabular_preprocessing.py'"
        in capsys.readouterr().out
    )
    (here / "contracts/bad_contract.py").write_text("C = ScriptContract(entry_point=x)\n")
    assert entry(["contracts"]) == 2
    assert "contracts/bad_contract.py:1:32: entry_point: `x` is not literal" in capsys.readouterr().out


def test_no_contract_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry(["contracts"]) == 5
    assert "no *_contract.py and no *.step.yaml in ." in capsys.readouterr().err


def test_a_script_that_is_not_valid_python_is_told_on_one_line(here, capsys) -> None:
    (here / "scripts/tabular_preprocessing.py").write_text("def main(:\n")
    assert entry(["resolve", "dag.json", "--semantic-threshold", "0.7"]) == 2
    out = capsys.readouterr().out
    assert "nodes.0: scripts/tabular_preprocessing.py:1:10: not valid Python: invalid syntax\n" in out


def test_many_nodes_without_scripts_are_told_in_bounded_time(here, capsys) -> None:
    for index in range(1000):
        (here / f"scripts/step{index}_x.py").write_text("")
    (here / "big.json").write_text(json.dumps({"nodes": [f"Step{index}Y_training" for index in range(600)]}))
    started = time.monotonic()
    assert entry(["resolve", "big.json"]) == 2
    assert time.monotonic() - started < 15
    assert capsys.readouterr().out.endswith("600 nodes, 0 edges: 600 problems\n")
