"""What it costs a script to be watched: the same step traced and with `--no-trace`, in alternation."""

from __future__ import annotations

import json

from bench.bench import COMMAND, Bench
from bench.figures import Figure, median

GOAL = 1.05
"""Times the same step untraced."""
FILES = 1000
OPENS = f"""
for number in range({FILES}):
    with open("/opt/ml/processing/input/data/%d" % number) as file:
        file.read()
open("/opt/ml/processing/output/out/done", "w").write("1")
"""
PANDAS = """
import pandas
pandas.read_csv("/opt/ml/processing/input/data/0")
open("/opt/ml/processing/output/out/done", "w").write("1")
"""


def files(bench: Bench) -> list[Figure]:
    return [_figure(bench, f"tracing a step that opens {FILES} files", "python", OPENS)]


def imports(bench: Bench) -> list[Figure]:
    return [_figure(bench, "tracing a step that imports pandas", "sklearn", PANDAS)]


def _figure(bench: Bench, promise: str, image: str, script: str) -> Figure:
    """Seconds of the step itself, from go to exit, as its result tells them."""
    bench.image(image)
    root = bench.place(f"tracing-{image}")
    (root / "data").mkdir()
    for number in range(FILES):
        (root / "data" / str(number)).write_text("a,b\n1,2\n")
    (root / "step.py").write_text(script)
    step = {"script": "step.py", "inputs": {"data": "data"}, "outputs": ["out"]}
    (root / "pipeline.json").write_text(json.dumps({"name": "tracing", "image": image, "steps": {"s": step}}))
    seconds: dict[str, list[float]] = {"traced": [], "untraced": []}
    for number in range(bench.effort(15, 5) + 1):
        turns = [("traced", []), ("untraced", ["--no-trace"])]
        for name, words in turns if number % 2 else reversed(turns):
            argv = [str(COMMAND), "run", str(root / "pipeline.json"), "-q", "--runs-dir", str(root / "runs"), *words]
            bench.seconds(argv)
            result = json.loads((root / "runs" / "latest" / "steps" / "s" / "result.json").read_text())
            seconds[name].append(float(result["seconds"]))
    traced, untraced = (median(seconds[name][1:]) for name in ("traced", "untraced"))  # the first one warms up
    return Figure(
        promise=promise,
        goal=f"<= {GOAL:g}x --no-trace",
        measured=f"{traced / untraced:.2f}x ({traced * 1000:.0f} ms against {untraced * 1000:.0f})",
        met=traced / untraced <= GOAL,
        detail={"ratio": traced / untraced, **seconds},
        value=traced / untraced,
        limit=GOAL,
    )
