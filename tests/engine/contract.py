"""What every engine must do: one suite for the fake and the real one.

Each function takes an `engine` and a `launch` factory: `launch(name, *, inputs={}, limits=None, env=()) -> Launch`
makes a Launch whose script does what `BEHAVIOURS[name]` says, with one output `out` and the message directory
`/opt/ml/output`. A real engine runs `source` with Python; the fake one calls `fake`. Use it as

    @pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
    def test_contract(check, ...): check(engine, launch)
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runner.engine.base import Container, Engine, Launch, Outcome, StopReason, Verdict
from runner.engine.fake import FakeStep
from runner.sagemaker.job import Limits

OUTPUT = "/opt/ml/processing/output/out"
INPUT = "/opt/ml/processing/input/DATA"
PATIENCE = 60.0
Factory = Callable[..., Launch]


@dataclasses.dataclass(frozen=True)
class Behaviour:
    source: str
    fake: Callable[[FakeStep], Any]


def _write(s: FakeStep) -> int:
    (s.outputs["out"] / "a.txt").write_text("written")
    s.path("/opt/ml/output/message").write_text("all is well")
    return 0


def _both(s: FakeStep) -> int:
    s.stdout(b"out\xff\x00\n")
    s.stderr(b"err\n")
    return 0


def _scribble(s: FakeStep) -> int:
    place = s.inputs["DATA"]
    s.stdout((place / "x.txt").read_bytes())
    (place / "x.txt").write_text("changed")
    (place / "new").mkdir()
    return 0


def _wait(s: FakeStep) -> int:
    s.stdout(b"ready\n")
    assert s.stopping.wait(PATIENCE)
    return 0


def _deaf(s: FakeStep) -> int:
    s.stdout(b"ready\n")
    while True:
        s.stderr(b"")
        threading.Event().wait(0.01)


def _raise(_: FakeStep) -> int:
    raise KeyError("label")


BEHAVIOURS = {
    "exits 0": Behaviour("", lambda _: 0),
    "exits 3": Behaviour("import sys; sys.exit(3)", lambda _: 3),
    "exits 137": Behaviour("import sys; sys.exit(137)", lambda _: 137),
    "raises": Behaviour("raise KeyError('label')", _raise),
    "leaves by SystemExit": Behaviour(
        "raise SystemExit('sorry')", lambda _: (_ for _ in ()).throw(SystemExit("sorry"))
    ),
    "writes": Behaviour(
        f"open('{OUTPUT}/a.txt', 'w').write('written'); open('/opt/ml/output/message', 'w').write('all is well')",
        _write,
    ),
    "prints": Behaviour(
        "import sys; sys.stdout.buffer.write(b'out\\xff\\x00\\n'); sys.stderr.buffer.write(b'err\\n')", _both
    ),
    "prints much": Behaviour(
        "import sys; [sys.stdout.buffer.write(b'x' * 65536) for _ in range(64)]",
        lambda s: [s.stdout(b"x" * 65536) for _ in range(64)] and 0,
    ),
    "scribbles on its input": Behaviour(
        f"import os; print(open('{INPUT}/x.txt').read(), end=''); open('{INPUT}/x.txt', 'w').write('changed');"
        f"os.mkdir('{INPUT}/new')",
        _scribble,
    ),
    "waits for SIGTERM": Behaviour(
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\n"
        "print('ready', flush=True)\ntime.sleep(60)",
        _wait,
    ),
    "ignores SIGTERM": Behaviour(
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)", _deaf
    ),
}


@dataclasses.dataclass(frozen=True)
class Ended:
    outcome: Outcome
    stdout: bytes
    stderr: bytes


@contextlib.contextmanager
def prepared(engine: Engine, launch: Launch) -> Iterator[Container]:
    container = engine.prepare(launch)
    try:
        yield container
    finally:
        container.remove()


def run(engine: Engine, launch: Launch, *, when_ready: Callable[[Container], None] | None = None) -> Ended:
    """`when_ready` is called once, when the script has written its first bytes."""
    stdout, stderr = bytearray(), bytearray()
    pending = [when_ready] if when_ready is not None else []
    with prepared(engine, launch) as container:

        def sink(data: bytes) -> None:
            stdout.extend(data)
            while pending:
                pending.pop()(container)

        container.run(sink, stderr.extend)
        return Ended(container.confirm(), bytes(stdout), bytes(stderr))


def exit_statuses_are_exact(engine: Engine, launch: Factory) -> None:
    expected = {"exits 0": (Verdict.PASSED, 0), "exits 3": (Verdict.EXIT, 3), "exits 137": (Verdict.EXIT, 137)}
    for name, wanted in expected.items():
        outcome = run(engine, launch(name)).outcome
        assert (outcome.verdict, outcome.exit_code, outcome.signal) == (*wanted, None)
        assert f"exit {wanted[1]}" in outcome.reason
        assert outcome.seconds >= 0
        assert outcome.started_at is not None
        assert outcome.finished_at is not None


def an_exception_is_exit_1_with_a_traceback(engine: Engine, launch: Factory) -> None:
    ended = run(engine, launch("raises"))
    assert (ended.outcome.verdict, ended.outcome.exit_code) == (Verdict.EXIT, 1)
    assert b"KeyError: 'label'" in ended.stderr
    last = run(engine, launch("leaves by SystemExit"))
    assert (last.outcome.exit_code, last.stderr) == (1, b"sorry\n")


def both_streams_are_exact_and_apart(engine: Engine, launch: Factory) -> None:
    ended = run(engine, launch("prints"))
    assert (ended.stdout, ended.stderr) == (b"out\xff\x00\n", b"err\n")
    assert run(engine, launch("prints much")).stdout == b"x" * 65536 * 64


def outputs_and_message_appear_on_the_host(engine: Engine, launch: Factory) -> None:
    made = launch("writes")
    assert run(engine, made).outcome.verdict is Verdict.PASSED
    assert (made.outputs[0].host / "a.txt").read_text() == "written"
    message = next(folder for folder in made.config if folder.target == "/opt/ml/output")
    assert (message.host / "message").read_text() == "all is well"


def inputs_are_private(engine: Engine, launch: Factory, data: Path) -> None:
    (data / "x.txt").write_text("original")
    for _ in range(2):
        ended = run(engine, launch("scribbles on its input", inputs={"DATA": data}))
        assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
        assert ended.stdout == b"original"
    assert [path.name for path in data.iterdir()] == ["x.txt"]
    assert (data / "x.txt").read_text() == "original"


def a_stop_is_cancelled_even_after_exit_0(engine: Engine, launch: Factory) -> None:
    ended = run(engine, launch("waits for SIGTERM"), when_ready=lambda c: c.stop(StopReason.CANCELLED, PATIENCE))
    assert (ended.outcome.verdict, ended.outcome.exit_code) == (Verdict.CANCELLED, 0)


def a_shorter_grace_may_follow(engine: Engine, launch: Factory) -> None:
    def twice(container: Container) -> None:
        container.stop(StopReason.CANCELLED, PATIENCE)
        container.stop(StopReason.CANCELLED, 0)

    outcome = run(engine, launch("ignores SIGTERM"), when_ready=twice).outcome
    assert outcome.verdict is Verdict.CANCELLED
    assert outcome.exit_code == 137


def a_time_out_is_told_apart(engine: Engine, launch: Factory) -> None:
    polite = run(engine, launch("waits for SIGTERM", limits=Limits(timeout=1.0, grace=PATIENCE))).outcome
    assert (polite.verdict, polite.exit_code) == (Verdict.TIMEOUT, 0)
    deaf = run(engine, launch("ignores SIGTERM", limits=Limits(timeout=1.0, grace=0.2))).outcome
    assert (deaf.verdict, deaf.exit_code) == (Verdict.TIMEOUT, 137)
    assert "1 s" in deaf.reason


def a_stop_before_the_run_lets_nothing_pass(engine: Engine, launch: Factory) -> None:
    with prepared(engine, launch("waits for SIGTERM")) as container:
        container.stop(StopReason.CANCELLED, 0)
        assert container.run(lambda _: None, lambda _: None).verdict is Verdict.CANCELLED


def a_sink_that_fails_is_infrastructure(engine: Engine, launch: Factory) -> None:
    def refuse(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with prepared(engine, launch("prints much")) as container:
        outcome = container.run(refuse, lambda _: None)
    assert outcome.verdict is Verdict.INFRASTRUCTURE


def a_confirmation_says_the_same(engine: Engine, launch: Factory) -> None:
    for made in (launch("exits 0"), launch("exits 3"), clustered(launch, "exits 0", "exits 3")):
        with prepared(engine, made) as container:
            told = container.run(lambda _: None, lambda _: None)
            for confirmed in (container.confirm(), container.confirm()):
                assert (confirmed.verdict, confirmed.exit_code) == (told.verdict, told.exit_code)
                assert (confirmed.reason, confirmed.seconds) == (told.reason, told.seconds)
                assert [each.verdict for each in confirmed.hosts] == [each.verdict for each in told.hosts]
                assert not confirmed.own_fault


def a_removed_container_leaves_nothing(engine: Engine, launch: Factory) -> None:
    made = launch("exits 0")
    with prepared(engine, made):
        (left,) = [item for item in engine.leftovers(made.run_id) if item.kind == "container"]
        assert (left.step, left.owner_alive) == (made.job.step, True)
    assert engine.leftovers(made.run_id) == []
    assert not made.scratch.exists()


def a_sweep_removes_what_never_ran(engine: Engine, launch: Factory) -> None:
    made = launch("exits 0")
    container = engine.prepare(made)
    try:
        assert engine.sweep(engine.leftovers(made.run_id)) == []
        assert engine.leftovers(made.run_id) == []
    finally:
        container.remove()


def clustered(launch: Factory, *names: str, limits: Limits | None = None) -> Launch:
    """A step with an instance for each behaviour: `algo-1` does what the first says, and so on."""
    made = [launch(name, limits=limits) for name in names]
    members = []
    for number, each in enumerate(made, 1):
        logs = each.scratch.parent / "logs"
        logs.mkdir()
        job = dataclasses.replace(each.job, hostname=f"algo-{number}", instance_count=len(names))
        members.append(dataclasses.replace(each, job=job, logs=logs))
    return dataclasses.replace(made[0], members=tuple(members))


def all_instances_must_exit_0(engine: Engine, launch: Factory) -> None:
    passed = run(engine, clustered(launch, "exits 0", "exits 0"))
    assert (passed.outcome.verdict, passed.outcome.exit_code, passed.outcome.decided_by) == (Verdict.PASSED, 0, "")
    failed = run(engine, clustered(launch, "exits 0", "exits 3")).outcome
    assert (failed.verdict, failed.exit_code, failed.decided_by) == (Verdict.EXIT, 3, "algo-2")
    assert failed.reason == "algo-2: exit 3"
    assert [each.host for each in failed.hosts] == ["algo-1", "algo-2"]
    # Which of the two ends first is open: the first may be stopped because the second failed.
    assert failed.hosts[0].exit_code in (0, 143, None)
    assert failed.hosts[1].exit_code == 3


def one_that_fails_stops_the_others(engine: Engine, launch: Factory) -> None:
    outcome = run(engine, clustered(launch, "waits for SIGTERM", "exits 3", "exits 0")).outcome
    assert (outcome.verdict, outcome.decided_by) == (Verdict.EXIT, "algo-2")
    first, second, _ = outcome.hosts
    assert (first.verdict, first.peer, second.peer) == (Verdict.CANCELLED, True, False)


def lines_carry_their_host_and_files_are_exact(engine: Engine, launch: Factory) -> None:
    made = clustered(launch, "prints", "prints")
    ended = run(engine, made)
    for stream, raw in ((ended.stdout, b"out\xff\x00\n"), (ended.stderr, b"err\n")):
        assert sorted(stream.splitlines(keepends=True)) == [b"algo-1 | " + raw, b"algo-2 | " + raw]
    for member in made.members:
        assert member.logs is not None
        assert (member.logs / "stdout").read_bytes() == b"out\xff\x00\n"


def a_stop_reaches_every_instance(engine: Engine, launch: Factory) -> None:
    made = clustered(launch, "waits for SIGTERM", "waits for SIGTERM")
    outcome = run(engine, made, when_ready=lambda c: c.stop(StopReason.CANCELLED, PATIENCE)).outcome
    assert outcome.verdict is Verdict.CANCELLED
    limits = Limits(timeout=2.0, grace=0.5)
    outcome = run(engine, clustered(launch, "ignores SIGTERM", "ignores SIGTERM", limits=limits)).outcome
    assert outcome.verdict is Verdict.TIMEOUT
    assert outcome.decided_by in ("algo-1", "algo-2")
    assert outcome.reason.startswith(outcome.decided_by)


def instances_leave_nothing(engine: Engine, launch: Factory) -> None:
    made = clustered(launch, "exits 0", "exits 0")
    with prepared(engine, made):
        kinds = [item.kind for item in engine.leftovers(made.run_id)]
        assert kinds.count("container") == 2
    assert engine.leftovers(made.run_id) == []
    assert not any(member.scratch.exists() for member in made.members)
    swept = engine.prepare(clustered(launch, "exits 0", "exits 0"))
    try:
        assert engine.sweep(engine.leftovers(made.run_id)) == []
        assert engine.leftovers(made.run_id) == []
    finally:
        swept.remove()


CHECKS: list[Callable[..., None]] = [
    exit_statuses_are_exact,
    an_exception_is_exit_1_with_a_traceback,
    both_streams_are_exact_and_apart,
    outputs_and_message_appear_on_the_host,
    a_stop_is_cancelled_even_after_exit_0,
    a_shorter_grace_may_follow,
    a_time_out_is_told_apart,
    a_stop_before_the_run_lets_nothing_pass,
    a_sink_that_fails_is_infrastructure,
    a_confirmation_says_the_same,
    a_removed_container_leaves_nothing,
    a_sweep_removes_what_never_ran,
    all_instances_must_exit_0,
    one_that_fails_stops_the_others,
    lines_carry_their_host_and_files_are_exact,
    a_stop_reaches_every_instance,
    instances_leave_nothing,
]
"""`inputs_are_private` is apart: it needs a directory, too."""
