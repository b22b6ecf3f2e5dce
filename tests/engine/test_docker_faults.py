"""Hands from outside, and faults of the machine: the verdict says whose they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from engine.launches import Ended, Workbench

from runner.engine.base import StartMode, StopReason, Verdict
from runner.engine.client import client
from runner.sagemaker.job import Limits

pytestmark = pytest.mark.docker

SLEEP = "import time\nprint('up', flush=True)\ntime.sleep(60)"


def disturb(bench: Workbench, mode: StartMode, act: Callable[[Any, str], None], script: str = SLEEP) -> Ended:
    """Run a script and do something to its container as soon as it has spoken."""
    launch = bench.launch(script, mode=mode)
    container = bench.engine.prepare(launch)
    spoken = threading.Event()
    docker = client()

    def later() -> None:
        spoken.wait(30)
        act(docker.containers.get(container.id), container.id)

    hand = threading.Thread(target=later)
    hand.start()
    out = bytearray()

    def sink(data: bytes) -> None:
        out.extend(data)
        spoken.set()

    try:
        container.run(sink, lambda _: None)
        outcome = container.confirm()
    finally:
        hand.join()
        container.remove()
        docker.close()
    return Ended(outcome, bytes(out), b"", launch)


def test_removed_from_outside(bench: Workbench, mode: StartMode) -> None:
    outcome = disturb(bench, mode, lambda container, _: container.remove(force=True)).outcome
    assert outcome.verdict is not Verdict.PASSED
    if mode is not StartMode.COLD:
        assert outcome.verdict is Verdict.INFRASTRUCTURE
    assert "outside" in outcome.reason or "removed" in outcome.reason


def test_killed_from_outside(bench: Workbench) -> None:
    for mode in {StartMode.PLAIN, bench.image.mode}:
        outcome = disturb(bench, mode, lambda container, _: container.kill()).outcome
        assert outcome.verdict is Verdict.INFRASTRUCTURE
        assert "killed from outside" in outcome.reason


def test_stopped_from_outside(bench: Workbench) -> None:
    for mode in {StartMode.PLAIN, bench.image.mode}:
        outcome = disturb(bench, mode, lambda container, _: container.stop(timeout=5)).outcome
        assert outcome.verdict is Verdict.INFRASTRUCTURE
        assert "stopped from outside with SIGTERM" in outcome.reason


def test_cancelled_by_the_user(bench: Workbench, mode: StartMode) -> None:
    deaf = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\n" + SLEEP
    launch = bench.launch(deaf, mode=mode)
    container = bench.engine.prepare(launch)
    timer = threading.Timer(1.0, lambda: container.stop(StopReason.CANCELLED, 0.5))
    timer.start()
    began = time.monotonic()
    outcome = container.run(lambda _: None, lambda _: None)
    container.remove()
    assert outcome.verdict is Verdict.CANCELLED
    assert time.monotonic() - began < 15


def test_a_log_that_cannot_be_written_stops_the_step(bench: Workbench, mode: StartMode) -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    container = bench.engine.prepare(bench.launch("while True: print('x' * 1000)", mode=mode))
    outcome = container.run(full, full)
    container.remove()
    assert outcome.verdict is Verdict.INFRASTRUCTURE
    assert "No space left" in outcome.reason


def test_a_script_as_root_cannot_forge_the_report(bench: Workbench) -> None:
    """It may find PID 1's descriptors, but not open them."""
    script = """
import os, sys
for fd in range(64):
    try:
        with open(f"/proc/1/fd/{fd}", "w") as handle:
            handle.write('{"exit": 0, "stopped": null, "error": null, "notes": []}')
    except OSError:
        pass
sys.exit(9)
"""
    assert bench.script(script).outcome.exit_code == 9


def test_names_with_quotes_commas_colons_and_newlines(bench: Workbench, mode: StartMode, odd_dir: Any) -> None:
    odd = Workbench(bench.engine, odd_dir / "run", bench.image)
    data = odd_dir / "da,ta:1"
    data.mkdir()
    (data / "f").write_text("there")
    script = "print(open('/opt/ml/processing/input/data/f').read())"
    ended = odd.script(script, mode=mode, inputs={"data": data})
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"there\n"), ended.outcome.reason


def test_five_hundred_instant_exits_lose_no_status_and_no_byte(bench: Workbench) -> None:
    """Each script ends within a millisecond of its first byte; every status and every byte arrives."""

    def once(number: int) -> bool:
        script = f"import os; os.write(1, b'{number:04d}' * 1000); os._exit({number % 7})"
        ended = bench.script(script, mode=modes[number % len(modes)])
        return (ended.outcome.exit_code, ended.stdout) == (number % 7, f"{number:04d}".encode() * 1000)

    modes = [bench.image.mode, StartMode.PLAIN, StartMode.COLD]
    with ThreadPoolExecutor(6) as pool:
        right = list(pool.map(once, range(500)))
    assert right == [True] * 500


def test_children_that_write_to_the_end_hold_nothing_up(bench: Workbench) -> None:
    """They die while they write; the agent's report must come after the last of them."""
    script = """
import os, time
for number in range(12):
    if os.fork() == 0:
        os.setsid()
        block = b"x" * (37 if number % 2 else 4000)
        while True:
            os.write(2, block)
time.sleep(0.15)
os._exit(0)
"""
    for _ in range(8):
        ended = bench.script(script, limits=Limits(timeout=30.0, grace=1.0))
        assert ended.outcome.verdict is Verdict.PASSED, ended.outcome.reason
        assert set(ended.stderr) == {ord("x")}


def test_a_storm_of_signals_to_process_1_is_counted_not_listed(bench: Workbench) -> None:
    script = """
import os, time
until = time.time() + 1
while time.time() < until:
    os.kill(1, 15)
    os.kill(1, 2)
"""
    ended = bench.script(script, limits=Limits(timeout=30.0, grace=1.0))
    assert ended.outcome.verdict is Verdict.PASSED, ended.outcome.reason
    assert len(ended.outcome.warnings) == 2


def test_a_script_may_leave_its_streams_non_blocking_and_full(bench: Workbench) -> None:
    script = """
import fcntl, os, time
for stream in (1, 2):
    fcntl.fcntl(stream, fcntl.F_SETFL, fcntl.fcntl(stream, fcntl.F_GETFL) | os.O_NONBLOCK)
until, written = time.time() + 10, 0
while time.time() < until:
    try:
        written += os.write(2, b"z" * 65536)
    except BlockingIOError:
        if written > 20_000_000:
            break
os._exit(3)
"""
    launch = bench.launch(script)
    container = bench.engine.prepare(launch)
    size = 0

    def slow(data: bytes) -> None:
        nonlocal size
        size += len(data)
        time.sleep(0.001)

    outcome = container.run(slow, slow)
    container.remove()
    assert (outcome.verdict, outcome.exit_code) == (Verdict.EXIT, 3), outcome.reason
    assert size > 20_000_000
