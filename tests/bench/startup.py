"""What must cost nothing: `--help` and `--version`, and the pytest plug-in for those who have no pipeline file."""

from __future__ import annotations

import sys

from bench import loads
from bench.bench import COMMAND, Bench, NotAvailableError
from bench.contenders import CACHED, Runner
from bench.figures import Figure, median, spread

GOAL = 2.0
"""Times `python -c pass`: no more than another interpreter start, so that it feels like any other command."""


def answers(bench: Bench) -> list[Figure]:
    asked = {"--help": [str(COMMAND), "--help"], "--version": [str(COMMAND), "--version"]}
    times: dict[str, list[float]] = {"python -c pass": [], **{name: [] for name in asked}}
    commands = {"python -c pass": [sys.executable, "-c", "pass"], **asked}
    for command in commands.values():
        bench.seconds(command)
    for _ in range(bench.effort(25, 15)):
        for name, command in commands.items():
            times[name].append(bench.seconds(command))
    nothing = median(times["python -c pass"])
    return [
        Figure(
            promise=f"run-pipeline {name}",
            goal=f"<= {GOAL:g}x python -c pass",
            measured=f"{median(times[name]) / nothing:.2f}x ({median(times[name]) * 1000:.0f} ms)",
            met=median(times[name]) / nothing <= GOAL,
            detail={"seconds": times[name], "pass": times["python -c pass"]},
            value=median(times[name]) / nothing,
            limit=GOAL,
        )
        for name in asked
    ]


CACHED_GOAL = 4.0
"""Times `python -c pass`."""


def cached(bench: Bench) -> list[Figure]:
    """A run of which every node comes from the step cache, as a whole process, in alternation with an empty one."""
    promise = "fully cached five-node run"
    root = bench.place("cached")
    load = loads.trivial()
    load.lay_out(root)
    runner = Runner(bench, load, root, CACHED)
    try:
        runner.ready()
    except NotAvailableError as error:
        return [Figure.unmeasured(promise, f"<= {CACHED_GOAL:g}x python -c pass", str(error))]
    times: list[tuple[float, float]] = []
    for _ in range(bench.effort(15, 5) + 1):
        runner.before()
        took = runner.run()[CACHED]
        runner.check()
        runner.after()
        times.append((took, bench.seconds([sys.executable, "-c", "pass"])))
    del times[0]  # the first one warms up
    found = spread([run / nothing for run, nothing in times])
    return [Figure.ratio(promise, "python -c pass", CACHED_GOAL, found, seconds=[run for run, _ in times])]


PLUGIN_GOAL = 5.0
"""Milliseconds. Everybody pays them whose environment has this package, in every pytest run."""
_IMPORT = "import time, pytest; t = time.perf_counter(); import runner.pytest_plugin; print(time.perf_counter() - t)"


def plugin(bench: Bench) -> list[Figure]:
    """Absolute, unlike the rest: the time is too short for a difference of two processes."""
    command = [sys.executable, "-c", _IMPORT]
    bench.output(command)
    times = [float(bench.output(command)) for _ in range(bench.effort(25, 15))]
    took = median(times) * 1000
    return [
        Figure(
            promise="import of the pytest plug-in",
            goal=f"<= {PLUGIN_GOAL:g} ms",
            measured=f"{took:.1f} ms",
            met=took <= PLUGIN_GOAL,
            detail={"seconds": times},
            value=took,
            limit=PLUGIN_GOAL,
        )
    ]
