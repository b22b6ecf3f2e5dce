"""The step cache on a real engine, with the command line as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from faults.workspace import Workspace

pytestmark = pytest.mark.docker

PREP = """
import pathlib, sys
text = pathlib.Path("/opt/ml/processing/input/raw/a.csv").read_text()
out = pathlib.Path("/opt/ml/processing/output/out")
(out / "deep").mkdir()
(out / "deep" / "a.csv").write_text(text * 2)
print("prepared", len(text)); print("to stderr", file=sys.stderr)
"""
TRAIN = """
import pathlib
text = pathlib.Path("/opt/ml/input/data/train/deep/a.csv").read_text()
pathlib.Path("/opt/ml/model/weights").write_text(str(len(text)))
"""
SLOW = "import time\ntime.sleep(2)\n" + PREP


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "w", {"RUN_PIPELINE_CACHE": "on"})
    (made.root / "raw").mkdir()
    (made.root / "raw/a.csv").write_text("1,2\n")
    steps: dict[str, tuple[str, dict[str, Any]]] = {
        "prep": (PREP, {"inputs": {"raw": "raw"}, "outputs": ["out"]}),
        "train": (TRAIN, {"type": "training", "inputs": {"train": {"from": "prep.out"}}}),
    }
    steps["train"][1]["outputs"] = {"output": {"allow_empty": True}}
    made.pipeline(steps)
    return made


def cached(document: dict[str, Any]) -> list[str]:
    assert document["status"] == "passed", document
    return [step["step"] for step in document["steps"] if step["cached"]]


def outputs(workspace: Workspace) -> dict[str, bytes]:
    steps = (workspace.root / "runs/latest").resolve() / "steps"
    found = [*steps.glob("*/outputs/**/*"), *steps.glob("*/std*")]
    return {str(path.relative_to(steps)): path.read_bytes() for path in found if path.is_file()}


def test_a_hit_is_byte_equal_and_one_byte_is_a_miss(workspace: Workspace, python_image: str, engine: Any) -> None:
    assert cached(workspace.document()[1]) == []
    first = outputs(workspace)
    assert first["prep/stdout"] == b"prepared 4\n"
    assert "train/outputs/model/model.tar.gz" in first
    assert cached(workspace.document()[1]) == ["prep", "train"]
    assert outputs(workspace) == first
    os.utime(workspace.root / "raw/a.csv")
    assert cached(workspace.document()[1]) == ["prep", "train"]
    (workspace.root / "raw/a.csv").write_text("1,3\n")
    assert cached(workspace.document()[1]) == []
    (workspace.root / "train.py").write_text(TRAIN + "# a comment\n")
    assert cached(workspace.document()[1]) == ["prep"]
    assert outputs(workspace)["train/outputs/model/model.tar.gz"] == first["train/outputs/model/model.tar.gz"]
    run = json.loads((workspace.root / "runs/latest/run.json").read_text())["run_id"]
    assert not engine.leftovers(run)


def test_a_step_that_follows_hits_reads_their_data(workspace: Workspace, python_image: str) -> None:
    workspace.document()
    assert cached(workspace.document("--force", "train")[1]) == ["prep"]


def test_a_moved_tag_is_a_miss(workspace: Workspace, python_image: str) -> None:
    tag = f"run-pipeline-test:{uuid.uuid4().hex[:8]}"
    path = workspace.root / "pipeline.yaml"
    path.write_text(path.read_text().replace("image: python", f"image: {tag}"))
    build = ["docker", "build", "-q", "-t", tag, "-"]
    try:
        subprocess.run(["docker", "tag", python_image, tag], check=True, capture_output=True)
        assert cached(workspace.document()[1]) == []
        assert cached(workspace.document()[1]) == ["prep", "train"]
        text = f"FROM {python_image}\nENV MOVED=1\n"
        subprocess.run(build, input=text, text=True, check=True, capture_output=True)
        assert cached(workspace.document()[1]) == []
    finally:
        subprocess.run(["docker", "rmi", tag], check=True, capture_output=True)


def test_two_processes_compute_once(workspace: Workspace, python_image: str) -> None:
    (workspace.root / "prep.py").write_text(SLOW)
    runs = [workspace.start("run", "pipeline.yaml", "--json") for _ in range(2)]
    documents = [json.loads(run.communicate(timeout=240)[0]) for run in runs]
    assert sorted(len(cached(document)) for document in documents) == [0, 2]


def test_a_killed_run_frees_its_keys(workspace: Workspace, python_image: str) -> None:
    (workspace.root / "prep.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    first = workspace.start("run", "pipeline.yaml")
    workspace.wait_for("runs/2*/steps/prep/stdout")
    second = workspace.start("run", "pipeline.yaml", "--only", "prep")
    assert second.stdout is not None
    for line in second.stdout:
        if "waits for another" in line:
            break
    else:
        pytest.fail("the second run did not wait")
    first.kill()
    first.communicate()
    assert any("started" in line for line in second.stdout)
    second.terminate()
    second.communicate(timeout=60)
    assert second.returncode == 143
