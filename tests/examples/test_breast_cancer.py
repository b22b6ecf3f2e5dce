"""The examples through the command line, in real containers: what they promise is what a person gets."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.docker

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 540
"""A bound for a run that hangs, images included; a usual run takes a twentieth of it."""


@dataclass(frozen=True)
class Done:
    """A finished `run-pipeline run --json`."""

    exit_code: int
    document: dict[str, Any]
    stderr: str
    workspace: Path

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        return {step["step"]: step for step in self.document["steps"]}

    def states(self) -> dict[str, str]:
        return {name: step["state"] for name, step in self.steps.items()}

    def output(self, step: str, name: str) -> Path:
        """The directory that a step published."""
        return Path(self.document["run_dir"]) / self.steps[step]["outputs"][name]["path"]

    def log(self, step: str, stream: str) -> str:
        return (Path(self.document["run_dir"]) / self.steps[step]["directory"] / stream).read_text()


Runner = Callable[..., Done]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Runs an example in a copy of its directory, once for the whole module."""
    finished: dict[str, Done] = {}

    def run(example: str, file: str, *arguments: str) -> Done:
        if example not in finished:
            workspace = tmp_path_factory.mktemp("examples") / example
            shutil.copytree(EXAMPLES / example, workspace, ignore=shutil.ignore_patterns("raw", "runs", "__pycache__"))
            if (workspace / "make_data.py").exists():
                subprocess.run([sys.executable, str(workspace / "make_data.py")], check=True, timeout=120)
            finished[example] = run_pipeline(workspace, file, *arguments)
        return finished[example]

    return run


