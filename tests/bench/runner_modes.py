"""How the runner is brought into each of its modes, and how it is seen that it was in it. The flags and names of the
product that the work loads need stand here and in `bench.PLAIN`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.bench import COMMAND, Bench, MeasurementError, NotAvailableError


def changes(mode: str, root: Path) -> dict[str, str]:
    """What a mode changes in `bench.PLAIN`. A pool is in `root`: that of whoever calls the benchmark stays as it is."""
    cache, pool = {"RUN_PIPELINE_CACHE": "on"}, {"RUN_PIPELINE_POOL": str(root / "pool")}
    if mode in ("cold", "warm"):
        (root / "pool").mkdir(mode=0o700)
    known = {"RUN_PIPELINE_CACHE_DIR": str(root / "known")}
    return {"cold": cache | pool | known, "warm": pool, "cached": cache}.get(mode, {})


def needs(mode: str, bench: Bench) -> None:
    """Raises NotAvailableError where this run-pipeline has no such mode."""
    if mode == "cached" and "--no-cache" not in bench.output([str(COMMAND), "run", "--help"]):
        raise NotAvailableError("this run-pipeline has no step cache")
    if mode == "warm" and not has_pool(bench):
        raise NotAvailableError("this run-pipeline has no warm pool")


def has_pool(bench: Bench) -> bool:
    return "\n  warm " in bench.output([str(COMMAND), "--help"])


def fill_pool(bench: Bench, file: Path, runs: Path, env: Mapping[str, str], nodes: int) -> None:
    """Returns when a container for each node of the next run of `file` is ready. Raises MeasurementError when one is
    not."""
    told = json.loads(bench.output([str(COMMAND), "warm", str(file), "--json", "--runs-dir", str(runs)], env))
    if len(told["ready"]) < nodes:
        raise MeasurementError(f"{len(told['ready'])} containers are ready, and {nodes} nodes want one")


def empty_pool(bench: Bench, runs: Path, env: Mapping[str, str]) -> None:
    """Ends the containers that still wait: they, and those that a run has ordered for the next one, would take the
    machine's time from the others."""
    bench.output([str(COMMAND), "clean", "--runs-dir", str(runs)], env)


def check(mode: str, results: Sequence[Mapping[str, Any]], nodes: int) -> None:
    """`results`: the result.json of each node. Raises MeasurementError where the run was not what is being measured."""
    passed = [result for result in results if result["state"] == "passed"]
    if len(passed) != nodes:
        raise MeasurementError(f"{len(passed)} of {nodes} nodes passed")
    hits = sum(bool(result.get("cached")) for result in results)
    if hits != (nodes if mode == "cached" else 0):
        raise MeasurementError(f"{hits} of {nodes} nodes came from the step cache in a {mode} run")
