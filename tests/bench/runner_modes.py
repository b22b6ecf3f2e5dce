"""How the runner is brought into each of its modes, and how it is seen that it was in it. The flags and names of the
product that the work loads need stand here and in `bench.PLAIN`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.bench import COMMAND, Bench, MeasurementError, NotAvailableError

CACHED = {"RUN_PIPELINE_CACHE": "on"}
WARM = {"RUN_PIPELINE_POOL": "on"}
"""What these modes change in `bench.PLAIN`."""


def needs_cache(bench: Bench) -> None:
    if "--no-cache" not in bench.output([str(COMMAND), "run", "--help"]):
        raise NotAvailableError("this run-pipeline has no step cache")


def needs_pool(bench: Bench) -> None:
    done = subprocess.run([str(COMMAND), "warm", "--help"], env=bench.env, capture_output=True, check=False)
    if done.returncode != 0:
        raise NotAvailableError("this run-pipeline has no warm pool")


def fill_pool(bench: Bench, file: Path, runs: Path, env: Mapping[str, str]) -> None:
    """Returns when the containers for the next run of `file` are ready."""
    bench.output([str(COMMAND), "warm", str(file), "--runs-dir", str(runs)], env)


def empty_pool(bench: Bench, env: Mapping[str, str]) -> None:
    """Ends the containers that still wait."""
    bench.output([str(COMMAND), "clean"], env)


def check(mode: str, results: Sequence[Mapping[str, Any]], nodes: int) -> None:
    """`results`: the result.json of each node. Raises MeasurementError where the run was not what is being measured."""
    passed = [result for result in results if result["state"] == "passed"]
    if len(passed) != nodes:
        raise MeasurementError(f"{len(passed)} of {nodes} nodes passed")
    hits = sum(bool(result.get("cached")) for result in results)
    if hits != (nodes if mode == "cached" else 0):
        raise MeasurementError(f"{hits} of {nodes} nodes came from the step cache in a {mode} run")
