"""Faults in every place where a run has something to clean up, and what remains true then."""

from __future__ import annotations

import errno
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import OUT, PATIENCE, Gates, Harness, step, verdicts

from runner.data import publish as publishing
from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import EngineLost, EnvironmentFault, InternalError, WorkspaceError
from runner.pipeline import confirming, drive, outbox, rundir, settle
from runner.pipeline.events import Event, Notice, RunFinished, StepFinished, StepOutput
from runner.pipeline.store import find_run

BOTH = pytest.mark.parametrize("mode", [StartMode.PLAIN, StartMode.STAGED])


def full(path: object = "/full/disk/file") -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", str(path))


def sleeper(step_: FakeStep) -> int:
    assert step_.stopping.wait(PATIENCE)
    return 143


def stubborn(step_: FakeStep) -> int:
    """Ignores SIGTERM."""
    while True:
        step_.stdout(b".")
        threading.Event().wait(0.01)


class On:
    """A reporter that acts at the first event of a kind."""

    def __init__(self, kind: type[Event], act: Callable[[Any], None], count: int = 1) -> None:
        self.kind, self.act, self.left = kind, act, count

    def handle(self, event: Event) -> None:
        if isinstance(event, self.kind) and self.left:
            self.left -= 1
            self.act(event)

    def close(self) -> None:
        pass


def cancelling(harness: Harness, *signals: int) -> None:
    """Send the signals once `a` runs."""
    gates = Gates()
    reached = gates.reached["run", "a"] = threading.Event()
    harness.engine._hook = gates

    def send() -> None:
        assert reached.wait(PATIENCE)
        for signum in signals:
            assert harness.run is not None
            harness.run.cancel(signum)

    threading.Thread(target=send, daemon=True).start()


@BOTH
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_everything_and_results_are_written(
    tmp_path: Path, mode: StartMode, signum: int, code: int
) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": sleeper}, mode=mode))
    cancelling(harness, signum)
    finished = harness.execute(a=step(), b=step("a"), c=step("b"))
    assert (finished.exit_code, finished.status) == (code, "interrupted")
    assert verdicts(finished) == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}
    assert signal.Signals(signum).name in finished.results[1].reason
    assert json.loads((harness.root / "steps/a/result.json").read_text())["verdict"] == "cancelled"
    assert [p.name for p in (harness.root / "steps").iterdir()] == ["a"]
    record = find_run(harness.runs)
    assert (record.status, record.exit_code) == ("interrupted", code)


def test_a_second_signal_kills_what_ignores_the_first(tmp_path: Path) -> None:
    engine = FakeEngine({"a": stubborn})
    harness = Harness(tmp_path, engine)
    cancelling(harness, signal.SIGINT, signal.SIGINT)
    finished = harness.execute(a=step())
    assert verdicts(finished) == {"a": "cancelled"}
    assert finished.results[0].signal == "SIGKILL"
    (container,) = engine.containers.values()
    assert [grace for _, grace in container.stops] == [1.0, 0.0]


