"""A step whose inputs are not what it expects: its script is not started, and everything says why."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data.tables import column, table
from pipeline.helpers import OUT, Harness, plan_of, step, verdicts

from runner.data.tables import FileSchema
from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine
from runner.errors import EnvironmentFault
from runner.pipeline import expecting
from runner.pipeline.events import StepStarted
from runner.pipeline.reuse import Reuse
from runner.pipeline.store import find_run
from runner.report.failure import describe
from runner.report.junit import kind
from runner.report.plan import text as plan_text

Files = tuple[FileSchema, ...]
NEEDS_LABEL = {"columns": {"label": {"family": "int", "nullable": False}}}
MODES = pytest.mark.parametrize("mode", list(StartMode))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, bool]]:
    """What was read, and whether to its end. Every directory holds one table: the columns are the file's first line."""
    asked: list[tuple[Path, bool]] = []

    def look(root: Path, whole: bool) -> Files:
        asked.append((root, whole))
        names = next(root.iterdir()).read_text().split()[0].split(",")
        return (table("rows.csv", *(column(name) for name in names), complete=whole),)

    monkeypatch.setattr(expecting, "look", look)
    return asked


def made(columns: str) -> Canned:
    return Canned(files={f"{OUT}/out/rows.csv": f"{columns}\n1,2\n".encode()})


def using(expects: Any) -> dict[str, Any]:
    return {"inputs": {"make": {"from": "make.out", "expects": expects}}}


@MODES
def test_the_script_does_not_start_and_what_follows_is_blocked(
    tmp_path: Path, looks: list[tuple[Path, bool]], mode: StartMode
) -> None:
    engine = FakeEngine({"make": made("id,labels")}, mode=mode)
    harness = Harness(tmp_path, engine, keep_going=True)
    finished = harness.execute(make=step(), use=step(**using(NEEDS_LABEL)), after=step("use"), aside=step("make"))
    assert verdicts(finished) == {"make": "passed", "use": "invalid-input", "after": "blocked", "aside": "passed"}
    assert (finished.exit_code, finished.status) == (1, "failed")
    result = next(each for each in finished.results if each.step == "use")
    assert result.reason == ("input 'make' needs column 'label'; 'rows.csv' has 'id', 'labels' (nearest: 'labels')")
    assert (result.exit_code, result.seconds, result.started_at) == (None, 0.0, None)
    assert [event.step for event in harness.recorder.of(StepStarted)] == ["make", "aside"]
    assert ("run", "use") not in engine.journal
    folder = harness.root / "steps/use"
    assert json.loads((folder / "result.json").read_text())["verdict"] == "invalid-input"
    assert not (folder / "stdout").exists()
    assert (folder / "shell.sh").exists()
    assert looks == [(harness.root / "steps/make/outputs/out", True)]
    assert find_run(harness.runs).result("use") == result
    assert "It never ran: there is no output." in describe(result, harness.root)
    assert kind(result) == "failure"


@MODES
def test_what_is_met_runs_and_what_expects_nothing_is_not_looked_at(
    tmp_path: Path, looks: list[tuple[Path, bool]], mode: StartMode
) -> None:
    harness = Harness(tmp_path, FakeEngine({"make": made("id,label")}, mode=mode))
    finished = harness.execute(make=step(), use=step(**using({"required": ["label"]})), other=step("make"))
    assert set(verdicts(finished).values()) == {"passed"}
    assert looks == [(harness.root / "steps/make/outputs/out", False)]


def test_a_host_source_is_looked_at_as_the_script_would_find_it(tmp_path: Path, looks: list[tuple[Path, bool]]) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")
    inputs = {"x": {"source": str(tmp_path / "rows.csv"), "expects": {"required": "c"}}}
    harness = Harness(tmp_path, FakeEngine())
    finished = harness.execute(use=step(inputs=inputs))
    assert verdicts(finished) == {"use": "invalid-input"}
    assert looks == [(harness.root / "steps/use/inputs/x", False)]


