"""Reading runs back: by name, after a crash, and what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.errors import UsageError, WorkspaceError
from runner.pipeline import rundir
from runner.pipeline.events import StepState
from runner.pipeline.store import find_run, list_runs


def fabricate(runs: Path, run_id: str, **document: object) -> Path:
    folder = runs / run_id
    (folder / "steps").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run_id": run_id, "steps": ["a"], **document}))
    return folder


def test_runs_are_found_by_latest_id_and_unique_prefix(tmp_path: Path) -> None:
    fabricate(tmp_path, "20260101T000000Z-aaaaaa", started_at="1", status="passed")
    fabricate(tmp_path, "20260102T000000Z-bbbbbb", started_at="2", status="failed")
    assert [r.run_id[-6:] for r in list_runs(tmp_path)] == ["aaaaaa", "bbbbbb"]
    assert find_run(tmp_path).run_id.endswith("bbbbbb")
    (tmp_path / "latest").symlink_to("20260101T000000Z-aaaaaa")
    assert find_run(tmp_path).run_id.endswith("aaaaaa")
    assert find_run(tmp_path, "20260102").status == "failed"
    assert find_run(tmp_path, "20260102T000000Z-bbbbbb").status == "failed"
    with pytest.raises(UsageError, match="several runs begin with '202601'") as several:
        find_run(tmp_path, "202601")
    assert "bbbbbb" in several.value.remedy
    with pytest.raises(UsageError, match="did you mean '20260102T000000Z-bbbbbb'"):
        find_run(tmp_path, "20260102T000000Z-bbbbbc")


def test_no_runs_at_all(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    with pytest.raises(UsageError, match="no runs in"):
        find_run(tmp_path / "none")


def test_a_running_run_whose_owner_is_dead_died(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "60"])
    owner = rundir.owner() | {"pid": str(child.pid), "started": "1"}
    fabricate(tmp_path, "r1", status="running", owner=owner)
    fabricate(tmp_path, "r2", status="running", owner=rundir.owner())
    fabricate(tmp_path, "r3", status="running", owner=rundir.owner() | {"host": "elsewhere", "pid": "1"})
    fabricate(tmp_path, "r4", status="running", owner=rundir.owner() | {"boot": "before"})
    child.kill()
    child.wait()
    assert [r.status for r in list_runs(tmp_path)] == ["died", "running", "running", "died"]
    result = find_run(tmp_path, "r1").result("a")
    assert result.state is StepState.CANCELLED
    assert "died" in result.reason
    assert find_run(tmp_path, "r2").result("a").state is StepState.WAITING


def test_a_damaged_run_hides_no_other_and_says_so_when_asked(tmp_path: Path) -> None:
    fabricate(tmp_path, "good", status="passed")
    bad = fabricate(tmp_path, "bad", status="passed")
    (bad / "steps/a").mkdir()
    (bad / "steps/a/result.json").write_text('{"state": "nonsense"}')
    (fabricate(tmp_path, "worse") / "run.json").write_text("{")
    assert sorted(r.run_id for r in list_runs(tmp_path)) == ["bad", "good", "worse"]
    assert find_run(tmp_path, "worse").status == "died"
    with pytest.raises(WorkspaceError, match=r"result\.json is not a step's result"):
        find_run(tmp_path, "bad").result("a")
    with pytest.raises(UsageError, match=r"no step 'b'"):
        find_run(tmp_path, "good").result("b")


def test_run_directories_never_collide(tmp_path: Path) -> None:
    made = [rundir.create(tmp_path) for _ in range(50)]
    assert len({run.run_id for run in made}) == 50
    for run in made:
        rundir.point_latest(run)
    assert (tmp_path / "latest").resolve() == made[-1].layout.root
    assert not list(tmp_path.glob(".latest*"))
