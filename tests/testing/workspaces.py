"""Copies of the example workspace, with data where the documents' snippets expect it, and small scripts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from runner import PipelineDAG, ScriptExecutionSpec

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "runtime-testing"
WORKSPACES = ("test_workspace", "test/integration/runtime")

COPY = '''\
"""Copies what it is given."""
import shutil
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    for file in sorted(Path(input_paths["data_input"]).rglob("*")):
        if file.is_file():
            shutil.copyfile(file, Path(output_paths["data_output"]) / file.name)
'''
"""A script that passes anywhere: by the default names of a spec, without a package."""


def copy(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example in `project`, which becomes the current directory."""
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    monkeypatch.chdir(project)
    return project


def enter(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `copy`, with the data of the documents' snippets."""
    copy(project, monkeypatch)
    _fill(project)
    return project


def _fill(project: Path) -> None:
    """The data that belongs to the user of the snippets."""
    raw, hyper = project / "data/raw.csv", project / "data/hyperparameters.json"
    for place in ("test_data/input/data/raw.csv", "test_data/raw.csv", "test_data/raw_data.csv"):
        put(project / place, raw.read_text())
    put(project / "data/raw/raw.csv", raw.read_text())
    put(project / "test_config/hyperparameters.json", hyper.read_text())
    labelled = raw.read_text().replace("target", "label", 1)
    for workspace in WORKSPACES:
        root = project / workspace
        for script in ("tabular_preprocessing", "model_evaluation", "data_validation", "data_loading"):
            put(root / script / "input/table.csv", labelled)
        put(root / "model_registration/input/model.txt", "a model")
        put(root / "xgboost_training/input/input_path/table.csv", labelled)
        settings = hyper.read_text().replace("target", "label")
        put(root / "xgboost_training/input/hyperparameters_s3_uri/hyperparameters.json", settings)


def put(path: Path, text: str) -> Path:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def script(project: Path, name: str, text: str = COPY) -> Path:
    """A script of that name, and a table as its input in each workspace."""
    for workspace in WORKSPACES:
        put(project / workspace / name / "input/table.csv", "id,label\n1,0\n2,1\n")
    return put(project / "scripts" / f"{name}.py", text)


def chain(names: Sequence[str]) -> PipelineDAG:
    """Nodes, each of which needs the one before it."""
    return PipelineDAG(names, pairwise(names))


def quick_specs() -> dict[str, ScriptExecutionSpec]:
    """The quick start's pipeline of three steps, by node."""
    out = "./test_output"
    return {
        "preprocessing": ScriptExecutionSpec(
            script_name="tabular_preprocessing",
            step_name="preprocessing",
            input_paths={"DATA": "./test_data/input/data"},
            output_paths={"processed_data": f"{out}/processed"},
            environ_vars={"LABEL_FIELD": "target", "TRAIN_RATIO": "0.7", "TEST_VAL_RATIO": "0.15"},
            job_args={"job_type": "training"},
        ),
        "training": training_spec("training"),
        "evaluation": ScriptExecutionSpec(
            script_name="xgboost_model_evaluation",
            step_name="evaluation",
            input_paths={"model_input": f"{out}/model", "processed_data": f"{out}/processed"},
            output_paths={"eval_output": f"{out}/eval", "metrics_output": f"{out}/metrics"},
            environ_vars={"ID_FIELD": "id", "LABEL_FIELD": "target"},
            job_args={"job_type": "evaluation"},
        ),
    }


def training_spec(step: str) -> ScriptExecutionSpec:
    """The quick start's training, on what the preprocessing wrote."""
    return ScriptExecutionSpec(
        script_name="xgboost_training",
        step_name=step,
        input_paths={
            "input_path": "./test_output/processed",
            "hyperparameters_s3_uri": "./test_config/hyperparameters.json",
        },
        output_paths={"model_output": "./test_output/model", "evaluation_output": "./test_output/evaluation"},
        job_args={"job_type": "training"},
    )


def files(root: Path) -> list[str]:
    """Relative paths of all files below a directory, hidden ones too, sorted."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def check_table(table: Mapping[str, Sequence[str]], headings: Sequence[str], module: Mapping[str, object]) -> None:
    """Every heading of a document that has code is in the table, and every test of the table in the module."""
    assert sorted(table) == sorted(headings), (
        "a heading with code has no test, or the table names one that is not there"
    )
    named = {name for names in table.values() for name in names}
    assert all(table.values())
    there = {name for name in module if name.startswith("test_") and name != "test_every_heading_has_its_test"}
    assert named <= there, f"no such test: {sorted(named - there)}"
    assert there <= named, f"of no heading: {sorted(there - named)}"
