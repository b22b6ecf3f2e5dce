"""Nothing may outlive a runner that was killed: how long until the engine holds no container of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from bench.bench import COMMAND, Bench, MeasurementError
from bench.figures import Figure, median

GOAL = 2.0
"""Seconds."""
PATIENCE = 60.0
SCRIPT = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


def killed(bench: Bench) -> list[Figure]:
    """Two steps that run and ignore SIGTERM, and one that waits for them, staged; the runner's group gets SIGKILL."""
    bench.image("python")
    root = bench.place("cleanup")
    (root / "sleep.py").write_text(SCRIPT)
    step = {"script": "sleep.py"}
    steps = {"a": step, "b": step, "c": {**step, "depends_on": ["a", "b"]}}
    (root / "pipeline.json").write_text(json.dumps({"name": "killed", "image": "python", "steps": steps}))
    seconds = [_once(bench, root) for _ in range(bench.effort(5, 2))]
    return [
        Figure(
            promise="SIGKILL of the runner until its last container is gone",
            goal=f"<= {GOAL * 1000:.0f} ms",
            measured=f"{median(seconds) * 1000:.0f} ms (worst {max(seconds) * 1000:.0f})",
            met=max(seconds) <= GOAL,
            detail={"seconds": seconds},
            value=max(seconds),
            limit=GOAL,
        )
    ]


def _once(bench: Bench, root: Path) -> float:
    runs = root / "runs"
    before = set(runs.glob("2*"))
    argv = [str(COMMAND), "run", str(root / "pipeline.json"), "-j", "2", "--runs-dir", str(runs)]
    process = subprocess.Popen(
        argv, env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        run = _wait_until_up(process, runs, before)
        if len(_containers(bench, run)) < 2:
            raise MeasurementError("the containers of the run cannot be seen")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        began = time.perf_counter()
        process.wait()
    while _containers(bench, run):
        if time.perf_counter() - began > PATIENCE:
            raise MeasurementError(f"containers of run {run} are still there after {PATIENCE:.0f} s")
    return time.perf_counter() - began


def _wait_until_up(process: subprocess.Popen[bytes], runs: Path, before: set[Path]) -> str:
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until and process.poll() is None:
        for run in set(runs.glob("2*")) - before:
            logs = list(run.glob("steps/*/stdout"))
            if len([log for log in logs if log.stat().st_size]) == 2:
                return run.name
        time.sleep(0.02)
    raise MeasurementError("the run to be killed did not come up")


def _containers(bench: Bench, run: str) -> list[str]:
    label = f"label=run-pipeline.run={run}"
    return bench.output(["docker", "ps", "--all", "--quiet", "--filter", label]).split()
