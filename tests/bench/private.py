"""A private, writable input without a copy: what a big one costs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from bench.bench import COMMAND, Bench, MeasurementError
from bench.figures import Figure, median

GOAL = 0.5
MIB = 1 << 20
SCRIPT = """
with open("/opt/ml/processing/input/data/small", "a") as handle:
    handle.write("more")
"""


def overlay(bench: Bench) -> list[Figure]:
    """A step that appends to a small file beside a big one, against a copy of both by `cp -r`; in alternation."""
    bench.image("python")
    root = bench.place("private")
    size = bench.effort(1024, 256)
    _lay_out(root, size)
    step: list[float] = []
    copy: list[float] = []
    for _ in range(bench.effort(5, 2)):
        step.append(_step(bench, root))
        copy.append(bench.seconds(["cp", "-r", str(root / "data"), str(root / "copy")]))
        shutil.rmtree(root / "copy")
    ratio = median(step) / median(copy)
    return [
        Figure(
            promise=f"a step that writes to its {size} MiB input, from go to exit, against `cp -r` of that input",
            goal=f"<= {GOAL:g}x",
            measured=f"{ratio:.2f}x ({median(step) * 1000:.0f} ms against {median(copy) * 1000:.0f})",
            met=ratio <= GOAL,
            detail={"seconds_step": step, "seconds_cp": copy, "ratio": ratio},
            value=ratio,
            limit=GOAL,
        )
    ]


def _lay_out(root: Path, mebibytes: int) -> None:
    (root / "data").mkdir()
    (root / "data" / "small").write_text("x")
    with (root / "data" / "big").open("wb") as handle:
        for number in range(mebibytes):
            handle.write(bytes([number % 255 + 1]) * MIB)
    (root / "append.py").write_text(SCRIPT)
    step = {"script": "append.py", "inputs": {"data": "data"}}
    (root / "pipeline.json").write_text(json.dumps({"name": "private", "image": "python", "steps": {"append": step}}))


def _step(bench: Bench, root: Path) -> float:
    """Seconds of the step, which include the mount and the interpreter. Raises MeasurementError where it was copied."""
    runs = root / f"runs-{time.monotonic_ns()}"
    bench.output([str(COMMAND), "run", str(root / "pipeline.json"), "-q", "--runs-dir", str(runs)])
    (place,) = runs.glob("2*/steps/append")
    made = {item["name"]: item["private"] for item in json.loads((place / "inputs.json").read_text())["inputs"]}
    if made["data"] != "overlay":
        raise MeasurementError(f"the input was no overlay here but {made['data']}")
    if (root / "data" / "small").read_text() != "x":
        raise MeasurementError("the step's input changed on the host")
    return float(json.loads((place / "result.json").read_text())["seconds"])
