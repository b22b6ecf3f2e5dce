"""Who runs a work load: the runner in each of its modes, a chain of `docker run`, and the host's own Python."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import environments, runner_modes, shell
from bench.bench import COMMAND, Bench, MeasurementError
from bench.loads import Load

DOCKER, HOST = "docker run chain", "python script.py"
COLD, STAGED, WARM, CACHED = "cold", "staged", "warm", "cached"
OURS = (COLD, STAGED, WARM, CACHED)
MODES = (
    "cold: the first run after the images were built; staged: without step cache and warm pool; warm: with containers "
    "kept ready; cached: nothing has changed since the run before"
)
"""A cold run has everything on, as it is for its user, and of its images nothing is known yet."""


class Contender:
    """One way to run `load`, in a directory of its own. `before` and `after` are not timed."""

    name = ""
    every = 1
    """Takes part in each so-manieth round."""

    def __init__(self, bench: Bench, load: Load, shared: Path) -> None:
        """`shared` holds the work load's `raw/` and `code/`."""
        self.bench, self.load, self.shared = bench, load, shared
        self.root = shared / self.name.replace(" ", "-")
        self.root.mkdir()

    def ready(self) -> None:
        """Whatever is done once. Raises NotAvailableError where this contender cannot take part."""

    def before(self) -> None: ...

    def run(self) -> dict[str, float]:
        """Seconds of the whole process, by the contender's name; of a part of it by another name."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises MeasurementError where the last run was not what is measured."""

    def output(self, node: str) -> Path:
        """The directory that a node wrote in the last run."""
        return self.root / "out" / node

    def after(self) -> None:
        shutil.rmtree(self.root / "out", ignore_errors=True)

    def close(self) -> None: ...


class Runner(Contender):
    """`run-pipeline run`, in one of its modes."""

    def __init__(self, bench: Bench, load: Load, shared: Path, mode: str) -> None:
        self.name = mode
        super().__init__(bench, load, shared)
        self._file = load.pipeline(shared)
        self._runs = self.root / "runs"
        self._env = bench.env | runner_modes.changes(mode, self.root)
        self._pools = False
        self._primed = False

    def ready(self) -> None:
        self.bench.image(self.load.image)
        runner_modes.needs(self.name, self.bench)
        self._pools = self.name in (COLD, WARM) and runner_modes.has_pool(self.bench)

    def before(self) -> None:
        if self.name == COLD:  # nothing is known of the image, no module of it, and no step's result
            self.bench.fresh(Path(self._env["RUN_PIPELINE_CACHE_DIR"]))
            self.bench.fresh(self._runs)
        if self.name == WARM:
            runner_modes.fill_pool(self.bench, self._file, self._runs, self._env, len(self.load.nodes))
        if self.name == CACHED and not self._primed:
            self.run()
            self._primed = True

    def run(self) -> dict[str, float]:
        argv = [str(COMMAND), "run", str(self._file), "-q", "--runs-dir", str(self._runs)]
        return {self.name: self.bench.seconds(argv, self._env)}

    def output(self, node: str) -> Path:
        return self._runs / "latest" / "steps" / node / "outputs" / "out"

    def check(self) -> None:
        results = [json.loads(path.read_text()) for path in (self._runs / "latest" / "steps").glob("*/result.json")]
        runner_modes.check(self.name, results, len(self.load.nodes))

    def after(self) -> None:
        if self._pools:
            runner_modes.empty_pool(self.bench, self._runs, self._env)
        for run in self._runs.glob("2*"):
            shutil.rmtree(run)


class Chain(Contender):
    """A shell script with one line for each node, as many at a time as the runner has: one a core."""

    def ready(self) -> None:
        levels = [[self._line(node.name, node.script, node.source) for node in level] for level in self.load.levels()]
        (self.root / "chain.sh").write_text(shell.script(levels, os.cpu_count() or 1))

    def before(self) -> None:
        for node in self.load.nodes:
            (self.root / "out" / node.name).mkdir(parents=True)

    def run(self) -> dict[str, float]:
        return {self.name: self.bench.seconds(["bash", str(self.root / "chain.sh")])}

    def _line(self, name: str, script: str, source: str) -> str:
        raise NotImplementedError

    def _source(self, source: str) -> Path:
        return self.root / "out" / source if source else self.shared / "raw"


class DockerChain(Chain):
    name = DOCKER

    def ready(self) -> None:
        self._tag = self.bench.image(self.load.image)
        self._config = shell.config(self.root)
        super().ready()

    def _line(self, name: str, script: str, source: str) -> str:
        mounts = {
            shell.CODE: self.shared / "code",
            shell.CONFIG: self._config,
            shell.INPUT: self._source(source),
            shell.OUTPUT: self.root / "out" / name,
        }
        argv = ["python3", f"{shell.CODE}/{script}", shell.INPUT, shell.OUTPUT, name]
        return shell.docker_run(self._tag, mounts, argv)


class HostChain(Chain):
    """With the pandas and numpy that the image has, in an environment of their own."""

    name = HOST

    def ready(self) -> None:
        self._python = Path(sys.executable)
        if any("import pandas" in (self.shared / "code" / node.script).read_text() for node in self.load.nodes):
            self._python = environments.python("host", requirements(self.bench, self.load.image, ("pandas", "numpy")))
        super().ready()

    def _line(self, name: str, script: str, source: str) -> str:
        words = [self._python, self.shared / "code" / script, self._source(source), self.root / "out" / name, name]
        return shlex.join(map(str, words))


def requirements(bench: Bench, image: str, packages: Sequence[str]) -> list[str]:
    """What the image has of these packages, as pip takes it."""
    ask = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    answer = bench.output(["docker", "run", "--rm", bench.image(image), "python3", "-c", ask, *packages])
    versions: Mapping[str, str] = json.loads(answer)
    if set(versions) != set(packages):
        raise MeasurementError(f"image {image} tells {answer!r}")
    return [f"{name}=={version}" for name, version in versions.items()]
