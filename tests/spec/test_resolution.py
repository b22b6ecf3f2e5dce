"""Which script a node means."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.spec.contracts import ScriptContract
from runner.spec.naming import readings, snake_case, split_job_type
from runner.spec.resolution import resolve

SNAKE = {
    "XGBoostTraining": "xgboost_training",
    "PyTorchModelEval": "pytorch_model_eval",
    "LightGBMTraining": "lightgbm_training",
    "MLFlowRegistration": "mlflow_registration",
    "TensorFlowServing": "tensorflow_serving",
    "SageMakerPipelineXGBoost": "sagemaker_pipeline_xgboost",
    "AutoML": "automl",
    "TabularPreprocessing": "tabular_preprocessing",
    "S3Upload": "s3_upload",
    "PCATransform": "pca_transform",
    "Model2Eval": "model2_eval",
    "already_snake_case": "already_snake_case",
    "with-dashes": "with_dashes",
    "X": "x",
}


@pytest.mark.parametrize(("name", "snake"), SNAKE.items())
def test_snake_case_knows_special_names(name: str, snake: str) -> None:
    assert snake_case(name) == snake
    assert snake_case(snake) == snake


@pytest.mark.parametrize(
    ("node", "base", "job_type"),
    [
        ("XGBoostTraining_training", "XGBoostTraining", "training"),
        ("A_Calibration", "A", "calibration"),
        ("A_testing", "A", "testing"),
        ("A_other", "A_other", None),
        ("A_B_training", "A_B_training", None),
        ("training", "training", None),
        ("_training", "_training", None),
    ],
)
def test_the_job_type_of_a_node(node: str, base: str, job_type: str | None) -> None:
    assert split_job_type(node) == (base, job_type)


def test_a_name_in_small_letters_is_first_read_as_a_whole() -> None:
    assert readings("xgboost_training") == [("xgboost_training", None), ("xgboost", "training")]
    assert readings("XGBoost_training") == [("XGBoost", "training"), ("XGBoost_training", None)]


JOB = "import argparse\np = argparse.ArgumentParser()\np.add_argument('{flag}'{more})\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(path: str, text: str = "") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file.absolute()


FOUND = [
    ("XGBoostTraining", {}, ["w/xgboost_training.py"], "w/xgboost_training.py", "canonical_name"),
    (
        "XGBoostTraining_training",
        {},
        ["w/scripts/xgboost_training.py"],
        "w/scripts/xgboost_training.py",
        "canonical_name",
    ),
    ("XGBoostTraining_other", {}, ["w/xgboost_training_other.py"], "w/xgboost_training_other.py", "canonical_name"),
    ("A_training", {}, ["w/a_training.py"], "w/a_training.py", "node_name"),
    ("A_training", {}, ["w/a_training.py", "v/a.py"], "v/a.py", "canonical_name"),
    ("a_training", {}, ["w/a_training.py", "w/a.py"], "w/a_training.py", "node_name"),
    ("preprocessing", {}, ["v/preprocessing.py", "w/preprocessing.py"], "w/preprocessing.py", "canonical_name"),
    ("Camel", {}, ["w/Camel.py"], "w/Camel.py", "canonical_name"),
    ("Node", {"script_name": "other"}, ["w/node.py", "w/other.py"], "w/other.py", "script_name"),
    ("Node", {"script_path": Path("x/any.py")}, ["w/node.py", "x/any.py"], "x/any.py", "script_path"),
]


@pytest.mark.parametrize(("node", "given", "files", "expected", "rule"), FOUND)
def test_the_rules_in_their_order(here, node: str, given, files: list[str], expected: str, rule: str) -> None:
    for file in files:
        script(file)
    made = resolve(node, [Path("w"), Path("v")], **given)
    assert (made.script, made.rule, made.score) == (Path(expected).absolute(), rule, 1.0)
    assert made.require() == made.script


def test_other_files_that_fit_are_alternatives(here) -> None:
    first, second = script("w/a.py"), script("v/a.py")
    made = resolve("A_training", [Path("w"), Path("v")])
    assert made.script == first
    assert [(each.path, each.rule, each.score) for each in made.alternatives] == [(second, "canonical_name", 1.0)]


def test_a_similar_name_is_suggested_and_never_taken(here) -> None:
    near = script("w/xgboost_training.py")
    script("w/unlike.py")
    Path("w/xgboost_trainin.py").mkdir()  # a directory is no script
    made = resolve("XGBoostTrainin", [Path("w")])
    assert (made.script, made.rule) == (None, None)
    assert [(each.path, each.rule) for each in made.alternatives] == [(near, "similar")]
    assert made.message == (
        "no script for node 'XGBoostTrainin': looked for 'w/xgboost_trainin.py', 'w/scripts/xgboost_trainin.py', "
        "'w/XGBoostTrainin.py', 'w/scripts/XGBoostTrainin.py'; nearest: w/xgboost_training.py (0.97)"
    )
    with pytest.raises(UsageError, match="no script for node 'XGBoostTrainin'"):
        made.require()


def test_a_given_path_that_is_not_there_is_not_replaced(here) -> None:
    script("w/a.py")
    made = resolve("A", [Path("w")], script_path=Path("w/aa.py"))
    assert made.script is None
    assert "looked for 'w/aa.py'; nearest: w/a.py" in made.message


JOB_TYPES = [
    (JOB.format(flag="--job_type", more=""), None, ("--job_type", "training"), "script"),
    (JOB.format(flag="--job-type", more=""), None, ("--job-type", "training"), "script"),
    (JOB.format(flag="-j', '--job_type", more=""), None, ("--job_type", "training"), "script"),
    (
        "",
        ScriptContract(entry_point="a.py", expected_arguments={"job_type": None}),
        ("--job_type", "training"),
        "contract",
    ),
    ("", ScriptContract(entry_point="a.py", expected_arguments=["job-type"]), ("--job-type", "training"), "contract"),
    ("", ScriptContract(entry_point="a.py"), (), None),
    ("", None, (), None),
    (JOB.format(flag="--job", more=""), None, (), None),
]


@pytest.mark.parametrize(("text", "contract", "arguments", "asked"), JOB_TYPES)
def test_the_job_type_is_given_where_something_asks_for_it(here, text: str, contract, arguments, asked) -> None:
    script("w/a.py", text)
    made = resolve("A_training", [Path("w")], contract=contract)
    assert (made.job_type, made.arguments, made.job_type_asked_by, made.remark) == ("training", arguments, asked, None)
    assert resolve("A", [Path("w")], contract=contract).arguments == ()


def test_a_job_type_that_the_script_does_not_take_is_told(here) -> None:
    script("w/a.py", JOB.format(flag="--job_type", more=", choices=['training']"))
    assert resolve("A_training", [Path("w")]).remark is None
    assert resolve("A_testing", [Path("w")]).remark == "w/a.py:3: --job_type takes 'training', not 'testing'"


def test_a_script_that_cannot_be_read_is_chosen_and_told(here) -> None:
    script("w/a.py", "def f(:\n")
    made = resolve("A_training", [Path("w")])
    assert made.script is not None
    assert made.remark.startswith("w/a.py:1:7: not valid Python")
