"""A sequential pipeline against a plain chain of `docker run --rm` with the same image, script and mounts.

The cost of one step is (t_N - t_1) / (N - 1), whole processes: what both have to do once cancels out. It is shown too,
as the ratio of whole runs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.bench import COMMAND, Bench, MeasurementError
from bench.figures import Figure, median
from bench.shell import CODE, CONFIG, INPUT, OUTPUT, config, docker_run

TRIVIAL = f"""
import shutil
shutil.copyfile("{INPUT}/table.csv", "{OUTPUT}/table.csv")
"""
PANDAS = f"""
import pandas as pd
table = pd.read_csv("{INPUT}/table.csv")
table["sum"] = table["a"] + table["b"]
table.to_csv("{OUTPUT}/table.csv", index=False)
"""


@dataclass
class Times:
    """Seconds of whole processes, a round each."""

    runner_many: list[float] = field(default_factory=list)
    runner_one: list[float] = field(default_factory=list)
    docker_many: list[float] = field(default_factory=list)
    docker_one: list[float] = field(default_factory=list)

    def per_step(self, steps: int) -> tuple[float, float]:
        """Seconds of a step: the runner's, and the plain chain's. Raises MeasurementError where noise hides them."""
        runner = (median(self.runner_many) - median(self.runner_one)) / (steps - 1)
        docker = (median(self.docker_many) - median(self.docker_one)) / (steps - 1)
        if min(runner, docker) <= 0:
            raise MeasurementError("many steps took no longer than one: too busy a machine to tell what a step costs")
        return runner, docker


class Chain:
    """N steps in a row, for both sides. `image` is a name of the catalogue."""

    def __init__(self, bench: Bench, root: Path, image: str, script: str) -> None:
        self._bench, self._root, self._image, self._tag = bench, root, image, bench.image(image)
        (root / "raw").mkdir()
        (root / "raw" / "table.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(100)))
        (root / "code").mkdir()
        (root / "code" / "step.py").write_text(script)
        self._config = config(root)

    def pipeline(self, steps: int) -> list[str]:
        """The command line of the runner."""
        spec = {}
        for number in range(steps):
            source = {"from": f"s{number - 1}.out"} if number else "raw"
            spec[f"s{number}"] = {"script": "code/step.py", "inputs": {"data": source}, "outputs": ["out"]}
        path = self._root / f"pipeline-{steps}.json"
        path.write_text(json.dumps({"name": "chain", "image": self._image, "steps": spec}))
        return [str(COMMAND), "run", str(path), "-j", "1", "-q", "--runs-dir", str(self._root / "runs")]

    def script(self, steps: int) -> list[str]:
        """The same as a shell script."""
        lines = ["set -e", f"rm -rf {shlex.quote(str(self._root / 'chain'))}"]
        source = self._root / "raw"
        for number in range(steps):
            target = self._root / "chain" / f"s{number}"
            lines += [f"mkdir -p {shlex.quote(str(target))}", self._docker_run(source, target)]
            source = target
        path = self._root / f"chain-{steps}.sh"
        path.write_text("\n".join([*lines, ""]))
        return ["bash", str(path)]

    def _docker_run(self, source: Path, target: Path) -> str:
        mounts = {CODE: self._root / "code", CONFIG: self._config, INPUT: source, OUTPUT: target}
        return docker_run(self._tag, mounts, ["python3", f"{CODE}/step.py"])

    def measure(self, steps: int, rounds: int) -> Times:
        """In alternation; every second round the other way round, so that a drift of the machine hits both alike."""
        many, one = (self.pipeline(steps), self.script(steps)), (self.pipeline(1), self.script(1))
        self._bench.seconds(one[0])  # the image's probe, the files' first reading
        self._bench.seconds(one[1])
        times = Times()
        for number in range(rounds):
            turns: list[tuple[list[float], Sequence[str]]] = [
                (times.runner_many, many[0]),
                (times.docker_many, many[1]),
                (times.runner_one, one[0]),
                (times.docker_one, one[1]),
            ]
            for kept, argv in turns if number % 2 == 0 else reversed(turns):
                kept.append(self._bench.seconds(argv))
        return times


def trivial(bench: Bench) -> list[Figure]:
    """Steps of the standard library only, in the best mode of this engine."""
    chain = Chain(bench, bench.place("trivial"), "python", TRIVIAL)
    steps, rounds = 10, bench.effort(5, 1)
    times = chain.measure(steps, rounds)
    mode = "/".join(sorted(bench.probed_modes()))
    cost = _figure(f"cost of a trivial step ({mode})", times, steps, 1.05, "<= 1.05x docker run")
    return [
        cost,
        _whole(f"whole run of {steps} trivial steps, start-up included", times.runner_many, times.docker_many),
        _whole("whole run of one trivial step, start-up included", times.runner_one, times.docker_one),
    ]


def other_modes(bench: Bench) -> list[Figure]:
    """The same steps without staging, and without the agent."""
    chain = Chain(bench, bench.place("modes"), "python", TRIVIAL)
    steps, rounds = bench.effort(7, 4), bench.effort(3, 1)
    figures = []
    bench.seconds(chain.pipeline(1))
    best = bench.probed_modes()
    for mode in ("plain", "cold"):
        if mode in best:
            continue  # measured already
        bench.force_mode(mode)
        times = chain.measure(steps, rounds)
        figures.append(_figure(f"cost of a trivial step ({mode})", times, steps, 1.05, "<= 1.05x docker run"))
    return figures


def pandas(bench: Bench) -> list[Figure]:
    """Steps that import pandas, which a staged start does ahead of time."""
    chain = Chain(bench, bench.place("pandas"), "sklearn", PANDAS)
    steps, rounds = bench.effort(7, 4), bench.effort(3, 1)
    times = chain.measure(steps, rounds)
    return [_figure("cost of a step that imports pandas", times, steps, 1.0, "< 1.0x docker run", strict=True)]


def _figure(promise: str, times: Times, steps: int, limit: float, goal: str, *, strict: bool = False) -> Figure:
    runner, docker = times.per_step(steps)
    ratio = runner / docker
    return Figure(
        promise=promise,
        goal=goal,
        measured=f"{ratio:.2f}x ({_milliseconds(runner)} against {_milliseconds(docker)})",
        met=ratio < limit if strict else ratio <= limit,
        detail={"ratio": ratio, "steps": steps, **vars(times)},
        value=ratio,
        limit=limit,
    )


def _whole(promise: str, runner: Sequence[float], docker: Sequence[float]) -> Figure:
    ratio = median(runner) / median(docker)
    measured = f"{ratio:.2f}x ({median(runner):.2f} s against {median(docker):.2f} s)"
    return Figure(promise=promise, goal="-", measured=measured, met=None, detail={"ratio": ratio})


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


MEASUREMENTS: tuple[Callable[[Bench], list[Figure]], ...] = (trivial, pandas, other_modes)
