"""Containers that start ahead of need: which, how many, and that none is left."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pipeline.helpers import PATIENCE, Gates, Harness, plan_of, step, verdicts

from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import EnvironmentFault, InternalError
from runner.pipeline.events import Notice
from runner.pipeline.plan import PlannedStep
from runner.pipeline.staging import MOST, Staging
from runner.spec.models import StepSpec


def chain(length: int) -> dict[str, StepSpec]:
    """`s00` to `sNN`, each with the one before as its input."""
    return {f"s{n:02}": step(*([f"s{n - 1:02}"] if n else [])) for n in range(length)}


def prepared(engine: FakeEngine) -> list[str]:
    return [name for point, name in engine.journal if point == "prepare"]


def write(s: FakeStep) -> int:
    (s.outputs["out"] / "f").write_text("1")
    return 0


@pytest.mark.parametrize("cpus", [1, 2, 8])
def test_the_next_steps_are_prepared_while_one_runs_and_no_more(tmp_path: Path, cpus: int) -> None:
    steps = chain(MOST + 4)
    gates = Gates()
    gates.reached = {("prepare", name): threading.Event() for name in steps}
    engine = FakeEngine(default=write, mode=StartMode.STAGED, hook=gates, cpus=cpus)
    names = list(steps)

    def first(s: FakeStep) -> int:
        assert all(gates.reached["prepare", name].wait(PATIENCE) for name in names[1 : MOST + 1])
        assert names[MOST + 1] not in prepared(engine)
        return write(s)

    engine.scripts["s00"] = first
    assert Harness(tmp_path, engine).execute(**steps).exit_code == 0
    assert [name for point, name in engine.journal if point == "run"] == names
    assert sorted(prepared(engine)) == names


@pytest.mark.parametrize(("memory", "instances", "waiting"), [(1 << 30, 1, 4), (1 << 30, 3, 1), (300 << 20, 1, 1)])
def test_no_more_are_prepared_than_there_is_memory_for(
    tmp_path: Path, memory: int, instances: int, waiting: int
) -> None:
    gates = Gates()
    steps = {f"s{n}": step(*([f"s{n - 1}"] if n else []), instance_count=instances if n else 1) for n in range(7)}
    gates.reached = {("prepare", name): threading.Event() for name in steps}
    engine = FakeEngine(default=write, mode=StartMode.STAGED, memory=memory, hook=gates)

    def first(s: FakeStep) -> int:
        assert all(gates.reached["prepare", f"s{n}"].wait(PATIENCE) for n in range(1, waiting + 1))
        gates.reached["prepare", f"s{waiting + 1}"].wait(0.2)
        assert len(set(prepared(engine))) == waiting + 1
        return write(s)

    engine.scripts["s0"] = first
    assert Harness(tmp_path, engine).execute(**steps).exit_code == 0


@pytest.mark.parametrize(("cpus", "expected"), [(1, ["a"]), (2, ["a", "b"]), (3, ["a", "b", "c"])])
def test_a_cpu_is_left_to_a_step_that_is_due(tmp_path: Path, cpus: int, expected: list[str]) -> None:
    """While it is prepared, no more others are than there are CPUs beside it."""
    gates = Gates()
    held = [gates.block("prepare", name) for name in "abc"]
    gates.reached["prepare", "d"] = threading.Event()
    engine = FakeEngine(default=write, mode=StartMode.STAGED, hook=gates, cpus=cpus)
    began: list[str] = []

    def release() -> None:
        for name in expected:
            gates.reached["prepare", name].wait(PATIENCE)
        gates.reached["prepare", "abcd"[len(expected)]].wait(0.2)
        began.extend(prepared(engine))
        for each in held:
            each.set()

    helper = threading.Thread(target=release)
    helper.start()
    finished = Harness(tmp_path, engine).execute(a=step(), b=step("a"), c=step("b"), d=step("c"))
    helper.join()
    assert finished.exit_code == 0
    assert sorted(began) == expected


@pytest.mark.parametrize("cpus", [1, 2, 3])
def test_what_is_due_never_stands_behind_what_is_prepared_ahead(tmp_path: Path, cpus: int) -> None:
    """All lanes are held by preparations that end only when the step that is due has run."""
    gates = Gates()
    held = [f"later{n}" for n in range(4)]
    releases = [gates.block("prepare", name) for name in held]
    engine = FakeEngine(default=write, mode=StartMode.STAGED, hook=gates, cpus=cpus)

    def first(s: FakeStep) -> int:
        assert all(gates.reached["prepare", name].wait(PATIENCE) for name in held[: max(1, cpus - 1)])
        return write(s)

    def urgent(s: FakeStep) -> int:
        for release in releases:
            release.set()
        return write(s)

    engine.scripts.update(first=first, urgent=urgent)
    # Each `later` has the longer path ahead of it, and so is wanted before `urgent`, which is due with them.
    later = {name: step("first") for name in held}
    ends = {f"end{n}": step(f"later{n}") for n in range(4)}
    steps = {"first": step(), **later, **ends, "urgent": step("first")}
    assert Harness(tmp_path, engine, jobs=8).execute(**steps).exit_code == 0


def test_what_has_not_begun_is_taken_back_by_the_step_that_is_due(tmp_path: Path) -> None:
    """More was asked for than one lane can begin: the step does not wait for its turn there."""
    shop = Blocked()
    staging = Staging(cast(Any, shop), 2, lambda: None)
    a, b = (plan_of(tmp_path, {name: step()}).steps[0] for name in "ab")
    staging.stage([a, b], 1 << 40)
    assert shop.began.wait(PATIENCE)
    queued = staging._pool.submit(shop.prepare, b)
    staging._staged["b"] = (b, queued)
    assert staging.take(b) is None
    assert queued.cancelled()
    shop.release.set()
    taken = staging.take(a)
    assert taken is not None
    assert cast(Any, staging.obtain(a, taken)).name == "a"
    staging.close()
    assert shop.prepared == ["a"]


class Blocked:
    """A workshop that prepares when it is told to."""

    def __init__(self) -> None:
        self.began, self.release = threading.Event(), threading.Event()
        self.prepared: list[str] = []

    def prepare(self, planned: PlannedStep) -> Any:
        self.began.set()
        assert self.release.wait(PATIENCE)
        self.prepared.append(planned.name)
        return SimpleNamespace(name=planned.name, is_current=True)


def test_what_was_prepared_in_vain_is_removed_with_its_files(tmp_path: Path) -> None:
    steps = chain(MOST + 4)
    gates = Gates()
    gates.reached = {("prepare", name): threading.Event() for name in steps}
    engine = FakeEngine(mode=StartMode.STAGED, hook=gates, default=write)

    def fail(_: FakeStep) -> int:
        assert all(gates.reached["prepare", name].wait(PATIENCE) for name in list(steps)[1 : MOST + 1])
        return 1

    engine.scripts["s00"] = fail
    harness = Harness(tmp_path, engine)
    assert harness.execute(**steps).exit_code == 1
    assert {name for point, name in engine.journal if point == "remove"} == set(list(steps)[: MOST + 1])
    assert [path.name for path in (harness.root / "steps").iterdir()] == ["s00"]


def test_a_fan_out_of_fifty_runs_each_once(tmp_path: Path) -> None:
    wide = {f"w{n:02}": step("root") for n in range(50)}
    engine = FakeEngine(default=write, mode=StartMode.STAGED)
    finished = Harness(tmp_path, engine).execute(root=step(), **wide, end=step(*wide))
    assert finished.exit_code == 0
    assert sorted(name for point, name in engine.journal if point == "run") == sorted(["root", *wide, "end"])
    assert sorted(prepared(engine)) == sorted(["root", *wide, "end"])


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


@pytest.mark.parametrize("then", ["take", "drain"])
def test_a_container_that_is_to_be_made_anew_is_removed_also_when_nobody_waits_for_it_any_more(then: str) -> None:
    """The exchange has not begun, since all who remove are busy."""
    held = threading.Event()
    log: list[str] = []

    class Shop:
        def prepare(self, planned: Any) -> str:
            log.append(f"prepared {planned.name}")
            return str(planned.name)

        def discard(self, prepared: str) -> None:
            if prepared.startswith("busy"):
                held.wait(PATIENCE)
            log.append(f"discarded {prepared}")

    def planned(name: str) -> Any:
        return SimpleNamespace(name=name, job=SimpleNamespace(instance_count=1))

    staging = Staging(cast(Any, Shop()), 16, lambda: None)
    everything = [planned(f"busy{n}") for n in range(8)] + [planned("a")]
    staging.stage(everything, 1 << 40)
    for _, future in list(staging._staged.values()):
        future.result(PATIENCE)
    staging.drain([f"busy{n}" for n in range(8)])
    staging.restage(planned("a"))
    taken = staging.take(planned("a")) if then == "take" else staging.drain(["a"])
    held.set()
    if taken is not None:
        assert taken.result(PATIENCE) == "a"
    staging.close()
    assert log.count("prepared a") == 2
    assert log.count("discarded a") == (1 if then == "take" else 2)


def test_a_container_that_has_mounted_another_directory_than_its_path_names_now_is_made_anew() -> None:
    log: list[str] = []

    class Shop:
        def prepare(self, planned: Any) -> Any:
            log.append("prepared")
            return SimpleNamespace(name=f"{planned.name}{len(log)}", is_current=len(log) > 1)

        def discard(self, prepared: Any) -> None:
            log.append(f"discarded {prepared.name}")

    planned: Any = SimpleNamespace(name="a", job=SimpleNamespace(instance_count=1))
    staging = Staging(cast(Any, Shop()), 2, lambda: None)
    staging.stage([planned], 1 << 40)
    taken = staging.take(planned) or cast(Any, Shop()).prepare(planned)
    obtained: Any = staging.obtain(planned, taken)
    staging.close()
    assert log == ["prepared", "discarded a1", "prepared"]
    assert obtained.name == "a3"
