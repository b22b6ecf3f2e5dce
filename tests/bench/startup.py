"""What must cost nothing: `--help` and `--version`, and the pytest plug-in for those who have no pipeline file."""

from __future__ import annotations

import sys

from bench.bench import COMMAND, Bench
from bench.figures import Figure, median

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
            detail={"ratio": median(times[name]) / nothing, "seconds": times[name], "pass": times["python -c pass"]},
        )
        for name in asked
    ]


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
        )
    ]