def run_pipeline(workspace: Path, *arguments: str) -> Done:
    program = Path(sys.executable).with_name("run-pipeline")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUN_PIPELINE_RUNS")}
    done = subprocess.run(
        [str(program), "run", *arguments, "--json"],
        cwd=workspace,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stdout, f"exit {done.returncode}, no document: {done.stderr}"
    return Done(done.returncode, json.loads(done.stdout), done.stderr, workspace)


@pytest.fixture
def cancer(runner: Runner, xgboost_image: str, xgboost_inference_image: str) -> Done:
    return runner("breast-cancer", "pipeline.yaml")


@pytest.fixture
def failing(runner: Runner, python_image: str) -> Done:
    return runner("failing", "pipeline.yaml", "--keep-going")


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


# --- breast cancer ------------------------------------------------------------------------------------------------


def test_every_step_passes(cancer: Done) -> None:
    assert cancer.exit_code == 0, cancer.stderr
    assert cancer.document["status"] == "passed"
    assert set(cancer.states().values()) == {"passed"}
    order = list(cancer.steps)
    assert sorted(order) == [
        "BatchTransform",
        "DataLoading",
        "DataProfile",
        "ModelCalibration",
        "Package",
        "TabularPreprocessing_calibration",
        "TabularPreprocessing_training",
        "XGBoostModelEval",
        "XGBoostTraining",
    ]
    assert (order[0], order[-1]) == ("DataLoading", "Package")


def test_rows_are_neither_lost_nor_seen_twice(cancer: Done) -> None:
    tables = [
        *(cancer.output("TabularPreprocessing_training", name) for name in ("train", "validation", "test")),
        cancer.output("TabularPreprocessing_calibration", "processed_data"),
    ]
    ids = [pd.read_csv(next(table.glob("*.csv")), dtype={"patient_id": str})["patient_id"] for table in tables]
    assert [len(part) for part in ids] == [298, 64, 64, 143]
    assert sorted(pd.concat(ids)) == [f"{number:06d}" for number in range(1, 570)]


def test_evaluation_is_what_pandas_finds_in_the_predictions(cancer: Done) -> None:
    evaluation = read_json(cancer.output("XGBoostModelEval", "metrics_output") / "evaluation.json")
    table = pd.read_csv(cancer.output("XGBoostModelEval", "eval_output") / "predictions.csv", dtype={"patient_id": str})
    label, probability = table["target"], table["prob_class_1"]
    positives = int(label.sum())
    # AUC as the Mann-Whitney statistic: ranks of the positives.
    auc = (probability.rank()[label == 1].sum() - positives * (positives + 1) / 2) / (
        positives * (len(label) - positives)
    )
    likelihood = probability.where(label == 1, 1 - probability)
    predicted = probability >= 0.5
    assert evaluation["rows"] == len(table) == 64
    assert evaluation["auc"] == pytest.approx(auc, abs=1e-12)
    assert evaluation["log_loss"] == pytest.approx(-likelihood.map(math.log).mean(), abs=1e-9)
    assert evaluation["brier_score"] == pytest.approx(((probability - label) ** 2).mean(), abs=1e-12)
    assert evaluation["accuracy"] == pytest.approx((predicted == (label == 1)).mean(), abs=1e-12)
    assert evaluation["confusion_matrix"] == {
        "true_negative": int((~predicted & (label == 0)).sum()),
        "false_positive": int((predicted & (label == 0)).sum()),
        "false_negative": int((~predicted & (label == 1)).sum()),
        "true_positive": int((predicted & (label == 1)).sum()),
    }
    assert sum(evaluation["confusion_matrix"].values()) == 64


def test_the_predictions_are_of_the_test_rows(cancer: Done) -> None:
    test = pd.read_csv(next(cancer.output("TabularPreprocessing_training", "test").glob("*.csv")), dtype=str)
    predictions = pd.read_csv(cancer.output("XGBoostModelEval", "eval_output") / "predictions.csv", dtype=str)
    assert predictions[["patient_id", "target"]].equals(test[["patient_id", "target"]])


def test_the_served_model_answers_as_the_evaluation_does(cancer: Done) -> None:
    output = cancer.output("BatchTransform", "output")
    assert [path.name for path in output.iterdir()] == ["test_features.csv.out"]
    answers = (output / "test_features.csv.out").read_text().splitlines()
    predictions = pd.read_csv(cancer.output("XGBoostModelEval", "eval_output") / "predictions.csv", dtype=str)
    assert answers == predictions["prob_class_1"].tolist()
    assert cancer.steps["BatchTransform"]["reason"] == "1 request answered, of 64 records in 1 file"
    assert "stopped" in cancer.log("BatchTransform", "stdout").splitlines()[-1]


def test_two_instances_share_the_part_files(cancer: Done) -> None:
    output = cancer.output("DataProfile", "profile")
    profiles = {path.stem: read_json(path) for path in output.iterdir()}
    assert {name: found["host"] for name, found in profiles.items()} == {
        "part-00000": "algo-1",
        "part-00001": "algo-2",
        "part-00002": "algo-1",
    }
    assert sum(found["rows"] for found in profiles.values()) == 569
    hosts = cancer.steps["DataProfile"]["hosts"]
    assert [(each["host"], each["exit_code"]) for each in hosts] == [("algo-1", 0), ("algo-2", 0)]
    assert "algo-2 | " in cancer.log("DataProfile", "stdout")


def test_the_model_is_good(cancer: Done) -> None:
    evaluation = read_json(cancer.output("XGBoostModelEval", "metrics_output") / "evaluation.json")
    assert evaluation["auc"] > 0.98
    assert evaluation["accuracy"] > 0.93
    assert evaluation["log_loss"] < 0.15


def test_calibration_helps_on_rows_it_did_not_see(cancer: Done) -> None:
    metrics = read_json(cancer.output("ModelCalibration", "calibration_output") / "calibration_metrics.json")
    before, after = metrics["before"], metrics["after"]
    assert metrics["rows"] == 143
    assert 0 < after["expected_calibration_error"] < before["expected_calibration_error"] < 0.1
    assert after["brier_score"] < before["brier_score"]
    table = pd.read_csv(cancer.output("ModelCalibration", "calibrated_data") / "calibrated.csv")
    for column, figures in (("prob_class_1", before), ("calibrated_prob_class_1", after)):
        assert figures["brier_score"] == pytest.approx(((table[column] - table["target"]) ** 2).mean(), abs=1e-12)


def test_training_publishes_archives_and_nothing_else(cancer: Done) -> None:
    model, output = (cancer.output("XGBoostTraining", name) for name in ("model", "output"))
    assert [path.name for path in model.iterdir()] == ["model.tar.gz"]
    assert [path.name for path in output.iterdir()] == ["output.tar.gz"]
    with tarfile.open(model / "model.tar.gz") as tar:
        names = {member.name for member in tar.getmembers() if member.isfile()}
    assert names == {"xgboost_model.json", "features.json", "hyperparameters.json"}
    with tarfile.open(output / "output.tar.gz") as tar:
        names = {member.name for member in tar.getmembers() if member.isfile()}
    assert names == {"metrics.json", "training_log.csv", "feature_importance.csv"}


def test_hyperparameters_reach_the_booster(cancer: Done) -> None:
    with tarfile.open(cancer.output("XGBoostTraining", "model") / "model.tar.gz") as tar:
        hyperparameters = json.load(tar.extractfile("hyperparameters.json"))
    given = {"max_depth": 3, "eta": 0.1, "subsample": 0.8, "colsample_bytree": 0.8, "num_round": 200}
    assert hyperparameters.items() >= given.items()


@pytest.mark.parametrize("step", ["XGBoostModelEval", "ModelCalibration", "Package"])
def test_consumers_unpack_the_model_and_the_producer_keeps_it_closed(cancer: Done, step: str) -> None:
    assert "unpacked /opt/ml/processing/input/model/model.tar.gz" in cancer.log(step, "stdout")
    assert [path.name for path in cancer.output("XGBoostTraining", "model").rglob("*")] == ["model.tar.gz"]


def test_every_published_file_is_still_as_its_manifest_says(cancer: Done) -> None:
    from runner.data.manifest import scan

    checked = 0
    for step in cancer.steps.values():
        for name, output in step["outputs"].items():
            assert scan(cancer.output(step["step"], name)).digest == output["digest"], f"{step['step']}.{name}"
            checked += 1
    assert checked == 17


def test_the_users_data_and_scripts_are_untouched(cancer: Done) -> None:
    files = sorted((cancer.workspace / "data" / "raw").iterdir())
    assert [file.name for file in files] == ["part-00000.csv", "part-00001.csv", "part-00002.csv"]
    for script in sorted((EXAMPLES / "breast-cancer" / "scripts").rglob("*.py")):
        copy = cancer.workspace / script.relative_to(EXAMPLES / "breast-cancer")
        assert copy.read_bytes() == script.read_bytes()
    assert not list(cancer.workspace.rglob("__pycache__"))


def test_the_package_is_complete(cancer: Done) -> None:
    output = cancer.output("Package", "packaged_model")
    manifest = read_json(output / "manifest.json")
    with tarfile.open(output / "model_package.tar.gz") as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    assert {name: f"sha256:{sha256(content).hexdigest()}" for name, content in contents.items()} == {
        name: entry["digest"] for name, entry in manifest["files"].items()
    }
    evaluation = cancer.output("XGBoostModelEval", "metrics_output") / "evaluation.json"
    assert contents["evaluation/evaluation.json"] == evaluation.read_bytes()
    assert manifest["evaluation"] == read_json(evaluation)
    assert "model/xgboost_model.json" in contents
    assert "model/model.tar.gz" not in contents


def test_exit_messages_tell_the_figures(cancer: Done) -> None:
    evaluation = read_json(cancer.output("XGBoostModelEval", "metrics_output") / "evaluation.json")
    messages = {name: step["exit_message"] for name, step in cancer.steps.items()}
    assert messages["DataLoading"] == "569 rows: 426 to train, 143 to calibrate"
    assert messages["XGBoostModelEval"].startswith(f"AUC {evaluation['auc']:.4f}, ")
    assert messages["XGBoostTraining"] is None


def test_a_second_run_gives_the_same_bytes(cancer: Done) -> None:
    again = run_pipeline(cancer.workspace, "pipeline.yaml", "--until", "XGBoostModelEval")
    assert again.exit_code == 0, again.stderr
    for name, step in again.steps.items():
        assert step["outputs"].keys() == cancer.steps[name]["outputs"].keys()
        for output, published in step["outputs"].items():
            assert published["digest"] == cancer.steps[name]["outputs"][output]["digest"], f"{name}.{output}"
    assert len(again.steps) == 4


def test_a_training_failure_is_the_reason_of_the_step(cancer: Done) -> None:
    text = (cancer.workspace / "pipeline.yaml").read_text()
    broken = cancer.workspace / "broken.yaml"
    broken.write_text(text.replace("hyperparameters: {max_depth: 3,", "hyperparameters: {max_depth: -3,"))
    assert broken.read_text() != text
    done = run_pipeline(cancer.workspace, "broken.yaml", "--until", "XGBoostTraining")
    assert done.exit_code == 1
    step = done.steps["XGBoostTraining"]
    assert (step["state"], step["verdict"]) == ("failed", "exit")
    assert "max_depth" in step["exit_message"]
    assert not step["outputs"]


# --- the other examples -------------------------------------------------------------------------------------------


def test_hello(runner: Runner, python_image: str) -> None:
    done = runner("hello", "pipeline.yaml")
    assert done.exit_code == 0, done.stderr
    assert done.states() == {"Greet": "passed", "Count": "passed"}
    # `$HOME` and `&` arrive as they were written: no shell has read them.
    assert done.output("Greet", "greeting").joinpath("greeting.txt").read_text() == "hello, wörld & $HOME\n"
    assert read_json(done.output("Count", "count") / "count.json") == {"text": "hello, wörld & $HOME", "letters": 14}


def test_the_failing_example_names_the_column(failing: Done) -> None:
    assert failing.exit_code == 1
    assert failing.document["status"] == "failed"
    assert failing.states() == {
        "PrepareLabels": "passed",
        "Describe": "passed",
        "CountLabels": "failed",
        "Summarise": "blocked",
    }
    step = failing.steps["CountLabels"]
    assert (step["verdict"], step["exit_code"]) == ("exit", 1)
    expected = "rows.csv has no column 'label'; its columns are ['transaction_id', 'amount', 'labels']"
    assert step["exit_message"] == expected
    assert expected in failing.log("CountLabels", "stderr")
    assert failing.steps["Summarise"]["blocked_by"] == ["CountLabels"]


def test_a_person_is_told_the_column_too(failing: Done) -> None:
    program = Path(sys.executable).with_name("run-pipeline")
    done = subprocess.run(
        [str(program), "pipeline.yaml", "--color", "never"],
        cwd=failing.workspace,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "rows.csv has no column 'label'" in done.stdout
    assert "CountLabels" in done.stdout


def test_the_dag_example(runner: Runner, python_image: str) -> None:
    done = runner("dag", "dag.json", "--specs", "specs")
    assert done.exit_code == 0, done.stderr
    assert done.states() == {"Clean": "passed", "Average": "passed"}
    assert read_json(done.output("Average", "averages") / "averages.json") == {"north": 2.0, "south": 12.0}