def test_a_signal_before_the_first_step_starts_nothing(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.prepare(a=step(), b=step("a")).cancel(signal.SIGTERM)
    assert harness.run is not None
    finished = harness.run.execute()
    harness.nothing_left()
    assert finished.exit_code == 143
    assert harness.engine.containers == {}


def test_a_signal_stops_containers_while_a_reporter_blocks_the_main_thread(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": sleeper}))
    stopped = threading.Event()

    def stall(_: Event) -> None:
        assert harness.run is not None
        harness.run.cancel(signal.SIGINT)
        assert stopped.wait(PATIENCE), "the container was not removed while the reporter stood still"

    gates = Gates()
    gates.reached["remove", "a"] = stopped
    harness.engine._hook = gates
    harness.options["reporters"] = [On(events_step_started(), stall)]
    assert harness.execute(a=step()).exit_code == 130


def events_step_started() -> type[Event]:
    from runner.pipeline.events import StepStarted

    return StepStarted


@BOTH
def test_a_stop_that_arrives_between_prepare_and_run_lets_nothing_run(tmp_path: Path, mode: StartMode) -> None:
    gates = Gates()
    release = gates.block("prepare", "a")
    engine = FakeEngine(mode=mode, hook=gates)
    harness = Harness(tmp_path, engine)
    run = harness.prepare(a=step())

    def send() -> None:
        assert gates.reached["prepare", "a"].wait(PATIENCE)
        run.cancel(signal.SIGINT)
        while not harness_stopped(run):
            threading.Event().wait(0.005)
        release.set()

    threading.Thread(target=send, daemon=True).start()
    finished = run.execute()
    harness.nothing_left()
    assert verdicts(finished) == {"a": "cancelled"}
    assert ("run", "a") not in engine.journal


def harness_stopped(run: Any) -> bool:
    return run._signals.empty()


def test_a_key_press_without_a_handler_still_cleans_up(tmp_path: Path) -> None:
    def interrupt(_: Event) -> None:
        raise KeyboardInterrupt

    harness = Harness(tmp_path, FakeEngine({"a": sleeper}, mode=StartMode.STAGED))
    harness.options["reporters"] = [On(events_step_started(), interrupt)]
    with pytest.raises(KeyboardInterrupt):
        harness.execute(a=step(), b=step("a"))
    harness.nothing_left()
    record = find_run(harness.runs)
    assert record.status == "error"
    assert {r.step: str(r.verdict or r.state) for r in record.results} == {"a": "cancelled", "b": "cancelled"}


@BOTH
def test_a_fault_in_prepare_is_infrastructure(tmp_path: Path, mode: StartMode) -> None:
    gates = Gates()
    gates.fail["prepare", "b"] = EnvironmentFault("no more addresses")
    harness = Harness(tmp_path, FakeEngine(mode=mode, hook=gates), keep_going=True)
    finished = harness.execute(a=step(), b=step("a"), c=step("b"), d=step("a"))
    assert verdicts(finished) == {"a": "passed", "b": "infrastructure", "c": "blocked", "d": "passed"}
    assert finished.results[1].reason == "no more addresses"
    assert finished.exit_code == 3
    assert find_run(harness.runs).result("b").verdict == "infrastructure"


def test_a_lost_engine_ends_the_run_without_trying_the_rest(tmp_path: Path) -> None:
    engine = FakeEngine()

    def lose(_: FakeStep) -> int:
        engine.lose()
        return 0

    engine.scripts["a"] = lose
    harness = Harness(tmp_path, engine, keep_going=True, jobs=1)
    finished = harness.prepare(a=step(), b=step("a"), c=step(), d=step()).execute()
    assert verdicts(finished) == {"a": "infrastructure", "b": "blocked", "c": "cancelled", "d": "cancelled"}
    assert "the engine is gone" in finished.results[2].reason
    assert finished.exit_code == 3
    assert [name for point, name in engine.journal if point == "prepare"] == ["a"]
    assert not (harness.root / "steps/a/outputs").exists()


def test_an_engine_lost_in_prepare_is_not_tried_again(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["prepare", "a"] = EngineLost("connection refused")
    harness = Harness(tmp_path, FakeEngine(hook=gates), keep_going=True, jobs=1)
    finished = harness.execute(a=step(), b=step())
    assert verdicts(finished) == {"a": "infrastructure", "b": "cancelled"}


def test_a_fault_that_run_raises_is_infrastructure(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    gates = Gates()
    gates.fail["run", "a"] = EngineLost("went away")
    harness.engine._hook = gates
    assert verdicts(harness.execute(a=step())) == {"a": "infrastructure"}


def test_a_failed_removal_changes_no_verdict(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["remove", "a"] = RuntimeError("device busy")
    harness = Harness(tmp_path, FakeEngine(hook=gates))
    finished = harness.prepare(a=step(), b=step("a")).execute()
    assert finished.exit_code == 0
    assert any("device busy" in notice.message for notice in harness.recorder.of(Notice))


def test_a_container_that_cannot_be_told_to_stop_does_not_save_the_others(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["stop", "a"] = EnvironmentFault("no answer")
    for point, name in (("run", "a"), ("run", "b"), ("remove", "b")):
        gates.reached[point, name] = threading.Event()

    def alone(s: FakeStep) -> int:
        """Ends by itself, once the other is gone."""
        (s.outputs["out"] / "f").write_text("1")
        assert gates.reached["remove", "b"].wait(PATIENCE)
        return 0

    harness = Harness(tmp_path, FakeEngine({"a": alone, "b": sleeper}, hook=gates))
    run = harness.prepare(a=step(), b=step())

    def send() -> None:
        assert gates.reached["run", "a"].wait(PATIENCE)
        assert gates.reached["run", "b"].wait(PATIENCE)
        run.cancel(signal.SIGINT)

    threading.Thread(target=send, daemon=True).start()
    finished = run.execute()
    harness.nothing_left()
    assert verdicts(finished) == {"a": "passed", "b": "cancelled"}
    assert finished.exit_code == 130
    assert any("no answer" in notice.message for notice in harness.recorder.of(Notice))


def test_a_fault_of_this_tool_in_a_worker_ends_the_run_as_an_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(settle, "judge", bug)
    harness = Harness(tmp_path, FakeEngine())
    with pytest.raises(InternalError, match="ZeroDivisionError: oops"):
        harness.execute(a=step(), b=step())
    harness.nothing_left()
    record = find_run(harness.runs)
    assert (record.status, record.exit_code) == ("error", 4)
    (end,) = harness.recorder.of(RunFinished)
    assert end.exit_code == 4


def test_a_bug_in_the_loop_stops_all_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": sleeper}, mode=StartMode.STAGED))

    def bug(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(drive.Driver, "_forward_output", bug)
    harness.engine.scripts["b"] = Canned(stdout=b"wake")
    with pytest.raises(InternalError, match="oops"):
        harness.execute(a=step(), b=step())
    harness.nothing_left()


def test_a_worker_thread_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name == "step-b":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    harness = Harness(tmp_path, FakeEngine(mode=StartMode.STAGED))
    with pytest.raises(InternalError, match="can't start new thread"):
        harness.execute(a=step(), b=step("a"))
    harness.nothing_left()


# --- reporters -------------------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Callable[[Event], None]:
    def act(_: Event) -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("bug"), 4), (full(), 3), (WorkspaceError("x"), 3), (BrokenPipeError(), 0)]
)
@pytest.mark.parametrize("when", [StepFinished, RunFinished])
def test_a_reporter_that_raises_loses_no_verdict(
    tmp_path: Path, error: Exception, code: int, when: type[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.options["reporters"] = [On(when, raising(error)), harness.recorder]
    finished = harness.execute(a=step(), b=step("a"))
    assert verdicts(finished) == {"a": "passed", "b": "passed"}
    assert finished.exit_code == code
    assert find_run(harness.runs).exit_code == code
    assert len(harness.recorder.of(StepFinished)) == 2
    assert ("reporter On failed" in capsys.readouterr().err) == (code != 0)
    last = json.loads((harness.root / "events.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("run-finished", code)


def test_a_failed_step_outweighs_a_failed_reporter(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": Canned(exit_code=9)}))
    harness.options["reporters"] = [On(StepFinished, raising(ValueError("bug")))]
    assert harness.execute(a=step()).exit_code == 1


def test_a_reporter_that_cannot_close_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Bad(On):
        def close(self) -> None:
            raise full()

    harness = Harness(tmp_path, FakeEngine())
    harness.options["reporters"] = [Bad(RunFinished, lambda _: None)]
    assert harness.execute(a=step()).exit_code == 3
    assert "reporter Bad failed" in capsys.readouterr().err


def test_a_reporter_that_stands_still_costs_it_bytes_and_the_log_file_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 0.01)
    go_on = threading.Event()
    piece, count = b"x" * 65536, 40

    def talk(s: FakeStep) -> None:
        for _ in range(count):
            s.stdout(piece)
        (s.outputs["out"] / "f").write_text("1")
        go_on.set()

    harness = Harness(tmp_path, FakeEngine({"a": talk}))
    stall = On(StepOutput, lambda _: go_on.wait(PATIENCE) or None)
    harness.options["reporters"] = [stall, harness.recorder]
    assert harness.execute(a=step()).exit_code == 0
    assert (harness.root / "steps/a/stdout").read_bytes() == piece * count
    shown = b"".join(e.data for e in harness.recorder.of(StepOutput))
    missed = int(shown.split(b"[")[1].split(b" ")[0])
    assert b"bytes are in the log file only" in shown
    assert shown.count(b"x") + missed == len(piece) * count


# --- the disk --------------------------------------------------------------------------------------------------------


def fail_write(monkeypatch: pytest.MonkeyPatch, match: str, times: int = 1000) -> None:
    """A full disk for every atomic write of a file whose path ends like this."""
    left = [times]

    real = settle.write_json

    def write(path: Path, document: object, *, durable: bool = True) -> None:
        if str(path).endswith(match) and left[0]:
            left[0] -= 1
            raise full(path)
        real(path, document, durable=durable)

    for module in (settle, publishing, rundir):
        monkeypatch.setattr(module, "write_json", write)


def test_a_full_disk_for_the_log_is_infrastructure(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    harness = Harness(tmp_path, FakeEngine())

    def talk(s: FakeStep) -> None:
        (s.outputs["out"] / "f").write_text("1")
        s.stdout(b"more than fits")

    harness.engine.scripts["a"] = talk
    real = outbox.Log.__init__

    def init(self: outbox.Log, path: Path, forward: Callable[[bytes], None]) -> None:
        real(self, path, forward)
        if path.name == "stdout":
            self._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox.Log, "__init__", init)
        finished = harness.execute(a=step(), b=step("a"))
    assert verdicts(finished) == {"a": "infrastructure", "b": "blocked"}
    assert finished.results[0].reason.startswith("no space left in ")
    assert finished.exit_code == 3
    assert not (harness.root / "steps/a/outputs").exists()


@pytest.mark.parametrize("name", ["outputs.json", "steps/a/result.json"])
def test_a_full_disk_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    fail_write(monkeypatch, name)
    harness = Harness(tmp_path, FakeEngine({"a": Canned(files={f"{OUT}/out/deep/f": b"1"})}))
    finished = harness.execute(a=step(), b=step("a"))
    assert verdicts(finished) == {"a": "infrastructure", "b": "blocked"}
    assert f"no space left in {harness.root}" in finished.results[0].reason
    assert finished.exit_code == 3
    folder = harness.root / "steps/a"
    assert (folder / "attempt/out/deep/f").read_bytes() == b"1"
    assert not (folder / "outputs").exists()
    assert not (folder / "outputs.part").exists()
    assert not (folder / "outputs.json").exists()
    assert find_run(harness.runs).result("a").verdict == "infrastructure"


@pytest.mark.parametrize("point", ["pack", "rename"])
def test_a_fault_in_mid_publication_puts_every_file_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    if point == "pack":
        monkeypatch.setattr(publishing.archive, "pack", lambda *_: (_ for _ in ()).throw(full()))
    else:
        real = Path.rename

        def rename(self: Path, target: Path) -> Path:
            if self.name == "outputs.part":
                raise full(self)
            return real(self, target)

        monkeypatch.setattr(Path, "rename", rename)
    harness = Harness(
        tmp_path, FakeEngine({"t": Canned(files={"/opt/ml/model/m": b"1", "/opt/ml/output/data/d": b"2"})})
    )
    finished = harness.execute(t=step(type="training", outputs={}))
    assert verdicts(finished) == {"t": "infrastructure"}
    folder = harness.root / "steps/t"
    assert (folder / "attempt/model/m").read_bytes() == b"1"
    assert (folder / "attempt/output/d").read_bytes() == b"2"
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith("outputs")) == []


def test_a_full_disk_for_run_json_says_so_and_exits_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.options["reporters"] = [On(StepFinished, lambda _: fail_write(monkeypatch, "run.json"))]
    assert harness.execute(a=step()).exit_code == 3
    assert "no space left in" in capsys.readouterr().err


def test_a_full_disk_for_the_step_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.mkdir

    def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
        if self.name == "attempt" or self.parent.name == "attempt":
            raise full(self)
        real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    harness = Harness(tmp_path, FakeEngine())
    finished = harness.execute(a=step())
    assert verdicts(finished) == {"a": "infrastructure"}
    assert "no space left" in finished.results[0].reason


def test_an_unwritable_runs_directory_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    harness = Harness(tmp_path, FakeEngine(), runs_dir=tmp_path / "file/runs")
    with pytest.raises(WorkspaceError, match="cannot make a run directory") as caught:
        harness.execute(a=step())
    assert "--runs-dir" in caught.value.remedy
    assert harness.engine.containers == {}


def test_a_latest_that_is_a_real_directory_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "runs/latest").mkdir(parents=True)
    with pytest.raises(WorkspaceError, match="latest") as caught:
        Harness(tmp_path, FakeEngine()).execute(a=step())
    assert "in the way" in caught.value.remedy


def test_a_runs_directory_that_this_user_may_not_write() -> None:
    """Root may write anywhere, so a child that is nobody tries."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder, "runs")
        runs.mkdir(mode=0o555)
        Path(folder).chmod(0o755)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                rundir.create(runs)
            except WorkspaceError as error:
                status = 0 if "Permission denied" in str(error) and "--runs-dir" in error.remedy else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert list(runs.iterdir()) == []


def test_what_the_inputs_became_is_no_matter_of_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, _document: object, *, durable: bool) -> None:
        raise full(path)

    monkeypatch.setattr(confirming, "write_json", write)
    harness = Harness(tmp_path, FakeEngine())
    (tmp_path / "data").mkdir()
    (result,) = harness.execute(a=step(inputs={"DATA": {"source": str(tmp_path / "data")}})).results
    assert result.verdict == "passed"
    assert any("how the inputs were made private" in text for text in result.warnings)
    document = json.loads((harness.root / "steps/a/inputs.json").read_text())
    assert [item["private"] for item in document["inputs"]] == [None]
    written = json.loads((harness.root / "steps/a/result.json").read_text())
    assert tuple(written["warnings"]) == result.warnings


def test_outputs_that_cannot_be_made_durable_fail_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(publishing, "fsync_file", sync)
    harness = Harness(tmp_path, FakeEngine())
    finished = harness.execute(a=step())
    assert verdicts(finished) == {"a": "infrastructure"}
    assert finished.exit_code == 3
    assert "cannot make the outputs durable" in finished.results[0].reason
    record = find_run(harness.runs)
    assert record.result("a").verdict == "infrastructure"
    assert record.published("a", ["out"]) is None
