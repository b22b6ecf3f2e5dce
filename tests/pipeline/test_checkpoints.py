"""A training step's checkpoints from one run to the next, and what a failed step leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline.helpers import Harness, step, verdicts

from runner.engine.base import StartMode
from runner.engine.fake import FakeEngine, FakeStep
from runner.spec.models import StepSpec

KEPT = "/opt/ml/checkpoints"


def training(**fields: str) -> StepSpec:
    return StepSpec.model_validate({"type": "training", "image": "img", **fields})


def counting(s: FakeStep) -> int:
    """Fails in its first run, and passes when a checkpoint is there."""
    before = list(s.path(KEPT).iterdir())
    (s.path(KEPT) / f"epoch-{len(before)}").write_text("kept")
    (s.path("/opt/ml/model") / "m").write_text("m")
    return 0 if before else 3


@pytest.mark.parametrize("mode", list(StartMode))
def test_an_attempt_finds_what_the_failed_one_before_left(tmp_path: Path, mode: StartMode) -> None:
    for verdict in ("exit", "passed"):
        harness = Harness(tmp_path, FakeEngine({"s": counting}, mode=mode))
        assert verdicts(harness.execute(s=training(checkpoints="made/here"))) == {"s": verdict}
    assert sorted(path.name for path in (tmp_path / "made" / "here").iterdir()) == ["epoch-0", "epoch-1"]
    assert not (harness.root / "steps/s/attempt").exists()


def test_a_failed_step_names_what_it_left(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"s": counting}))
    (result,) = harness.execute(s=training(checkpoints="state")).results
    assert result.partial == {"model": "steps/s/attempt/model"}, "and not the empty one"
    assert json.loads((harness.root / "steps/s/result.json").read_text())["partial"] == result.partial
    (passed,) = Harness(tmp_path, FakeEngine({"s": counting})).execute(s=training(checkpoints="state")).results
    assert passed.partial == {}
    (failed,) = Harness(tmp_path, FakeEngine({"p": lambda _: 1})).execute(p=step()).results
    assert failed.partial == {}


def test_a_run_directory_does_not_lie_in_the_checkpoints(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"s": counting}), runs_dir=tmp_path / "state" / "runs")
    finished = harness.execute(s=training(checkpoints="state"))
    assert (verdicts(finished), finished.exit_code) == ({"s": "infrastructure"}, 3)
    assert "lies inside the step's `checkpoints`" in finished.results[0].reason
    assert "give them a directory of their own" in finished.results[0].reason


def test_a_directory_that_cannot_be_made_is_the_environments_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finished = Harness(tmp_path, FakeEngine({"s": counting})).execute(s=training(checkpoints="file/state"))
    assert (verdicts(finished), finished.exit_code) == ({"s": "infrastructure"}, 3)
