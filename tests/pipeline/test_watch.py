"""What runs again after a save, on the fake engine: real files, real saves, no container."""

from __future__ import annotations

import json
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import PATIENCE, Gates
from pipeline.watching import Watch, takes

from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine, FakeStep, small_outputs
from runner.errors import EnvironmentFault, SpecError, UsageError

CHAIN: dict[str, dict[str, Any]] = {"a": {}, "b": takes("a"), "c": takes("b"), "other": {}}


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    made: list[Watch] = []

    def start(steps: dict[str, dict[str, Any]], engine: FakeEngine | None = None, **options: Any) -> Watch:
        made.append(Watch(tmp_path, engine or FakeEngine(), steps, **options))
        return made[-1]

    yield start
    for each in made:
        if each._thread.is_alive():
            each.end()


class Reads:
    """Fake scripts that tell what their script file held when they ran."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.gates: dict[str, threading.Event] = {}
        self.running: dict[str, threading.Event] = {}

    def hold(self, step: str) -> None:
        """Each run of this step waits from now on, until `gates[step]` is set or it is stopped."""
        self.gates[step], self.running[step] = threading.Event(), threading.Event()

    def __call__(self, step: FakeStep) -> int:
        self.seen.append((step.name, (step.inputs["code"] / f"{step.name}.py").read_text()))
        if step.name in self.gates:
            self.running[step.name].set()
            while not self.gates[step.name].wait(0.01):
                if step.stopping.is_set():
                    return 143
        return small_outputs(step)


def test_a_save_runs_the_step_and_all_that_need_it(watch) -> None:
    session = watch(CHAIN).first()
    assert dict(session.ran()) == dict.fromkeys(CHAIN, "passed")
    session.save("b.py")
    assert session.words.next("changed") == [f"{session.root / 'b.py'} changed"]
    assert session.words.next("runs") == (["b", "c"], ["a", "other"])
    session.words.next("waits")
    assert session.ran() == [("b", "passed"), ("c", "passed")]
    first, second = (run.run_id for run in session.finished)
    assert session.engine.launches["b"].inputs[0].host.is_relative_to(session.root / "runs" / first)
    assert session.engine.launches["c"].inputs[0].host.is_relative_to(session.root / "runs" / second)
    assert session.end() == 0


def test_lent_outputs_come_from_wherever_they_were_made_last(watch) -> None:
    session = watch(CHAIN).first()
    session.save("b.py")
    session.words.next("waits")
    session.save("c.py")
    session.words.next("waits")
    assert session.ran() == [("c", "passed")]
    host = session.engine.launches["c"].inputs[0].host
    assert host.is_relative_to(session.root / "runs" / session.finished[1].run_id), "the newest, not the first"


def test_equal_bytes_run_nothing(watch) -> None:
    session = watch(CHAIN).first()
    (session.root / "a.py").touch()
    session.save("a.py", "a: old\n")
    session.save("c.py")
    assert session.words.next("runs") == (["c"], ["a", "b", "other"])


def test_what_has_not_passed_runs_again_with_every_save(watch) -> None:
    engine = FakeEngine({"a": Canned(exit_code=1)})
    session = watch(CHAIN, engine, keep_going=True).first()
    assert dict(session.ran()) == {"a": "exit", "b": "blocked", "c": "blocked", "other": "passed"}
    engine.scripts["a"] = small_outputs
    session.save("c.py")
    assert session.words.next("runs") == (["a", "b", "c"], ["other"])
    session.words.next("waits")
    assert dict(session.ran()) == {"a": "passed", "b": "passed", "c": "passed"}
    assert session.end() == 0


def test_an_edge_without_data_counts_too(watch) -> None:
    session = watch({"a": {}, "b": {"depends_on": ["a"]}}).first()
    session.save("a.py")
    assert session.words.next("runs") == (["a", "b"], [])


def test_a_stale_step_is_stopped_and_runs_again_at_once(watch) -> None:
    reads = Reads()
    reads.hold("b")
    session = watch(CHAIN, FakeEngine(default=reads)).start()
    assert reads.running["b"].wait(PATIENCE)
    session.save("b.py")
    assert session.words.next("changed") == [f"{session.root / 'b.py'} changed"]
    stopped = dict(session.ran())
    assert (stopped["a"], stopped["b"], stopped["c"]) == ("passed", "cancelled", "cancelled")
    assert session.finished[0].status == "superseded"
    reason = {r.step: r.reason for r in session.finished[0].results}
    assert reason["b"] == f"stopped while it ran: {session.root / 'b.py'} changed"
    assert reason["c"] == "not started: 'b' changed"
    assert session.words.next("runs")[0][:2] == ["b", "c"]
    reads.gates["b"].set()
    session.words.next("waits")
    assert [text for step, text in reads.seen if step == "b"] == ["b: old\n", "new\n"]
    assert [step for step, _ in reads.seen].count("a") == 1, "a had passed, and nothing of it changed"
    assert session.end() == 0


def test_a_stale_step_takes_nothing_else_down(watch) -> None:
    reads = Reads()
    reads.hold("a")
    reads.hold("other")
    session = watch({**CHAIN, "last": takes("other")}, FakeEngine(default=reads)).start()
    assert reads.running["a"].wait(PATIENCE)
    assert reads.running["other"].wait(PATIENCE)
    session.save("a.py")
    reads.gates["other"].set()
    session.words.next("changed")
    assert dict(session.ran()) == {
        "a": "cancelled", "b": "cancelled", "c": "cancelled", "other": "passed", "last": "passed",
    }  # fmt: skip
    reads.gates["a"].set()
    assert session.words.next("runs") == (["a", "b", "c"], ["other", "last"])
    session.words.next("waits")


@pytest.mark.parametrize("mode", [StartMode.PLAIN, StartMode.STAGED])
def test_a_step_that_has_not_started_takes_the_save_in(watch, mode: StartMode) -> None:
    reads = Reads()
    reads.hold("a")
    session = watch(CHAIN, FakeEngine(default=reads, mode=mode)).start()
    assert reads.running["a"].wait(PATIENCE)
    session.save("c.py")
    assert session.retired.wait(PATIENCE)
    reads.gates["a"].set()
    session.words.next("changed")
    assert session.words.next("runs")[0] == [], "nothing is left to do"
    session.words.next("waits")
    assert [run.status for run in session.finished] == ["passed"]
    assert [text for step, text in reads.seen if step == "c"] == ["new\n"]


def test_what_a_lender_changes_is_stale_in_those_that_take_from_it(watch) -> None:
    reads = Reads()
    session = watch({**CHAIN, "last": takes("c", "other")}, FakeEngine(default=reads)).first()
    reads.hold("c")
    session.save("c.py")
    session.words.next("runs")
    assert reads.running["c"].wait(PATIENCE)
    session.save("a.py")
    assert session.words.next("runs")[0] == ["a", "b", "c", "last"]
    stopped = {r.step: r.reason for r in session.finished[1].results}
    assert stopped["c"] == f"stopped while it ran: it runs on 'a', and {session.root / 'a.py'} changed"
    reads.gates["c"].set()
    session.words.next("waits")
    assert session.finished[-1].status == "passed"


def test_a_save_between_two_runs_is_not_lost(watch) -> None:
    """After it was decided what runs, before the run has begun."""
    reads = Reads()
    session = watch(CHAIN, FakeEngine(default=reads)).first()
    told = threading.Event()

    def save_now() -> None:
        session.before_begin = lambda: None
        session.save("c.py")
        session.save("other.py")
        while len(session.watcher._pending) < 1:
            told.wait(0.005)

    session.before_begin = save_now
    session.save("b.py")
    assert session.words.next("runs") == (["b", "c"], ["a", "other"])
    assert session.words.next("runs", lambda said: said[0] == ["other"])
    session.words.next("waits")
    assert [text for step, text in reads.seen if step == "c"][-1] == "new\n"
    assert [text for step, text in reads.seen if step == "other"][-1] == "new\n"


def test_a_burst_ends_with_what_was_saved_last(watch) -> None:
    reads = Reads()
    session = watch({"a": {}}, FakeEngine(default=reads)).first()
    for number in range(100):
        session.save("a.py", f"{number}\n")
    while reads.seen[-1] != ("a", "99\n"):
        session.words.next("waits")
    assert len(session.finished) < 20, "the machine would have to be very slow"


def test_an_invalid_file_is_told_and_mended(watch) -> None:
    session = watch(CHAIN).first()
    good = (session.root / "pipeline.yaml").read_text()
    session.save("pipeline.yaml", good.replace("script: b.py", "skript: b.py"))
    error = session.words.next("refused")
    assert isinstance(error, SpecError)
    assert "skript" in error.message
    assert session.words.next("waits").exit_code == 2
    session.save("a.py")
    assert isinstance(session.words.next("refused"), SpecError), "as long as it is broken nothing runs"
    session.save("pipeline.yaml", good)
    assert session.words.next("runs") == (["a", "b", "c"], ["other"])
    session.words.next("waits")
    assert session.end() == 0


def test_a_pipeline_that_is_invalid_from_the_start(watch) -> None:
    session = watch(CHAIN)
    (session.root / "b.py").unlink()
    session.start()
    assert "no file 'b.py'" in session.words.next("refused").message
    session.save("b.py")
    assert session.words.next("changed") == [f"{session.root / 'b.py'} appeared"]
    session.words.next("waits")
    assert len(session.ran()) == 4
    assert session.end() == 0


def test_no_pipeline_file_yet(watch) -> None:
    session = watch(CHAIN)
    (session.root / "pipeline.yaml").rename(session.root / "later")
    session.start()
    assert "no such file" in session.words.next("refused").message
    (session.root / "later").rename(session.root / "pipeline.yaml")
    session.words.next("waits", lambda waiting: waiting.exit_code == 0)
    assert session.end() == 0


def test_only_what_a_new_pipeline_file_defines_otherwise_runs(watch) -> None:
    session = watch(CHAIN).first()
    session.write({**CHAIN, "b": takes("a", args={"rounds": 2})})
    assert session.words.next("runs") == (["b", "c"], ["a", "other"])
    session.words.next("waits")
    assert session.engine.launches["b"].job.arguments is not None


def test_a_new_pipeline_file_that_says_the_same_runs_nothing(watch) -> None:
    session = watch(CHAIN).first()
    session.save("pipeline.yaml", "# a word\n" + (session.root / "pipeline.yaml").read_text())
    assert session.words.next("runs")[0] == []
    session.words.next("waits")
    assert len(session.finished) == 1


def test_a_mended_file_that_says_what_it_said_before_is_no_failure(watch) -> None:
    session = watch(CHAIN).first()
    good = (session.root / "pipeline.yaml").read_text()
    session.save("pipeline.yaml", "steps: [")
    assert session.words.next("waits").exit_code == 2
    session.save("pipeline.yaml", good)
    assert session.words.next("waits").exit_code == 0
    assert len(session.finished) == 1
    assert session.end() == 0


def test_steps_come_and_go(watch) -> None:
    session = watch(CHAIN).first()
    session.write({"a": {}, "b": takes("a"), "new": takes("b")})
    assert session.words.next("runs") == (["new"], ["a", "b"])
    session.words.next("waits")
    session.save("new.py")
    assert session.words.next("runs") == (["new"], ["a", "b"])
    session.words.next("waits")
    session.write({"new": {}})
    assert session.words.next("runs") == (["new"], [])


def test_a_pipeline_that_changes_while_it_runs(watch) -> None:
    """What is defined otherwise is stopped, or does not start as it was; the rest goes on."""
    reads = Reads()
    reads.hold("a")
    reads.hold("other")
    session = watch(CHAIN, FakeEngine(default=reads)).start()
    assert reads.running["a"].wait(PATIENCE)
    assert reads.running["other"].wait(PATIENCE)
    session.write({**CHAIN, "c": takes("b", env={"X": "1"}), "other": {"env": {"X": "1"}}})
    assert session.retired.wait(PATIENCE)
    reads.gates["a"].set()
    session.words.next("changed")
    assert dict(session.ran()) == {"a": "passed", "b": "passed", "c": "cancelled", "other": "cancelled"}
    reads.gates["other"].set()
    assert session.words.next("runs") == (["c", "other"], ["a", "b"])
    session.words.next("waits")
    assert session.engine.launches["c"].job.env == (("X", "1"),)


def test_a_script_that_is_removed(watch) -> None:
    session = watch(CHAIN).first()
    (session.root / "b.py").unlink()
    assert session.words.next("changed") == [f"{session.root / 'b.py'} is gone"]
    assert "no file 'b.py'" in session.words.next("refused").message
    session.save("b.py")
    assert session.words.next("runs") == (["b", "c"], ["a", "other"])


def test_an_input_directory_runs_its_readers(watch, tmp_path: Path) -> None:
    (tmp_path / "raw" / "part").mkdir(parents=True)
    (tmp_path / "raw" / "part" / "1.csv").write_text("1\n")
    session = watch({**CHAIN, "other": {"inputs": {"DATA": "raw"}}}).first()
    (tmp_path / "raw" / "part" / "2.csv").write_text("2\n")
    assert session.words.next("changed") == [f"{tmp_path / 'raw'} changed (part/2.csv)"]
    assert session.words.next("runs") == (["other"], ["a", "b", "c"])


def test_outputs_that_are_gone_are_made_anew(watch) -> None:
    session = watch(CHAIN).first()
    shutil.rmtree(session.root / "runs" / session.finished[0].run_id / "steps" / "a" / "outputs")
    session.save("b.py")
    assert "a runs again" in session.words.next("remark").replace("a: ", "a ")
    assert session.words.next("runs") == (["a", "b", "c"], ["other"])
    session.words.next("waits")
    assert session.finished[-1].status == "passed"


def test_an_engine_that_vanishes_is_told_and_watching_goes_on(watch) -> None:
    engine = FakeEngine()
    session = watch(CHAIN, engine).first()
    engine.lose()
    session.save("a.py")
    assert isinstance(session.words.next("refused"), EnvironmentFault)
    assert session.words.next("waits").exit_code == 3
    engine._lost = False  # it is back
    session.save("other.py")
    assert session.words.next("runs")[0] == ["a", "b", "c", "other"]
    session.words.next("waits")
    assert session.end() == 0


def test_an_engine_that_vanishes_in_mid_run(watch) -> None:
    reads = Reads()
    reads.hold("a")
    engine = FakeEngine(default=reads)
    session = watch(CHAIN, engine).start()
    assert reads.running["a"].wait(PATIENCE)
    engine.lose()
    assert session.words.next("waits").exit_code == 3
    assert dict(session.ran())["a"] == "infrastructure"
    assert session.end() == 3


def test_steps_that_are_not_selected_lend_what_an_earlier_run_made(watch, tmp_path: Path) -> None:
    session = watch(CHAIN).first()
    assert session.end() == 0
    again = watch(CHAIN, from_=["b"]).first()
    assert [step for step, _ in again.ran()] == ["b", "c"]
    again.save("a.py")
    again.save("c.py")
    assert again.words.next("runs") == (["c"], ["b"]), "a is not selected, so not watched"
    again.words.next("waits")
    shutil.rmtree(tmp_path / "runs")
    again.save("b.py")
    assert isinstance(again.words.next("refused"), UsageError)


def test_nothing_to_lend_is_told(watch) -> None:
    session = watch(CHAIN, from_=["b"]).start()
    assert "no earlier run" in session.words.next("refused").message
    assert session.end() == 2


@pytest.mark.parametrize(("scripts", "code"), [({}, 0), ({"a": Canned(exit_code=9)}, 1)])
def test_ctrl_c_while_nothing_runs_ends_with_the_code_of_the_last_run(watch, scripts, code: int) -> None:
    assert watch(CHAIN, FakeEngine(scripts)).first().end() == code


def test_a_termination_is_never_the_ordinary_end(watch) -> None:
    assert watch(CHAIN).first().end(signal.SIGTERM) == 143


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_a_run_stops_it(watch, signum: int) -> None:
    reads = Reads()
    reads.hold("a")
    session = watch(CHAIN, FakeEngine(default=reads)).start()
    assert reads.running["a"].wait(PATIENCE)
    assert session.end(signum) == 128 + signum
    assert session.finished[0].status == "interrupted"


def test_ctrl_c_before_a_run_has_begun(watch) -> None:
    session = watch(CHAIN)
    session.before_begin = lambda: session.watcher.cancel(signal.SIGINT)
    session.start()
    assert session.ended() == 130
    assert ("run", "a") not in session.engine.journal


def test_ctrl_c_in_a_run_that_a_save_has_superseded(watch) -> None:
    reads = Reads()
    reads.hold("a")
    gates = Gates()
    session = watch(CHAIN, FakeEngine(default=reads, hook=gates)).start()
    release = gates.block("remove", "a")
    assert reads.running["a"].wait(PATIENCE)
    session.save("a.py")
    assert gates.reached["remove", "a"].wait(PATIENCE)
    session.watcher.cancel(signal.SIGINT)
    release.set()
    assert session.ended() == 130


def test_a_fault_of_the_listener_is_raised_and_leaves_nothing(watch, monkeypatch: pytest.MonkeyPatch) -> None:
    session = watch(CHAIN).first()

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(session.files, "_compare", broken)
    session.save("a.py")
    with pytest.raises(RuntimeError, match="a bug"):
        session.ended()


def test_the_run_says_what_it_took_from_where(watch) -> None:
    session = watch(CHAIN).first()
    session.save("b.py")
    session.words.next("waits")
    plan = json.loads((session.root / "runs" / "latest" / "plan.json").read_bytes())
    assert [(each["step"], each["run"]) for each in plan["reused"]] == [("a", session.finished[0].run_id)]
    why = {choice["step"]: choice["why"] for choice in plan["selection"]}
    assert why["other"] == "up to date"


def test_a_fault_of_the_listener_in_a_run_stops_the_run(watch, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads()
    reads.hold("a")
    session = watch(CHAIN, FakeEngine(default=reads)).start()
    assert reads.running["a"].wait(PATIENCE)

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(session.files, "_compare", broken)
    session.save("a.py")
    with pytest.raises(RuntimeError, match="a bug"):
        session.ended()
    assert session.finished[0].status == "interrupted"


def history(step: FakeStep) -> int:
    """Writes what its own script holds, and what those before it wrote."""
    time.sleep(0.01)
    if step.stopping.is_set():
        return 143
    parts = [(step.inputs["code"] / f"{step.name}.py").read_text().strip()]
    parts += [(step.inputs[name] / "all").read_text() for name in sorted(step.inputs) if name != "code"]
    (step.outputs["out"] / "all").write_text(f"({' '.join(parts)})")
    return 0


@pytest.mark.parametrize("mode", [StartMode.PLAIN, StartMode.STAGED])
@pytest.mark.parametrize("seed", range(4))
def test_no_save_is_lost_whenever_it_comes(watch, mode: StartMode, seed: int) -> None:
    """Scripts and the pipeline file are saved at any moment of any run; once it waits, every output is of what is there
    now, all the way down."""
    chance = random.Random(seed)
    steps: dict[str, dict[str, Any]] = {
        "a": {}, "b": takes("a"), "c": takes("a"), "d": takes("b", "c"), "e": {}, "f": takes("d", "e"),
    }  # fmt: skip
    session = watch(steps, FakeEngine(default=history, mode=mode), jobs=3, keep_going=True).first()
    for number in range(40):
        name = chance.choice(sorted(steps))
        if chance.random() < 0.2:
            steps[name] = {**steps[name], "env": {"N": str(number)}}
            session.write(steps)
        else:
            session.save(f"{name}.py", f"{name}{number}\n")
        time.sleep(chance.choice((0.0, 0.0, 0.01, 0.03, 0.06)))
    session.save("e.py", "last\n")
    lent = settled(session, "e", "last")

    def expected(name: str) -> str:
        parts = [(session.root / f"{name}.py").read_text().strip()]
        return f"({' '.join([*parts, *(expected(each) for each in sorted(steps[name].get('inputs', {})))])})"

    assert {name: (lent[name].outputs["out"] / "all").read_text() for name in steps} == {
        name: expected(name) for name in steps
    }
    for name, given in steps.items():
        job = json.loads(lent[name].layout.job.read_bytes())
        assert [value for key, value in job["env"] if key == "N"] == list(given.get("env", {}).values())
    assert session.end() == 0


def settled(session: Watch, step: str, text: str) -> dict[str, Any]:
    """What every step lends once the save of `text` has come through and nothing waits."""
    while True:
        session.words.next("waits")
        assert session.watcher._state is not None
        lent = dict(session.watcher._state.lent)
        if step in lent and text in (lent[step].outputs["out"] / "all").read_text() and not session.watcher._pending:
            return lent
