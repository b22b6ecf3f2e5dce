"""`runs` and `show`: from run directories to text and JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report.samples import AT, LOAD, PACKAGE, RUN_ID, TRAIN, demo_run

from runner.pipeline.records import plain
from runner.pipeline.rundir import owner
from runner.pipeline.store import find_run, list_runs
from runner.report import history
from runner.report.failure import describe

DEAD = {**owner(), "started": "1"}
"""This process, but from another time: it was an earlier one with the same pid."""


@pytest.fixture(autouse=True)
def in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run_dir, _ = demo_run(tmp_path / "runs")
    write_run(run_dir, status="failed", exit_code=1, finished_at=AT, seconds=62.0)
    for result in (LOAD, TRAIN):
        (run_dir / "steps" / result.step / "result.json").write_text(json.dumps(plain(result)))
    return run_dir


def write_run(run_dir: Path, **facts: Any) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    base = {
        "run_id": run_dir.name,
        "pipeline": "demo",
        "file": "/home/me/pipeline.yaml",
        "started_at": AT,
        "steps": ["load", "train", "package"],
        "results": [plain(PACKAGE)],
    }
    (run_dir / "run.json").write_text(json.dumps({**base, **facts}))


def test_show(run_dir: Path) -> None:
    assert history.run_text(find_run(run_dir.parent)) == (
        "demo\n"
        f"  run       {RUN_ID}\n"
        "  file      /home/me/pipeline.yaml\n"
        "  started   2026-11-20 19:20:00\n"
        f"  files     runs/{RUN_ID}\n"
        "\n"
        "✓ load     passed       0.4 s  3 files, 1.5 KiB\n"
        "✗ train    failed        1:01  exit 3\n"
        "─ package  blocked             train did not pass\n"
        "\n"
        f"{describe(TRAIN, run_dir)}\n"
        "\n"
        "✗ failed in 1:02: 1 passed, 1 failed, 1 blocked"
    )


def test_runs(run_dir: Path) -> None:
    write_run(
        run_dir.parent / "20261121T000000Z-000001", started_at="2026-11-21T00:00:00.000Z", status="running", owner=DEAD
    )
    assert history.runs_text(list_runs(run_dir.parent)).splitlines() == [
        "   run                      when                 pipeline  status  time  steps",
        "✗  20261121T000000Z-000001  2026-11-21 00:00:00  demo      died          1 blocked, 2 cancelled",
        "✗  20261120T192000Z-ab12cd  2026-11-20 19:20:00  demo      failed  1:02  1 passed, 1 failed, 1 blocked",
    ]


def test_a_run_that_cannot_be_read_hides_no_other(run_dir: Path) -> None:
    (run_dir / "steps" / "train" / "result.json").write_text("{")
    row = history.runs_text(list_runs(run_dir.parent)).splitlines()[1]
    assert "cannot read" in row
    assert "result.json" in row


def test_a_run_whose_runner_died(run_dir: Path) -> None:
    write_run(run_dir, status="running", owner=DEAD)
    assert history.run_text(find_run(run_dir.parent)).endswith("✗ the runner died before the run ended")


def test_documents(run_dir: Path) -> None:
    document = json.loads(json.dumps(history.run_document(find_run(run_dir.parent))))
    assert (document["schema_version"], document["run_id"], document["exit_code"]) == (1, RUN_ID, 1)
    assert [step["state"] for step in document["steps"]] == ["passed", "failed", "blocked"]
    listed = history.runs_document(list_runs(run_dir.parent))
    assert [run["run_id"] for run in listed["runs"]] == [RUN_ID]
