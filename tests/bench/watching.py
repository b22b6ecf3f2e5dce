"""From a save to the start of what it affects: `watch`, on real containers and with none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.bench import COMMAND, Bench, MeasurementError
from bench.figures import Figure, median

GOAL = 0.1
PATIENCE = 60.0
STEPS = {
    "a": {"script": "a.py", "outputs": ["out"]},
    "b": {"script": "b.py", "inputs": {"data": {"from": "a.out"}}, "outputs": ["out"]},
    "c": {"script": "c.py", "inputs": {"data": {"from": "b.out"}}, "outputs": ["out"]},
}
SCRIPT = "open('/opt/ml/processing/output/out/x', 'w').write('x')\n"


def decisions(bench: Bench) -> list[Figure]:
    """What `watch` itself takes: from the save until the first container is asked for, on an engine without any."""
    root = bench.place("watching-fake")
    _lay_out(root)
    program = "import sys; sys.path.insert(0, sys.argv.pop()); from bench.watching import serve; serve()"
    words = [sys.executable, "-c", program, str(Path(__file__).parents[1])]
    with subprocess.Popen(words, cwd=root, env=bench.env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, b"")
        _next(lines, b"waits")
        seconds = []
        for number in range(bench.effort(50, 10)):
            saved = _save(root / "b.py", number)
            asked = float(_next(lines, b"prepare b").split()[2])
            seconds.append(asked - saved)
            _next(lines, b"waits")
        process.send_signal(signal.SIGINT)
    return [_figure("a save until the container of what it affects is asked for", seconds, GOAL)]


def starts(bench: Bench) -> list[Figure]:
    """Until the save is told, and until the step has begun: in a container that waits, and in one that is made then."""
    bench.image("python")
    cold, warm = (_rounds(bench, pool) for pool in (False, True))
    return [
        _figure("a save until it is told", cold[0], GOAL),
        _figure("a save until the step that it affects begins, in a warm container", warm[1], GOAL),
        _figure("a save until the step that it affects begins, its container made for it", cold[1], None),
    ]


def _rounds(bench: Bench, pool: bool) -> tuple[list[float], list[float]]:
    """Seconds from each save until it was told, and until the step had begun."""
    root = bench.place(f"watching-{'warm' if pool else 'cold'}")
    _lay_out(root)
    words = [str(COMMAND), "watch", "pipeline.json", "--json-lines"]
    place = tempfile.mkdtemp(prefix="bench-pool-")
    env = {**bench.env, "RUN_PIPELINE_POOL": place if pool else "off"}
    try:
        return _watched(words, root, env, bench.effort(20, 5), 2 if pool else 0)
    finally:
        bench.output([str(COMMAND), "clean", "--runs-dir", str(root / "runs")], env)
        shutil.rmtree(place)


def _watched(
    words: list[str], root: Path, env: dict[str, str], rounds: int, waiting: int
) -> tuple[list[float], list[float]]:
    with subprocess.Popen(words, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, b"")
        _next(lines, b'"watch-waits"')
        told, begun = [], []
        for number in range(rounds):
            _wait_for_pool(env, waiting)
            saved = _save(root / "b.py", number)
            told.append(_at(_next(lines, b'"watch-changed"')) - saved)
            begun.append(_at(_next(lines, b'"step-started"')) - saved)
            _next(lines, b'"watch-waits"')
        process.send_signal(signal.SIGINT)
        if process.wait(PATIENCE):
            raise MeasurementError(f"watch ended with {process.returncode}")
    return told, begun


def _wait_for_pool(env: dict[str, str], waiting: int) -> None:
    """Until so many containers stand ready."""
    end = time.monotonic() + PATIENCE
    while waiting:
        told = subprocess.run([COMMAND, "pool", "--json"], env=env, capture_output=True, check=True).stdout
        if len(json.loads(told)["ready"]) >= waiting:
            time.sleep(0.5)  # they still import
            return
        if time.monotonic() > end:
            raise MeasurementError(f"{waiting} containers were to be ready: {told.decode()}")
        time.sleep(0.2)


def serve() -> None:
    """Watch `pipeline.json` on the fake engine, as the command does; print what the measurement waits for."""
    from runner import engine as room
    from runner.cli.main import entry
    from runner.engine.base import StartMode
    from runner.engine.fake import FakeEngine
    from runner.report import watching

    def hook(point: str, step: str) -> None:
        if point == "prepare":
            os.write(1, f"prepare {step} {time.time():.6f}\n".encode())

    room.connect = lambda: FakeEngine(mode=StartMode.STAGED, hook=hook)  # type: ignore[assignment]
    watching.WatchLines.waits = lambda self, waiting: os.write(1, b"waits\n")  # type: ignore[assignment,method-assign]
    sys.exit(entry(["watch", "pipeline.json", "-q"]))


def _lay_out(root: Path) -> None:
    for name in STEPS:
        (root / f"{name}.py").write_text(SCRIPT)
    (root / "pipeline.json").write_text(json.dumps({"name": "watching", "image": "python", "steps": STEPS}))


def _save(path: Path, number: int) -> float:
    """As most editors save: a new file that takes the old one's name. Returns when, in seconds of the wall clock."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(f"{SCRIPT}# {number}\n")
    saved = time.time()
    fresh.rename(path)
    return saved


def _next(lines: Iterator[bytes], word: bytes) -> bytes:
    for line in lines:
        if word in line:
            return line
    raise MeasurementError(f"watch ended without {word!r}")


def _at(line: bytes) -> float:
    return datetime.fromisoformat(json.loads(line)["at"]).timestamp()


def _figure(promise: str, seconds: list[float], goal: float | None) -> Figure:
    p50, worst = median(seconds), max(seconds)
    return Figure(
        promise=promise,
        goal="-" if goal is None else f"<= {goal * 1000:.0f} ms",
        measured=f"{p50 * 1000:.0f} ms (worst {worst * 1000:.0f})",
        met=None if goal is None else p50 <= goal,
        detail={"seconds": seconds},
        value=p50,
        limit=goal,
    )
