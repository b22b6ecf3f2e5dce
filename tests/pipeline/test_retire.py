"""Steps that change while a run goes on: what is stopped, what starts with the change, and what goes on untouched."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline.helpers import PATIENCE, Gates, Harness, step, verdicts

from runner.engine.base import Outcome, StartMode, Verdict
from runner.engine.fake import FakeEngine, FakeStep, small_outputs
from runner.pipeline.events import RunFinished, StepState
from runner.pipeline.schedule import Capacity, Schedule, Task

ROOMY = Capacity(cpus=64, memory=1 << 40, jobs=64)
CHAIN = [Task("a"), Task("b", ("a",)), Task("c", ("b",)), Task("other")]


def test_a_running_step_is_stopped_and_nothing_starts_on_it() -> None:
    schedule = Schedule(CHAIN, ROOMY)
    schedule.start()
    found = schedule.retire(["a"])
    assert (found.stop, found.cancelled, found.fresh) == (("a",), ("b", "c"), ())
    assert found.causes == {"a": "a", "b": "a", "c": "a"}
    assert schedule.reason("c") == "not started: 'a' changed"
    assert schedule.finish("a", passed=False) == ()
    assert schedule.states["other"] is StepState.RUNNING
    schedule.finish("other", passed=True)
    assert schedule.done


def test_a_step_that_waits_takes_the_change_in() -> None:
    schedule = Schedule(CHAIN, ROOMY)
    schedule.start()
    found = schedule.retire(["b"])
    assert (found.stop, found.cancelled, found.fresh) == ((), (), ("b",))
    schedule.finish("a", passed=True)
    assert schedule.start() == ("b",)


def test_what_a_changed_step_passed_on_is_stale() -> None:
    schedule = Schedule(CHAIN, ROOMY)
    schedule.start()
    schedule.finish("a", passed=True)
    schedule.start()
    found = schedule.retire(["a", "c"])
    assert (found.stop, found.cancelled, found.fresh) == (("b",), ("c",), ())
    assert schedule.states["a"] is StepState.PASSED


def test_a_doomed_step_does_not_start() -> None:
    schedule = Schedule(CHAIN, ROOMY)
    found = schedule.retire([], ["b"])
    assert (found.stop, found.cancelled) == ((), ("b", "c"))
    assert schedule.reason("b") == "not started: it changed"
    assert schedule.start() == ("a", "other")


def test_one_that_changes_twice_and_names_of_no_step_are_no_matter() -> None:
    schedule = Schedule(CHAIN, ROOMY)
    schedule.start()
    schedule.retire(["a"])
    again = schedule.retire(["a", "b", "nobody"], ["nobody"])
    assert (again.stop, again.cancelled, again.fresh) == (("a",), (), ())
    schedule.finish("a", passed=True)
    assert schedule.states["b"] is StepState.CANCELLED


@given(st.data())
def test_whatever_changes_when_every_step_ends_once_and_none_starts_on_stale_data(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    names = [f"s{n}" for n in range(count)]
    tasks = [
        Task(name, tuple(data.draw(st.sets(st.sampled_from(names[:n])))) if n else ()) for n, name in enumerate(names)
    ]
    schedule = Schedule(tasks, Capacity(64, 1 << 40, data.draw(st.integers(1, 3))), keep_going=data.draw(st.booleans()))
    needs = {task.name: task.needs for task in tasks}
    stale: set[str] = set()
    while not schedule.done:
        for name in schedule.start():
            assert not stale & set(needs[name]), "started on what is stale"
        if data.draw(st.booleans()):
            edited, doomed = data.draw(st.sets(st.sampled_from(names))), data.draw(st.sets(st.sampled_from(names)))
            begun = {n for n in edited if schedule.states[n] in (StepState.RUNNING, StepState.PASSED)}
            found = schedule.retire(edited, doomed)
            stale |= begun | set(found.stop) | set(found.cancelled)
            assert not set(found.fresh) & stale
        if schedule.running:
            name = data.draw(st.sampled_from(sorted(schedule.running)))
            schedule.finish(name, passed=data.draw(st.booleans()))
    final = {StepState.PASSED, StepState.FAILED, StepState.BLOCKED, StepState.CANCELLED}
    assert set(schedule.states.values()) <= final


class Late:
    """A run in a thread of its own, to be told of changes while it goes on."""

    def __init__(self, harness: Harness, **steps: object) -> None:
        self.harness = harness
        self.run = harness.prepare(**steps)
        self.finished: RunFinished | None = None
        self._thread = threading.Thread(target=self._execute)
        self._thread.start()

    def _execute(self) -> None:
        self.finished = self.run.execute()

    def end(self) -> RunFinished:
        self._thread.join(PATIENCE)
        assert self.finished is not None
        self.harness.nothing_left()
        return self.finished


def passed() -> Outcome:
    ended = {"exit_code": 0, "signal": None, "started_at": None, "finished_at": None, "seconds": 0.0}
    return Outcome(verdict=Verdict.PASSED, reason="exit 0", **ended)


def waits(step: FakeStep) -> int:
    """A script that runs until it is told to stop."""
    step.stopping.wait(PATIENCE)
    return 143


def test_a_stale_step_is_stopped_alone_and_says_why(tmp_path: Path) -> None:
    gates = Gates()
    gates.block("run", "a")
    release = gates.block("run", "free")
    late = Late(
        Harness(tmp_path, FakeEngine({"a": waits}, hook=gates)), a=step(), b=step("a"), free=step(), last=step("free")
    )
    gates.wait["run", "a"].set()
    assert gates.reached["run", "a"].wait(PATIENCE)
    late.run.retire(1, {"a": "a.py changed"}, {})
    while "a" not in {e.result.step for e in late.harness.recorder.events if hasattr(e, "result")}:
        threading.Event().wait(0.01)
    release.set()
    finished = late.end()
    assert verdicts(finished) == {"a": "cancelled", "b": "cancelled", "free": "passed", "last": "passed"}
    assert finished.results[0].reason == "stopped while it ran: a.py changed"
    assert (finished.status, finished.exit_code) == ("superseded", 130)
    assert not late.run.took_in(1, "a")


@pytest.mark.parametrize("mode", [StartMode.STAGED, StartMode.PLAIN])
def test_a_step_that_has_not_started_runs_with_what_was_saved(tmp_path: Path, mode: StartMode) -> None:
    """Also where its container waits with the old code already: that one is removed, and a new one made."""
    script = tmp_path / "b.py"
    script.write_text("old\n")
    gates, seen = Gates(), []

    def look(step: FakeStep) -> int:
        seen.append((step.inputs["code"] / "b.py").read_text())
        return small_outputs(step)

    gates.block("run", "a")
    if mode is StartMode.STAGED:
        gates.reached["prepare", "b"] = threading.Event()
    late = Late(
        Harness(tmp_path, FakeEngine({"b": look}, hook=gates, mode=mode)),
        a=step(), b=step("a", script="b.py", entrypoint=None),
    )  # fmt: skip
    assert gates.reached["run", "a"].wait(PATIENCE)
    if mode is StartMode.STAGED:
        assert gates.reached["prepare", "b"].wait(PATIENCE)
    script.write_text("new\n")
    late.run.retire(7, {"b": "b.py changed"}, {})
    gates.wait["run", "a"].set()
    finished = late.end()
    assert finished.status == "passed"
    assert seen == ["new\n"]
    assert late.run.took_in(7, "b")


def test_a_step_on_its_way_to_a_start_is_stopped_before_it(tmp_path: Path) -> None:
    gates = Gates()
    release = gates.block("prepare", "a")
    late = Late(Harness(tmp_path, FakeEngine(hook=gates)), a=step(), b=step("a"))
    assert gates.reached["prepare", "a"].wait(PATIENCE)
    late.run.retire(1, {"a": "a.py changed"}, {})
    while "b" not in {e.result.step for e in late.harness.recorder.events if hasattr(e, "result")}:
        threading.Event().wait(0.01)
    release.set()
    finished = late.end()
    assert finished.results[0].reason == "stopped before its script started: a.py changed"
    assert ("run", "a") not in late.harness.engine.journal


def test_a_change_after_the_end_changes_nothing(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    assert harness.execute(a=step()).status == "passed"
    assert harness.run is not None
    harness.run.retire(1, {"a": "a.py changed"}, {})
    assert not harness.run.took_in(1, "a")


def test_a_signal_outweighs_a_change(tmp_path: Path) -> None:
    gates = Gates()
    late = Late(Harness(tmp_path, FakeEngine({"a": waits}, hook=gates)), a=step())
    late.run.retire(1, {"a": "a.py changed"}, {})
    late.run.cancel(15)
    finished = late.end()
    assert (finished.status, finished.exit_code) == ("interrupted", 143)


def test_a_run_in_which_everything_passed_all_the_same_is_not_superseded(tmp_path: Path) -> None:
    """The script ends as it is told to stop, and its work is done."""

    def deaf(script: FakeStep) -> Outcome:
        running.set()
        assert script.stopping.wait(PATIENCE)
        return passed()

    running = threading.Event()
    late = Late(Harness(tmp_path, FakeEngine({"a": deaf})), a=step(outputs={}))
    assert running.wait(PATIENCE)
    late.run.retire(1, {"a": "a.py changed"}, {})
    finished = late.end()
    assert finished.results[0].state is StepState.PASSED
    assert (finished.status, finished.exit_code) == ("passed", 0)
    assert not late.run.took_in(1, "a")
