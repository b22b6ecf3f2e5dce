"""Peak memory of the runner's process: it must not grow with what the steps write."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

from bench.bench import COMMAND, Bench, MeasurementError
from bench.figures import Figure

MIB = 1 << 20
SCRIPT = """
import sys
block = (b"x" * 1023 + b"\\n") * 1024
for _ in range(int(sys.argv[1])):
    sys.stdout.buffer.write(block)
"""
RATIO, ADDED = 1.2, 20 * MIB


def output(bench: Bench) -> list[Figure]:
    root = bench.place("memory")
    big = bench.effort(1024, 256)
    little_peak, much_peak = _peak(bench, root, 1), _peak(bench, root, big)
    ratio = much_peak / little_peak
    return [
        Figure(
            promise=f"peak memory of the runner, {big} MiB of output against 1 MiB",
            goal=f"<= {RATIO:g}x or +{ADDED // MIB} MiB",
            measured=f"{ratio:.2f}x ({much_peak / MIB:.0f} MiB against {little_peak / MIB:.0f})",
            met=much_peak <= max(little_peak * RATIO, little_peak + ADDED),
            detail={"ratio": ratio, "bytes_1_mib": little_peak, f"bytes_{big}_mib": much_peak},
            value=much_peak,
            limit=max(little_peak * RATIO, little_peak + ADDED),
        )
    ]


def _peak(bench: Bench, root: Path, mebibytes: int) -> int:
    """Bytes: the largest resident size of the runner's process or of one that it waited for."""
    bench.image("python")
    (root / "write.py").write_text(SCRIPT)
    path = root / f"pipeline-{mebibytes}.json"
    step = {"script": "write.py", "args": [mebibytes]}
    path.write_text(json.dumps({"name": "memory", "image": "python", "steps": {"write": step}}))
    runs = root / f"runs-{mebibytes}"
    argv = [str(COMMAND), "run", str(path), "-q", "--runs-dir", str(runs)]
    process = subprocess.Popen(argv, env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    written = sum(log.stat().st_size for log in runs.glob("2*/steps/write/stdout"))
    if process.returncode != 0 or written != mebibytes * MIB:
        raise MeasurementError(f"a step of {mebibytes} MiB of output ended with {process.returncode}, {written} bytes")
    # A new process starts with its parent's peak, so this one must stay the smaller.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if usage.ru_maxrss <= own:
        raise MeasurementError(f"the benchmark itself takes {own} KiB, more than the runner: no peak can be told")
    for log in runs.glob("2*/steps/write/stdout"):
        log.unlink()
    return usage.ru_maxrss * 1024
