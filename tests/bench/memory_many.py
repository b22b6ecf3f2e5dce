"""Memory where there is much of something: the runner with many nodes and long logs, and containers that wait."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from bench.bench import COMMAND, Bench, MeasurementError
from bench.figures import Figure

MB = 1_000_000
GOAL = 80 * MB
FLAT = 1.1
"""Times what the runner took until half of the nodes had ended."""
PAUSE = 0.2
PATIENCE = 60.0
WRITE = """
import sys
block = b"x" * 999 + b"\\n"
for _ in range({kilobytes}):
    sys.stdout.buffer.write(block)
"""
SLEEP = """
import time
time.sleep(10)
open("/opt/ml/processing/output/out/done", "w").write("1")
"""
USE = """
import pandas
pandas.DataFrame({"a": [1]}).to_csv("/opt/ml/processing/output/out/table.csv")
"""


def many(bench: Bench) -> list[Figure]:
    """The peak of the runner's own process, at its end and half-way."""
    bench.image("python")
    nodes, megabytes = bench.effort(500, 40), bench.effort(1000, 80)
    root = bench.place("many")
    (root / "write.py").write_text(WRITE.format(kilobytes=megabytes * 1000 // nodes))
    file = root / "pipeline.json"
    steps = {f"s{number}": {"script": "write.py"} for number in range(nodes)}
    file.write_text(json.dumps({"name": "many", "image": "python", "steps": steps}))
    half, peak = _peaks(bench, file, root / "runs", nodes)
    written = sum(log.stat().st_size for log in (root / "runs").glob("2*/steps/*/stdout"))
    if written != megabytes * MB:
        raise MeasurementError(f"the logs hold {written} bytes, and {megabytes} MB were written")
    what = f"memory of the runner, {nodes} nodes, {megabytes / 1000:g} GB of logs"
    detail = {"bytes": peak, "bytes_half_way": half}
    return [
        Figure(what, f"<= {GOAL // MB} MB", f"{peak / MB:.0f} MB", peak <= GOAL, detail, peak, GOAL),
        Figure(
            f"{what}: at the end against half-way",
            f"<= {FLAT:g}x",
            f"{peak / half:.2f}x",
            peak / half <= FLAT,
            detail,
            peak / half,
            FLAT,
        ),
    ]


def _peaks(bench: Bench, file: Path, runs: Path, nodes: int) -> tuple[int, int]:
    """Bytes: the largest resident size until half of the nodes had ended, and of all time."""
    argv = [str(COMMAND), "run", str(file), "-q", "--runs-dir", str(runs)]
    process = subprocess.Popen(argv, env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    half = peak = 0
    while process.poll() is None:
        peak = _peak(process.pid) or peak
        if not half and sum(1 for _ in runs.glob("2*/steps/*/result.json")) >= nodes // 2:
            half = peak
        time.sleep(PAUSE)
    if process.returncode != 0 or not half:
        raise MeasurementError(f"the run of {nodes} nodes ended with {process.returncode}")
    return half, peak


def _peak(pid: int) -> int:
    """Bytes; 0 when the process has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def waiting(bench: Bench) -> list[Figure]:
    """A container that was started ahead of its inputs and has imported pandas, while the step before it runs."""
    bench.image("sklearn")
    root = bench.place("waiting")
    (root / "sleep.py").write_text(SLEEP)
    (root / "use.py").write_text(USE)
    first = {"script": "sleep.py", "outputs": ["out"]}
    second = {"script": "use.py", "inputs": {"data": {"from": "first.out"}}, "outputs": ["out"]}
    file = root / "pipeline.json"
    steps = {"first": first, "second": second}
    file.write_text(json.dumps({"name": "waiting", "image": "sklearn", "steps": steps}))
    argv = [str(COMMAND), "run", str(file), "-q", "--runs-dir", str(root / "runs")]
    process = subprocess.Popen(argv, env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        taken = _settled(bench, process, root / "runs")
    finally:
        code = process.wait()
    if code != 0:
        raise MeasurementError(f"the run ended with {code}")
    what = "memory of a container that waits, pandas imported"
    return [Figure(what, "-", f"{taken / MB:.0f} MB", None, {"bytes": taken})]


def _settled(bench: Bench, process: subprocess.Popen[bytes], runs: Path) -> float:
    """Bytes, as soon as the container of the second step takes no more than a moment before."""
    until = time.monotonic() + PATIENCE
    last = 0.0
    while time.monotonic() < until and process.poll() is None:
        time.sleep(PAUSE)
        for run in runs.glob("2*"):
            labels = ("run-pipeline.step=second", f"run-pipeline.run={run.name}")
            filters = [word for label in labels for word in ("--filter", f"label={label}")]
            found = bench.output(["docker", "ps", "--quiet", *filters]).split()
            if not found:
                continue
            shown = bench.output(["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", found[0]])
            taken = _bytes(shown.split("/")[0].strip())
            if taken > 20 * MB and abs(taken - last) < 0.02 * taken:
                return taken
            last = taken
    raise MeasurementError("the container of the second step was not there before the first had ended")


def _bytes(shown: str) -> float:
    """What `docker stats` writes: 37.9MiB."""
    units = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1}
    for unit, size in units.items():
        if shown.endswith(unit):
            return float(shown.removesuffix(unit)) * size
    raise MeasurementError(f"docker stats tells {shown!r}")
