"""Containers that start ahead of need: which, how many, and that none is left."""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.helpers import PATIENCE, Gates, Harness, step, verdicts

from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import EnvironmentFault
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


def test_plain_and_cold_steps_are_not_prepared_ahead(tmp_path: Path) -> None:
    for mode in (StartMode.PLAIN, StartMode.COLD):
        engine = FakeEngine(mode=mode)
        Harness(tmp_path, engine).execute(a=step(), b=step("a"))
        journal = [entry for entry in engine.journal if entry[0] in ("prepare", "remove")]
        assert journal == [("prepare", "a"), ("remove", "a"), ("prepare", "b"), ("remove", "b")]


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
    journal = [entry for entry in engine.journal if entry[0] in ("prepare", "remove")]
    assert journal == [("prepare", "a"), ("remove", "a"), ("prepare", "b"), ("remove", "b")]


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
