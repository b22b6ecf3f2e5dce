"""Planning must take time in proportion to the number of steps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.bench import Bench
from bench.figures import Figure

WIDTH = 20
MEASURE = """
import json, sys, time
from pathlib import Path
from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.spec import load
began = time.perf_counter()
pipeline = load(Path(sys.argv[1]))
loaded = time.perf_counter()
plan = make_plan(pipeline, select(pipeline.spec))
planned = time.perf_counter()
text = json.dumps(plan.to_json())
ended = time.perf_counter()
assert len(plan.steps) == int(sys.argv[2])
print(json.dumps({"load": loaded - began, "plan": planned - loaded, "json": ended - planned, "all": ended - began}))
"""
GOAL = 1.3
"""Times proportional: room for noise, none for a square, which would show as 5."""


def dag(bench: Bench) -> list[Figure]:
    root = bench.place("planning")
    (root / "step.py").write_text("pass\n")
    files = {steps: _pipeline(root, steps) for steps in (1000, 5000)}
    times: dict[int, list[dict[str, float]]] = {steps: [] for steps in files}
    for _ in range(bench.effort(3, 1)):
        for steps, path in files.items():
            answer = bench.output([sys.executable, "-c", MEASURE, str(path), str(steps)])
            times[steps].append(json.loads(answer))
    # The least disturbed of each: a busy machine only ever adds.
    small, large = (min(times[steps], key=lambda each: each["all"]) for steps in (1000, 5000))
    ratio = large["all"] / small["all"] / 5
    return [
        Figure(
            promise="load, plan and print as JSON: a DAG of 1,000 steps",
            goal="-",
            measured=f"{small['all']:.2f} s (load {small['load']:.2f}, plan {small['plan']:.2f})",
            met=None,
            detail={"seconds": times[1000]},
        ),
        Figure(
            promise="the same for 5,000 steps, against five times that",
            goal=f"<= {GOAL:g}x (linear)",
            measured=f"{ratio:.2f}x ({large['all']:.2f} s)",
            met=ratio <= GOAL,
            detail={"ratio": ratio, "seconds": times[5000]},
            value=ratio,
            limit=GOAL,
        ),
    ]


RUN = """
import sys, time
from pathlib import Path
from runner.engine.base import StartMode
from runner.engine.fake import FakeEngine
from runner.pipeline.execute import Run
from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.spec import load
pipeline = load(Path(sys.argv[1]))
plan = make_plan(pipeline, select(pipeline.spec))
began = time.perf_counter()
ended = Run(plan, FakeEngine(mode=StartMode.STAGED), runs_dir=Path(sys.argv[2]), jobs=2).execute()
print(time.perf_counter() - began)
assert ended.exit_code == 0 and len(ended.results) == len(plan.steps)
"""


def schedule(bench: Bench) -> list[Figure]:
    """Whole runs on the fake engine: scheduling, staging and the files of the run, and no container."""
    root = bench.place("schedule")
    (root / "step.py").write_text("pass\n")
    few, many = bench.effort(1000, 200), bench.effort(5000, 1000)
    seconds: dict[int, float] = {}
    for steps in (few, many):
        argv = [sys.executable, "-c", RUN, str(_pipeline(root, steps)), str(root / f"runs-{steps}")]
        seconds[steps] = float(bench.output(argv))
    ratio = seconds[many] / seconds[few] / (many / few)
    return [
        Figure(
            promise=f"a run of {many:,} steps on the fake engine, against five times {few:,}",
            goal=f"<= {GOAL:g}x (linear)",
            measured=f"{ratio:.2f}x ({seconds[many]:.1f} s)",
            met=ratio <= GOAL,
            detail={f"seconds_{steps}": each for steps, each in seconds.items()},
            value=ratio,
            limit=GOAL,
        )
    ]


def _pipeline(root: Path, steps: int) -> Path:
    """Layers of `WIDTH` steps, each step with two inputs from the layer before."""
    lines = ["name: large", "image: python", "steps:"]
    for number in range(steps):
        lines += [f"  s{number}:", "    script: step.py", "    env: {A: b, C: d}", "    outputs: [out]"]
        if number >= WIDTH:
            left = number - WIDTH
            right = number - WIDTH - number % WIDTH + (number + 1) % WIDTH
            lines += ["    inputs:", f"      left: {{from: s{left}.out}}", f"      right: {{from: s{right}.out}}"]
    path = root / f"pipeline-{steps}.yaml"
    path.write_text("\n".join([*lines, ""]))
    return path