def test_what_is_risky_is_a_warning(tmp_path: Path, looks: list[tuple[Path, bool]]) -> None:
    engine = FakeEngine({"make": made("id,label")})
    finished = Harness(tmp_path, engine).execute(make=step(), use=step(**using({"columns": {"label": "string"}})))
    assert verdicts(finished) == {"make": "passed", "use": "passed"}
    (warning,) = finished.results[1].warnings
    assert warning.startswith("input 'make' needs column 'label' of 'rows.csv' to be string; it is int")


def test_of_many_faults_the_first_are_the_reason_and_none_is_lost(
    tmp_path: Path, looks: list[tuple[Path, bool]]
) -> None:
    engine = FakeEngine({"make": made("id")})
    wanted = {"required": [f"c{n}" for n in range(8)]}
    result = Harness(tmp_path, engine).execute(make=step(), use=step(**using(wanted))).results[1]
    assert "needs column 'c4'" in result.reason
    assert result.reason.endswith("; and 3 more, see the notes")
    assert [warning.partition(";")[0] for warning in result.warnings] == [
        f"input 'make' needs column 'c{n}'" for n in (5, 6, 7)
    ]


def test_several_instances_are_looked_at_once(tmp_path: Path, looks: list[tuple[Path, bool]]) -> None:
    engine = FakeEngine({"make": made("id")})
    finished = Harness(tmp_path, engine).execute(make=step(), use=step(instance_count=2, **using({"required": "x"})))
    assert verdicts(finished)["use"] == "invalid-input"
    assert len(looks) == 1


def with_look(monkeypatch: pytest.MonkeyPatch, look: Callable[[Path, bool], Files]) -> None:
    monkeypatch.setattr(expecting, "look", look)


def test_a_stop_ends_a_long_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, release = threading.Event(), threading.Event()

    def look(root: Path, whole: bool) -> Files:
        reading.set()
        release.wait(30)
        return ()

    with_look(monkeypatch, look)
    harness = Harness(tmp_path, FakeEngine({"make": made("id")}))
    run = harness.prepare(make=step(), use=step(**using({"required": "x"})))
    threading.Thread(target=lambda: reading.wait(20) and run.cancel(2)).start()
    began = time.monotonic()
    finished = run.execute()
    release.set()
    assert time.monotonic() - began < 15
    assert verdicts(finished) == {"make": "passed", "use": "cancelled"}
    assert finished.results[1].reason == "the run was stopped before its script started"
    assert finished.exit_code == 130
    harness.nothing_left()


def test_data_that_cannot_be_read_says_nothing_about_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(root: Path, whole: bool) -> Files:
        raise PermissionError(13, "Permission denied", str(root / "rows.csv"))

    with_look(monkeypatch, look)
    harness = Harness(tmp_path, FakeEngine({"make": made("id")}))
    finished = harness.execute(make=step(), use=step(**using({"required": "x"})))
    assert verdicts(finished)["use"] == "infrastructure"
    assert finished.exit_code == 3
    assert "rows.csv: Permission denied" in finished.results[1].reason


def test_a_schema_without_pandera_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expecting, "find_spec", lambda name: None)
    engine = FakeEngine()
    run = Harness(tmp_path, engine).prepare(make=step(), use=step(**using({"schema": "checks:Rows"})))
    with pytest.raises(EnvironmentFault, match="by 'use', and pandera is not installed here") as caught:
        run.execute()
    assert "run-pipeline[pandera]" in caught.value.remedy
    assert not (tmp_path / "runs").exists()


def test_the_plan_shows_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"make": step(), "use": step(**using({"format": "csv", **NEEDS_LABEL}))})
    assert "expects   of make: csv; label (int no nulls)" in plan_text(plan, Reuse())
    steps = json.loads(json.dumps(plan.to_json()))["steps"]
    assert [each["expects"] for each in steps] == [{}, {"make": {"format": "csv", **NEEDS_LABEL}}]
