"""What must answer at once: `--help` and `--version`, against the same interpreter doing nothing."""

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
