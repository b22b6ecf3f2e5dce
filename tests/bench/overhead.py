"""The runner's own share of a node's time: from `go` to the recorded verdict, less what the script's process took.

Every node of the measured chain stands ready before the first of them starts, as in a warm run: what it costs to make a
container is not looked at here. Host and container share CLOCK_MONOTONIC, so the agent's moments and the runner's fit.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.bench import Bench, MeasurementError
from bench.figures import Figure, median

from runner.engine import connect
from runner.engine import container as containers
from runner.pipeline import settle
from runner.pipeline.execute import Run
from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.spec.loader import load

INPUT, OUTPUT = "/opt/ml/processing/input/data", "/opt/ml/processing/output/out"
NODE = f"""
with open("{INPUT}/table.csv") as source, open("{OUTPUT}/table.csv", "w") as target:
    target.write(source.read())
"""
FIRST = f"""
with open("{OUTPUT}/table.csv", "w") as target:
    target.write("a,b\\n1,2\\n")
"""
SETTLED = 1.5
"""Seconds after which a container that has its job waits for nothing but its go, also on a busy machine."""
PATIENCE = 120.0
PHASES = ("go", "received", "released", "reaped", "told", "arrived", "judged", "recorded")
"""Moments of a node, in their order: the runner sends `go`, the agent takes it, lets the script run, reaps its process,
has its report ready; the report is here, the engine's verdict is known, `result.json` is durable."""


@dataclasses.dataclass(frozen=True)
class Overhead:
    """Seconds. `nodes`: the overhead of each; `chains`: of each whole chain, gaps between its nodes included; `phases`:
    between two moments of `PHASES`, of every node."""

    nodes: tuple[float, ...]
    chains: tuple[float, ...]
    phases: dict[str, tuple[float, ...]]


def measure(root: Path, *, nodes: int, runs: int, image: str = "python") -> Overhead:
    """Run a chain of `nodes` trivial steps `runs` times on the real engine. Raises MeasurementError where nodes do not
    start staged, or do not pass."""
    chains = [_chain(root / f"{nodes}-{number}", nodes, image) for number in range(runs)]
    every = [node for chain in chains for node in chain]
    phases = {
        f"{first} -> {second}": tuple(node[second] - node[first] for node in every)
        for first, second in pairwise(PHASES)
    }
    return Overhead(tuple(map(_own, every)), tuple(map(_whole, chains)), phases)


def percentile(values: Sequence[float], hundredths: int) -> float:
    """By the nearest rank."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * hundredths // 100) - 1)]


def _own(node: dict[str, float]) -> float:
    return node["recorded"] - node["go"] - (node["reaped"] - node["released"])


def _whole(chain: Sequence[dict[str, float]]) -> float:
    return chain[-1]["recorded"] - chain[0]["go"] - sum(node["reaped"] - node["released"] for node in chain)


def _chain(root: Path, nodes: int, image: str) -> list[dict[str, float]]:
    """The moments of each node but the first, which only makes the data; then all others must stand ready."""
    root.mkdir(parents=True)
    (root / "first.py").write_text(FIRST)
    (root / "node.py").write_text(NODE)
    steps: dict[str, Any] = {"first": {"script": "first.py", "outputs": ["out"]}}
    for number in range(nodes):
        source = {"from": f"{[*steps][-1]}.out"}
        steps[f"node-{number}"] = {"script": "node.py", "inputs": {"data": source}, "outputs": ["out"]}
    file = root / "pipeline.json"
    file.write_text(json.dumps({"name": "overhead", "image": image, "steps": steps}))
    pipeline = load(file)
    plan = make_plan(pipeline, select(pipeline.spec))
    engine = connect()
    try:
        with _observed(nodes + 1) as moments:
            finished = Run(plan, engine, runs_dir=root / "runs").execute()
    finally:
        engine.close()
    if finished.exit_code != 0:
        raise MeasurementError(f"the chain did not pass: {[result.reason for result in finished.results]}")
    found = [moments[name] for name in plan.names[1:]]
    if any(set(node) != set(PHASES) for node in found):
        raise MeasurementError("a moment is missing: did every node start staged?")
    return found


class _Moments:
    """The moments of all steps, by name; every wrapper below calls what it stands for."""

    def __init__(self, ahead: int) -> None:
        self._awaited = ahead
        self._ready = threading.Event()
        self.of: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()
        self._here = threading.local()

    def note(self, step: str, **found: float) -> None:
        with self._lock:
            self.of.setdefault(step, {}).update(found)

    def greet(self, container: Any) -> None:
        _GREET(container)
        with self._lock:
            self._awaited -= 1
            if not self._awaited:
                self._ready.set()

    def go(self, container: Any) -> Any:
        if container._launch.job.step == "node-0":
            if not self._ready.wait(PATIENCE):
                raise MeasurementError("not all containers could be prepared ahead")
            time.sleep(SETTLED)
        self.note(container._launch.job.step, go=time.monotonic())
        return _GO(container)

    def report(self, sinks: Any) -> Any:
        arrived, found = time.monotonic(), _REPORT(sinks)
        self._here.clock = {"arrived": arrived, **(found or {}).get("clock", {})}
        return found

    def run(self, container: Any, *sinks: Any) -> Any:
        outcome = _RUN(container, *sinks)
        clock = {"received" if name == "go" else name: at for name, at in self._here.clock.items()}
        self.note(container._launch.job.step, judged=time.monotonic(), **clock)
        return outcome

    def write(self, layout: Any, result: Any) -> Any:
        written = _WRITE(layout, result)
        self.note(result.step, recorded=time.monotonic())
        return written


_GO, _RUN = containers.DockerContainer._start_or_go, containers.DockerContainer.run
_GREET, _REPORT = containers.DockerContainer.greet, containers.report_of
_WRITE = settle.write_result


@contextmanager
def _observed(ahead: int) -> Iterator[dict[str, dict[str, float]]]:
    """Note the moments of all steps, and let `ahead` of them be prepared."""
    moments = _Moments(ahead)
    with (
        patch.object(containers.DockerContainer, "_start_or_go", lambda container: moments.go(container)),
        patch.object(containers.DockerContainer, "greet", lambda container: moments.greet(container)),
        patch.object(containers.DockerContainer, "run", lambda *given: moments.run(*given)),
        patch.object(containers, "report_of", moments.report),
        patch.object(settle, "write_result", moments.write),
    ):
        yield moments.of


def overhead(bench: Bench) -> list[Figure]:
    """The promises on the runner's own time, for one node, a pair and five."""
    runs = bench.effort(6, 2)
    figures = []
    for nodes, goal in ((1, None), (2, 0.010), (5, 0.050)):
        found = measure(bench.place(f"overhead-{nodes}"), nodes=nodes, runs=runs)
        if goal is not None:
            figures.append(_figure(f"own time of a chain of {nodes} nodes", median(found.chains), goal, found))
    figures.append(_figure("own time of a node, from go to recorded verdict", median(found.nodes), 0.002, found))
    return figures


def _figure(promise: str, value: float, goal: float, found: Overhead) -> Figure:
    worst = percentile(found.nodes, 99) * 1000
    return Figure(
        promise=promise,
        goal=f"<= {goal * 1000:.0f} ms (median)",
        measured=f"{value * 1000:.1f} ms (99 of 100 nodes: {worst:.1f} ms)",
        met=value <= goal,
        value=value,
        limit=goal,
        detail=dataclasses.asdict(found),
    )
