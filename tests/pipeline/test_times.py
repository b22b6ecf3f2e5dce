"""The times in `result.json`: one form, one clock; and the suffix of the copied pipeline file."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pipeline.helpers import Harness, plan_of, step

from runner.engine.base import Outcome, Verdict
from runner.engine.fake import Canned, FakeEngine
from runner.pipeline.execute import Run
from runner.pipeline.layout import RunLayout
from runner.pipeline.rundir import moment, stamp

PASSED = Outcome(
    verdict=Verdict.PASSED, exit_code=0, signal=None, reason="exit 0", started_at="2026-11-20T19:20:00.250Z",
    finished_at="2026-11-20T19:25:31.123456789Z", seconds=1.5004,
)  # fmt: skip


def written(tmp_path: Path, outcome: Outcome) -> tuple[str | None, str | None, float]:
    """`started_at`, `finished_at` and `seconds` of `result.json`."""
    outcome = dataclasses.replace(outcome, verdict=Verdict.EXIT, exit_code=1)
    harness = Harness(tmp_path, FakeEngine({"a": Canned(outcome=outcome)}))
    harness.execute(a=step())
    document = json.loads((harness.root / "steps/a/result.json").read_text())
    return document["started_at"], document["finished_at"], document["seconds"]


@pytest.mark.parametrize("end", ["2026-11-20T19:25:31.123456789Z", "0001-01-01T00:00:00Z", None])
def test_start_end_and_length_agree_whatever_clock_the_engine_has(tmp_path: Path, end: str | None) -> None:
    times = written(tmp_path, dataclasses.replace(PASSED, finished_at=end))
    assert times == ("2026-11-20T19:20:00.250Z", "2026-11-20T19:20:01.750Z", 1.5)


def test_without_a_start_the_engines_end_is_brought_to_milliseconds(tmp_path: Path) -> None:
    times = written(tmp_path, dataclasses.replace(PASSED, started_at=None, seconds=0.0))
    assert times == (None, "2026-11-20T19:25:31.123Z", 0.0)


def test_times_of_a_run_on_the_fake_engine_agree(tmp_path: Path) -> None:
    (result,) = Harness(tmp_path, FakeEngine()).execute(a=step()).results
    assert result.started_at is not None and result.finished_at is not None
    took = datetime.fromisoformat(result.finished_at) - datetime.fromisoformat(result.started_at)
    assert took == timedelta(seconds=result.seconds)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-20T19:25:31.1239Z", "2026-11-20T19:25:31.124Z"),
        ("2026-11-20T19:25:59.9996+02:00", "2026-11-20T17:26:00.000Z"),
        ("2026-11-20T19:25:31", "2026-11-20T19:25:31.000Z"),
    ],
)
def test_stamps_have_milliseconds_and_utc(text: str, shown: str) -> None:
    time = moment(text)
    assert time is not None
    assert stamp(time) == shown
    assert moment("no time") is None


@pytest.mark.parametrize(("file", "copy"), [("p.yml", "pipeline.yaml"), ("dag.JSON", "pipeline.json")])
def test_the_copied_file_keeps_the_kind_of_its_suffix(tmp_path: Path, file: str, copy: str) -> None:
    plan = dataclasses.replace(plan_of(tmp_path, {"a": step()}), file=tmp_path / file)
    run = Run(plan, FakeEngine(), runs_dir=tmp_path / "runs").execute()
    root = tmp_path / "runs" / run.run_id
    assert [path.name for path in root.glob("pipeline.*")] == [copy]
    assert RunLayout(root).pipeline_copy.read_bytes() == plan.source_text
