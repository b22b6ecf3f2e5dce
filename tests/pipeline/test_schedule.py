"""The state machine: cases as data, and invariants over random graphs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.pipeline import schedule as schedule_module
from runner.pipeline.events import StepState
from runner.pipeline.schedule import PATIENCE, Capacity, Schedule, Task

FINAL = {StepState.PASSED, StepState.FAILED, StepState.BLOCKED, StepState.CANCELLED}
ROOMY = Capacity(cpus=64, memory=1 << 40, jobs=64)


@dataclass(frozen=True)
class Case:
    """`fails` fail; steps finish in the order in which they started. `started` lists what starts together."""

    tasks: list[Task]
    started: list[tuple[str, ...]]
    end: dict[str, str]
    capacity: Capacity = ROOMY
    fails: frozenset[str] = frozenset()
    keep_going: bool = False
    blocked_by: dict[str, tuple[str, ...]] = field(default_factory=dict)


CASES = {
    "a chain": Case(
        [Task("a", priority=3), Task("b", ("a",), 2), Task("c", ("b",), 1)],
        [("a",), ("b",), ("c",)],
        {"a": "passed", "b": "passed", "c": "passed"},
    ),
    "longest remaining path first": Case(
        [Task("short", priority=1), Task("long", priority=2), Task("tail", ("long",), 1)],
        [("long",), ("short",), ("tail",)],
        {"long": "passed", "short": "passed", "tail": "passed"},
        capacity=Capacity(8, 1 << 30, 1),
    ),
    "no more cpus than there are": Case(
        [Task("a", cpus=2), Task("b", cpus=2), Task("c", cpus=1)],
        [("a", "c"), ("b",), ()],
        {"a": "passed", "b": "passed", "c": "passed"},
        capacity=Capacity(3, 1 << 30, 8),
    ),
    "memory counts like cpus": Case(
        [Task("a", memory=600), Task("b", memory=600)],
        [("a",), ("b",)],
        {"a": "passed", "b": "passed"},
        capacity=Capacity(8, 1000, 8),
    ),
    "a failure blocks descendants and nothing else": Case(
        [Task("x"), Task("y", ("x",)), Task("z", ("y",)), Task("other"), Task("next", ("other",))],
        [("x", "other"), (), ("next",)],
        {"x": "failed", "y": "blocked", "z": "blocked", "other": "passed", "next": "passed"},
        fails=frozenset({"x"}),
        keep_going=True,
        blocked_by={"y": ("x",), "z": ("x",)},
    ),
    "stop at the first failure lets running steps finish": Case(
        [Task("x"), Task("y", ("x",)), Task("other"), Task("next", ("other",))],
        [("x", "other"), ()],
        {"x": "failed", "y": "blocked", "other": "passed", "next": "cancelled"},
        fails=frozenset({"x"}),
        blocked_by={"y": ("x",)},
    ),
    "two causes": Case(
        [Task("x"), Task("y"), Task("z", ("x", "y"))],
        [("x", "y"), ()],
        {"x": "failed", "y": "failed", "z": "blocked"},
        fails=frozenset({"x", "y"}),
        keep_going=True,
        blocked_by={"z": ("x", "y")},
    ),
    "a need that is named twice": Case(
        [Task("x"), Task("y", ("x", "x"))], [("x",), ("y",)], {"x": "passed", "y": "passed"}
    ),
    "nothing": Case([], [], {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_cases(case: Case) -> None:
    schedule = Schedule(case.tasks, case.capacity, keep_going=case.keep_going)
    started: list[tuple[str, ...]] = []
    running: list[str] = []
    while not schedule.done:
        begun = schedule.start()
        started.append(begun)
        running += begun
        name = running.pop(0)
        schedule.finish(name, passed=name not in case.fails)
    assert started == case.started
    assert {name: str(state) for name, state in schedule.states.items()} == case.end
    assert {n: schedule.blocked_by(n) for n in schedule.states if schedule.blocked_by(n)} == case.blocked_by
    for name, state in schedule.states.items():
        assert bool(schedule.reason(name)) == (state in (StepState.BLOCKED, StepState.CANCELLED))


def test_a_large_step_is_overtaken_only_so_often() -> None:
    small = [Task(f"s{n}", priority=1, cpus=1) for n in range(4 * PATIENCE)]
    schedule = Schedule(
        [Task("large", priority=9, cpus=2), Task("first", priority=10, cpus=1), *small], Capacity(2, 1, 9)
    )
    running = list(schedule.start())
    begun = len(running)
    while "large" not in running:
        schedule.finish(running.pop(0), passed=True)
        fresh = schedule.start()
        begun += len(fresh)
        running += fresh
        assert begun <= PATIENCE + 2
    assert running == ["large"]


def test_stop_cancels_what_has_not_started_and_a_later_failure_does_not_change_that() -> None:
    schedule = Schedule([Task("a"), Task("b", ("a",)), Task("c", ("b",))], ROOMY)
    schedule.start()
    assert schedule.stop("enough") == ("b", "c")
    assert schedule.finish("a", passed=False) == ()
    assert schedule.done
    assert schedule.states["b"] is StepState.CANCELLED
    assert schedule.reason("b") == "enough"
    assert schedule.blocked_by("b") == ()


def test_a_pass_that_is_taken_back_blocks_what_has_not_started() -> None:
    """`ready` waits for a place only, `later` for what runs; neither `running` nor what has ended is touched."""
    tasks = [
        Task("a", priority=9),
        Task("done", ("a",), 8),
        Task("running", ("a",), 7),
        Task("ready", ("a",), 6),
        Task("later", ("running",), 5),
        Task("other", priority=1),
    ]
    schedule = Schedule(tasks, Capacity(8, 1 << 30, 1), keep_going=True)
    for name in ("a", "done"):
        assert schedule.start() == (name,)
        assert schedule.finish(name, passed=True) == ()
    assert schedule.start() == ("running",)
    assert schedule.revoke("a") == ("ready", "later")
    assert (schedule.states["a"], schedule.states["done"]) == (StepState.FAILED, StepState.PASSED)
    assert (schedule.running, schedule.blocked_by("later")) == ({"running"}, ("a",))
    assert schedule.finish("running", passed=True) == ()
    assert schedule.start() == ("other",)
    schedule.finish("other", passed=True)
    assert schedule.done


def test_what_could_never_run_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' declares more"):
        Schedule([Task("a", cpus=3)], Capacity(2, 10, 1))
    with pytest.raises(ValueError, match="'a' declares more"):
        Schedule([Task("a", memory=11)], Capacity(2, 10, 1))
    with pytest.raises(ValueError, match="DAG"):
        Schedule([Task("a", ("b",)), Task("b", ("a",))], ROOMY)
    with pytest.raises(ValueError, match="at least one job"):
        Schedule([Task("a")], Capacity(1, 1, 0))


def test_upcoming_names_steps_in_the_order_of_need() -> None:
    needs = {"a": (), "b": ("a",), "c": ("b",), "d": ("a",), "e": ("c", "d")}
    priorities = {"a": 4, "b": 3, "c": 2, "d": 2, "e": 1}
    tasks = [Task(name, needs[name], priorities[name]) for name in needs]
    schedule = Schedule(tasks, Capacity(8, 1 << 30, 1))
    assert schedule.upcoming(9) == ("a", "b", "d", "c", "e")
    schedule.start()
    assert schedule.upcoming(2) == ("b", "d")
    schedule.finish("a", passed=True)
    schedule.start()
    assert schedule.upcoming(9) == ("d", "c", "e")
    schedule.finish("b", passed=False)
    assert schedule.upcoming(9) == ()


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    count = draw(st.integers(0, 12))
    tasks = []
    for index in range(count):
        needs = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        tasks.append(
            Task(
                f"t{index}",
                tuple(f"t{n}" for n in needs),
                draw(st.integers(0, 5)),
                draw(st.sampled_from([0, 0.5, 1, 2, 3.5])),
                draw(st.integers(0, 100)),
            )
        )
    return draw(st.permutations(tasks))


@settings(max_examples=300, deadline=None)
@given(graphs(), st.integers(1, 4), st.booleans(), st.data())
def test_invariants(tasks: list[Task], jobs: int, keep_going: bool, data: st.DataObject) -> None:
    by_name = {task.name: task for task in tasks}
    capacity = Capacity(4, 150, jobs)
    schedule = Schedule(tasks, capacity, keep_going=keep_going)
    running: set[str] = set()
    ends: list[str] = []
    starts: list[str] = []
    while not schedule.done:
        expected = schedule.upcoming(len(tasks))
        assert not set(expected) & running
        begun = schedule.start()
        starts += begun
        running |= set(begun)
        assert running == schedule.running
        assert running, "something can always start when nothing runs"
        assert len(running) <= jobs
        assert sum(by_name[n].cpus for n in running) <= capacity.cpus
        assert sum(by_name[n].memory for n in running) <= capacity.memory
        for name in begun:
            assert all(schedule.states[need] is StepState.PASSED for need in by_name[name].needs)
            assert name in expected
        if data.draw(st.integers(0, 30)) == 0:
            ends += schedule.stop("stopped")
        name = data.draw(st.sampled_from(sorted(running)))
        running.remove(name)
        ends.append(name)
        ends += schedule.finish(name, passed=data.draw(st.booleans()))
    assert sorted(ends) == sorted(by_name), "each step ends exactly once"
    assert len(starts) == len(set(starts))
    for name, state in schedule.states.items():
        assert state in FINAL
        roots = schedule.blocked_by(name)
        assert bool(roots) == (state is StepState.BLOCKED)
        assert all(schedule.states[root] is StepState.FAILED for root in roots)
        failed_needs = [n for n in by_name[name].needs if schedule.states[n] in (StepState.FAILED, StepState.BLOCKED)]
        if keep_going and "stopped" not in {schedule.reason(n) for n in by_name}:
            assert (state is StepState.BLOCKED) == bool(failed_needs)


def lines_executed(steps: int, shape: str) -> int:
    """Lines of `schedule.py` that a whole run takes: a measure that no other process disturbs."""
    width = {"chain": 1, "layers": 20, "wide": steps, "small ones behind large ones": steps}[shape]
    large = 3.0 if shape.startswith("small") else 0.0
    tasks = [
        Task(f"s{n}", (f"s{n - width}",) if n >= width else (), float(steps - n), cpus=large if n % 2 else 1.0)
        for n in range(steps)
    ]
    counted = [0]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != schedule_module.__file__:
            return None
        counted[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        schedule, running = Schedule(tasks, Capacity(4, 1 << 30, 4)), list[str]()
        while not schedule.done:
            running += schedule.start()
            assert len(schedule.upcoming(16)) <= 16
            assert schedule.upcoming(16) == schedule.upcoming(16)
            schedule.finish(running.pop(0), passed=True)
    finally:
        sys.settrace(before)
    assert set(schedule.states.values()) == {StepState.PASSED}
    return counted[0]


@pytest.mark.parametrize("shape", ["chain", "layers", "wide", "small ones behind large ones"])
def test_a_run_takes_steps_in_proportion_to_its_size(shape: str) -> None:
    assert lines_executed(3000, shape) / lines_executed(300, shape) < 12


def test_many_failures_block_one_step_and_name_them_all() -> None:
    tasks = [*(Task(f"f{n}") for n in range(300)), Task("end", tuple(f"f{n}" for n in range(300)))]
    schedule = Schedule(tasks, Capacity(400, 1 << 30, 400), keep_going=True)
    for name in schedule.start():
        schedule.finish(name, passed=False)
    assert schedule.done
    assert schedule.blocked_by("end") == tuple(f"f{n}" for n in range(300))
    assert schedule.reason("end").startswith("needs 'f0', 'f1', ")


def test_a_held_step_waits_for_its_answer_and_holds_up_nothing_else() -> None:
    tasks = [Task("a", priority=3), Task("b", ("a",), 2), Task("other", priority=1), Task("next", ("other",))]
    schedule = Schedule(tasks, Capacity(8, 1 << 30, 1))
    assert schedule.newly_ready() == ("a", "other")
    assert schedule.newly_ready() == ()
    assert schedule.upcoming(4, {"a"}) == ("other", "next")
    assert schedule.start({"a"}) == ("other",)
    assert schedule.start() == ()
    assert not schedule.done


def test_a_result_that_is_there_needs_no_room() -> None:
    full = Task("full", cpus=8, memory=1000)
    schedule = Schedule([full, Task("hit", cpus=8, memory=1000), Task("b", ("hit",))], Capacity(8, 1000, 1))
    assert schedule.start({"hit"}) == ("full",)
    schedule.adopt("hit")
    assert schedule.states["hit"] is StepState.RUNNING
    assert schedule.finish("hit", passed=True) == ()
    assert schedule.states["b"] is StepState.READY
    assert schedule.running == {"full"}
    schedule.finish("full", passed=True)
    assert schedule.start() == ("b",)
