"""Containers that start ahead of need: which, how many, and that none is left."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from pipeline.helpers import PATIENCE, Gates, Harness, step, verdicts

from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import EnvironmentFault, InternalError
from runner.pipeline.events import Notice


def test_the_next_steps_are_prepared_while_one_runs_and_no_more(tmp_path: Path) -> None:
    gates = Gates()
    for name in ("b", "c"):
        gates.reached["prepare", name] = threading.Event()
    engine = FakeEngine(mode=StartMode.STAGED, hook=gates)

    def first(s: FakeStep) -> int:
        (s.outputs["out"] / "f").write_text("1")
        assert gates.reached["prepare", "b"].wait(PATIENCE)
        assert gates.reached["prepare", "c"].wait(PATIENCE)
        assert ("prepare", "d") not in engine.journal
        return 0

    engine.scripts["a"] = first
    finished = Harness(tmp_path, engine).execute(a=step(), b=step("a"), c=step("b"), d=step("c"))
    assert finished.exit_code == 0
    assert [name for point, name in engine.journal if point == "run"] == ["a", "b", "c", "d"]
    assert len([1 for point, _ in engine.journal if point == "prepare"]) == 4


def test_a_step_that_is_due_is_prepared_with_one_other_at_most(tmp_path: Path) -> None:
    gates = Gates()
    due = gates.block("prepare", "a")
    for name in ("b", "c"):
        gates.reached["prepare", name] = threading.Event()
    engine = FakeEngine(mode=StartMode.STAGED, hook=gates)
    began: list[str] = []

    def first(s: FakeStep) -> int:
        assert gates.reached["prepare", "c"].wait(PATIENCE), "not staged while 'a' runs"
        (s.outputs["out"] / "f").write_text("1")
        return 0

    def release() -> None:
        if gates.reached["prepare", "b"].wait(PATIENCE):
            gates.reached["prepare", "c"].wait(0.2)
            began.extend(name for point, name in engine.journal if point == "prepare")
        due.set()

    engine.scripts["a"] = first
    helper = threading.Thread(target=release)
    helper.start()
    finished = Harness(tmp_path, engine).execute(a=step(), b=step("a"), c=step("b"))
    helper.join()
    assert finished.exit_code == 0
    assert sorted(began) == ["a", "b"]


def test_plain_and_cold_steps_are_not_prepared_ahead(tmp_path: Path) -> None:
    for mode in (StartMode.PLAIN, StartMode.COLD):
        engine = FakeEngine(mode=mode)
        Harness(tmp_path, engine).execute(a=step(), b=step("a"))
        journal = [entry for entry in engine.journal if entry[0] in ("prepare", "run")]
        assert journal == [("prepare", "a"), ("run", "a"), ("prepare", "b"), ("run", "b")]


def test_a_staged_container_that_is_not_needed_is_stopped_and_removed_with_its_files(tmp_path: Path) -> None:
    gates = Gates()
    ready = gates.reached["prepare", "b"] = threading.Event()

    def fail(_: FakeStep) -> int:
        assert ready.wait(PATIENCE)
        return 1

    engine = FakeEngine({"a": fail}, mode=StartMode.STAGED, hook=gates)
    harness = Harness(tmp_path, engine)
    finished = harness.execute(a=step(), b=step("a"))
    assert verdicts(finished) == {"a": "exit", "b": "blocked"}
    assert ("stop", "b") in engine.journal
    assert ("remove", "b") in engine.journal
    assert ("run", "b") not in engine.journal
    assert [path.name for path in (harness.root / "steps").iterdir()] == ["a"]


def test_a_staged_container_that_cannot_be_stopped_is_removed_all_the_same(tmp_path: Path) -> None:
    gates = Gates()
    ready = gates.reached["prepare", "b"] = threading.Event()
    gates.fail["stop", "b"] = EnvironmentFault("no answer")

    def fail(_: FakeStep) -> int:
        assert ready.wait(PATIENCE)
        return 1

    harness = Harness(tmp_path, FakeEngine({"a": fail}, mode=StartMode.STAGED, hook=gates))
    harness.execute(a=step(), b=step("a"))
    assert any("no answer" in notice.message for notice in harness.recorder.of(Notice))


def test_staging_that_fails_is_tried_again_when_the_step_is_due(tmp_path: Path) -> None:
    tries: list[str] = []
    staged = threading.Event()

    def once(point: str, name: str) -> None:
        if (point, name) == ("prepare", "b"):
            tries.append(name)
            if len(tries) == 1:
                staged.set()
                raise EnvironmentFault("no memory just now")

    def first(s: FakeStep) -> int:
        (s.outputs["out"] / "f").write_text("1")
        assert staged.wait(PATIENCE)
        return 0

    harness = Harness(tmp_path, FakeEngine({"a": first}, mode=StartMode.STAGED, hook=once))
    finished = harness.execute(a=step(), b=step("a"))
    assert finished.exit_code == 0
    assert len(tries) == 2
    assert any("no memory just now" in notice.message for notice in harness.recorder.of(Notice))


def test_no_staging_where_running_steps_leave_no_memory(tmp_path: Path) -> None:
    engine = FakeEngine(mode=StartMode.STAGED, memory=1 << 30)
    full = {"resources": {"memory": "1g"}}
    Harness(tmp_path, engine).execute(a=step(**full), b=step("a", **full))
    journal = [entry for entry in engine.journal if entry[0] in ("prepare", "run")]
    assert journal == [("prepare", "a"), ("run", "a"), ("prepare", "b"), ("run", "b")]


def test_the_next_step_does_not_wait_for_a_removal_but_the_run_does(tmp_path: Path) -> None:
    for mode in (StartMode.STAGED, StartMode.PLAIN):
        gates = Gates()
        removal = gates.block("remove", "a")

        def second(s: FakeStep, removal: threading.Event = removal, gates: Gates = gates) -> int:
            assert gates.reached["remove", "a"].wait(PATIENCE)
            (s.outputs["out"] / "f").write_text("1")
            removal.set()  # only now: a run that waits for the removal of 'a' first would never get here
            return 0

        engine = FakeEngine({"b": second}, mode=mode, hook=gates)
        assert Harness(tmp_path / mode, engine).execute(a=step(), b=step("a")).exit_code == 0


def test_a_fault_of_this_tool_in_a_clean_up_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("runner.pipeline.attempt._tidy", break_)
    harness = Harness(tmp_path, FakeEngine())
    run = harness.prepare(a=step(), b=step("a"))
    with pytest.raises(InternalError, match="a bug"):
        run.execute()
    harness.nothing_left()
    document = json.loads((harness.root / "run.json").read_text())
    assert document["exit_code"] == 4
    results = {result["step"]: result["state"] for result in document["results"]}
    assert results["a"] == "passed"
    assert json.loads((harness.root / "steps" / "a" / "result.json").read_text())["state"] == "passed"


def test_one_job_at_a_time_never_runs_two(tmp_path: Path) -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def count(s: FakeStep) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.01)
        (s.outputs["out"] / "f").write_text("1")
        with lock:
            running[0] -= 1
        return 0

    for jobs in (1, 3):
        most[0] = 0
        engine = FakeEngine(default=count, mode=StartMode.STAGED)
        harness = Harness(tmp_path, engine, jobs=jobs)
        assert harness.execute(**{f"s{n}": step() for n in range(9)}).exit_code == 0
        assert most[0] <= jobs


def test_many_steps_leave_no_thread_and_no_container(tmp_path: Path) -> None:
    steps = {f"s{n:03}": step(*[f"s{m:03}" for m in {n // 2, n - 1} if 0 <= m < n]) for n in range(60)}
    engine = FakeEngine({"s030": Canned(exit_code=1)}, mode=StartMode.STAGED)
    finished = Harness(tmp_path, engine, keep_going=True).execute(**steps)
    assert list(verdicts(finished).values()) == ["passed"] * 30 + ["exit"] + ["blocked"] * 29
