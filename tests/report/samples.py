"""A small run to report: `load` passed, `train` failed with a traceback, `package` was blocked."""

from __future__ import annotations

from pathlib import Path

from runner.engine.base import Verdict
from runner.pipeline.events import (
    Event,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepOutput,
    StepResult,
    StepStarted,
    StepState,
)

RUN_ID = "20261120T192000Z-ab12cd"
AT = "2026-11-20T19:20:00.000Z"
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/ml/code/train.py", line 22, in main
    raise ValueError("label column 'target' has 3 classes")
ValueError: label column 'target' has 3 classes
"""

LOAD = StepResult(
    step="load",
    state=StepState.PASSED,
    verdict=Verdict.PASSED,
    reason="",
    exit_code=0,
    started_at=AT,
    seconds=0.42,
    image="xgboost",
    image_id="sha256:abc",
    outputs={"data": {"path": "steps/load/outputs/data", "files": 3, "bytes": 1536, "digest": "sha256:0a"}},
    directory="steps/load",
)
TRAIN = StepResult(
    step="train",
    state=StepState.FAILED,
    verdict=Verdict.EXIT,
    reason="exit 3",
    exit_code=3,
    started_at=AT,
    seconds=61.2,
    image="xgboost",
    image_id="sha256:abc",
    exit_message="too many classes\x1b[2J",
    directory="steps/train",
)
PACKAGE = StepResult(
    step="package", state=StepState.BLOCKED, verdict=None, reason="blocked: train failed", blocked_by=("train",)
)


def failed(reason: str = "exit 3", verdict: Verdict = Verdict.EXIT, **facts: object) -> StepResult:
    base = {"step": "train", "state": StepState.FAILED, "directory": "steps/train", "seconds": 1.0}
    return StepResult(**{**base, "verdict": verdict, "reason": reason, **facts})  # type: ignore[arg-type]


def started(run_dir: Path, steps: tuple[str, ...] = ("load", "train", "package")) -> RunStarted:
    file = Path("/home/me/pipeline.yaml")
    return RunStarted(at=AT, run_id=RUN_ID, run_dir=run_dir, pipeline="demo", file=file, steps=steps, jobs=2)


def finished(*results: StepResult, status: str = "failed", exit_code: int = 1) -> RunFinished:
    return RunFinished(at=AT, run_id=RUN_ID, exit_code=exit_code, status=status, results=results, seconds=62.0)


def output(step: str, data: bytes, stream: str = "stdout") -> StepOutput:
    return StepOutput(at=AT, step=step, stream=stream, data=data)


def step_started(step: str) -> StepStarted:
    return StepStarted(at=AT, step=step, mode="staged", image="xgboost")


def step_finished(result: StepResult) -> StepFinished:
    return StepFinished(at=AT, result=result)


def write_streams(run_dir: Path, step: str, stdout: bytes = b"", stderr: bytes = b"") -> None:
    folder = run_dir / "steps" / step
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stdout").write_bytes(stdout)
    (folder / "stderr").write_bytes(stderr)


def demo_run(runs_dir: Path) -> tuple[Path, list[Event]]:
    """The run's directory, with the streams of the failed step, and its events."""
    run_dir = runs_dir / RUN_ID
    write_streams(run_dir, "load", b"3 files\n")
    write_streams(run_dir, "train", b"[0] loss 0.9\n[1] loss 0.8\n", b"a warning\n" + TRACEBACK.encode())
    return run_dir, [
        started(run_dir),
        Notice(at=AT, step=None, message="removed 1 leftover"),
        step_started("load"),
        output("load", b"3 fi"),
        output("load", b"les\n"),
        step_finished(LOAD),
        step_started("train"),
        output("train", b"[0] loss 0.9\r\n[1] loss 0.8"),
        output("train", TRACEBACK.encode(), "stderr"),
        step_finished(TRAIN),
        step_finished(PACKAGE),
        finished(LOAD, TRAIN, PACKAGE),
    ]
