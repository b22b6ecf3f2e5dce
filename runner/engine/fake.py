"""`FakeEngine`: an engine without containers, to test a pipeline's wiring, and this tool's own logic, in milliseconds.

A step is a Python callable, or a canned end:

    def preprocess(step: FakeStep) -> int:
        text = (step.inputs["DATA"] / "raw.csv").read_text()
        (step.outputs["processed_data"] / "train.csv").write_text(text)
        step.stdout(b"done\\n")
        return 0                                  # None is 0 too; SystemExit and exceptions end as in Python

    engine = FakeEngine({"preprocess": preprocess, "train": Canned(exit_code=3, stderr=b"no data\\n")})

A callable gets private copies of its inputs. It runs in a thread of its own: `FakeStep.stopping` is its SIGTERM, and
after the grace period the thread is abandoned, as SIGKILL would end it (its next write raises `Killed`).
A step without a script writes one small file to each output and passes; a transform step's script stands for its server
and its client both, and without one its data is the answer.
"""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runner.engine import cluster
from runner.engine.base import (
    BoundInput,
    Container,
    EngineInfo,
    Image,
    Installation,
    Launch,
    Leftover,
    Outcome,
    Sink,
    StartMode,
    StopReason,
    Verdict,
)
from runner.engine.creation import environment
from runner.engine.fake_container import FakeContainer, Killed
from runner.errors import EngineLost, EnvironmentFault, ImageUnavailable

__all__ = ["Canned", "FakeEngine", "FakeStep", "Killed", "Script", "infrastructure"]


@dataclass(frozen=True, slots=True)
class FakeStep:
    """What a scripted step sees."""

    launch: Launch
    inputs: Mapping[str, Path]
    """Private copies, by input name: writing to them changes nothing else."""
    outputs: Mapping[str, Path]
    stdout: Sink
    stderr: Sink
    stopping: threading.Event
    """Set when the container is told to stop: what SIGTERM is to a real script."""

    @property
    def name(self) -> str:
        return self.launch.job.step

    @property
    def host(self) -> str:
        """`algo-1`, or which of several instances this is."""
        return self.launch.job.hostname

    @property
    def env(self) -> dict[str, str]:
        return dict(environment(self.launch))

    @property
    def argv(self) -> tuple[str, ...]:
        """Entrypoint and arguments, by Docker's rule."""
        job, image = self.launch.job, self.launch.image
        if job.entrypoint is not None:
            return (*job.entrypoint, *(job.arguments or ()))
        return (*image.entrypoint, *(job.arguments if job.arguments is not None else image.cmd))

    def path(self, target: str) -> Path:
        """The host path that stands for a container path below one of the mounts. Raises KeyError for any other."""
        launch = self.launch
        mounts = [(i.target, self.inputs[i.name]) for i in launch.inputs]
        mounts += [(o.target, o.host) for o in launch.written]
        wanted = PurePosixPath(target)
        for mount, host in sorted(mounts, key=lambda pair: -len(pair[0])):
            if wanted.is_relative_to(mount):
                return host / wanted.relative_to(mount)
        raise KeyError(target)


@dataclass(frozen=True, slots=True)
class Canned:
    """A step that writes what it is told and ends as it is told."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """By absolute container path, as `/opt/ml/processing/output/data/a.csv`."""
    outcome: Outcome | None = None
    """Ends with exactly this, after the writes: an OOM kill, an infrastructure fault."""

    def __call__(self, step: FakeStep) -> int | Outcome:
        for target, content in self.files.items():
            path = step.path(target)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        step.stdout(self.stdout)
        step.stderr(self.stderr)
        return self.exit_code if self.outcome is None else self.outcome


Script = Callable[[FakeStep], "int | Outcome | None"]
Hook = Callable[[str, str], None]
"""Called as `hook(point, step)` at `image` and `modules` (with the reference), `collect`, `prepare`, `run`, `confirm`,
`stop`, `remove` and `reclaim`; it may wait, and what it raises comes out of that call. An EnvironmentFault at `run` or
`confirm` becomes the outcome."""


def small_outputs(step: FakeStep) -> int:
    """The default script. Of a transform step it has an answer for each file of the data, as a real one does."""
    if step.launch.job.transform is not None:
        _echo(step.inputs["data"], step.outputs["output"])
        return 0
    for name, place in step.outputs.items():
        (place / "fake.txt").write_text(f"{step.name}.{name}\n", encoding="utf-8")
    return 0


def _echo(data: Path, output: Path) -> None:
    """A server that answers with what it is sent: one `.out` for each file."""
    for path in (path for path in sorted(data.rglob("*")) if path.is_file()):
        target = output / path.relative_to(data).with_name(f"{path.name}.out")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


class FakeEngine:
    """Obeys `engine.base.Engine`. `journal` lists `(point, step)` in the order of the calls.

    - `modes`: by image reference, how that image starts; `mode` for all others.
    - `missing`: image references that are not there.
    - `modules`: by image reference, the top-level modules that it has; nobody knows those of any other.
    - `programs`: by image reference, which of `serve` and `train` it has; others are not asked.
    - `hook`: called at every point, to wait or to raise.
    - `lose()`: from now on the engine is gone: calls raise EngineLost, running steps end as infrastructure.
    """

    name = "fake"

    def __init__(
        self,
        scripts: Mapping[str, Script] | None = None,
        *,
        default: Script = small_outputs,
        mode: StartMode = StartMode.PLAIN,
        modes: Mapping[str, StartMode] | None = None,
        missing: Sequence[str] = (),
        modules: Mapping[str, Collection[str]] | None = None,
        programs: Mapping[str, Sequence[str]] | None = None,
        cpus: int = 8,
        memory: int = 16 << 30,
        hook: Hook | None = None,
    ) -> None:
        self.scripts: dict[str, Script] = dict(scripts or {})
        self.journal: list[tuple[str, str]] = []
        self.launches: dict[str, Launch] = {}
        self.containers: dict[str, FakeContainer] = {}
        self._default, self._mode, self._modes, self._missing = default, mode, dict(modes or {}), frozenset(missing)
        self._modules = {name: frozenset(found) for name, found in (modules or {}).items()}
        self._programs = {reference: tuple(names) for reference, names in (programs or {}).items()}
        self._cpus, self._memory, self._hook = cpus, memory, hook
        self._lock, self._ids, self._lost = threading.Lock(), itertools.count(1), False

    def at(self, point: str, step: str) -> None:
        """Note a call, and let the hook wait or raise."""
        with self._lock:
            self.journal.append((point, step))
        if self._hook is not None:
            self._hook(point, step)

    def info(self) -> EngineInfo:
        self._check()
        return EngineInfo(
            name="fake", version="1", api_version="1", engine_id="fake", os="linux", architecture="fake",
            cpus=self._cpus, memory=self._memory, rootless=False, endpoint="fake://", context="fake",
        )  # fmt: skip

    def image(self, reference: str) -> Image:
        self._check()
        self.at("image", reference)
        if reference in self._missing:
            raise ImageUnavailable(f"no image {reference}", remedy="take it out of `missing`")
        mode = self._modes.get(reference, self._mode)
        python = None if mode is StartMode.COLD else "/usr/bin/python3"
        return Image(
            reference=reference, id=f"sha256:{reference}", entrypoint=(), cmd=("python3",), env=(), user="",
            working_dir="", python=python, python_version=python and "3.11.0", mode=mode,
            programs=self._programs.get(reference),
        )  # fmt: skip

    def modules(self, image: Image, interpreter: str) -> frozenset[str]:  # noqa: ARG002
        self._check()
        self.at("modules", image.reference)
        return self._modules.get(image.reference, frozenset())

    def collect(self, wanted: Installation) -> Path:
        """Nothing is installed here: the code's own directory stands for what was collected."""
        self._check()
        self.at("collect", wanted.step)
        return wanted.code

    def collected(self, wanted: Installation) -> Path | None:
        return wanted.code

    def prepare(self, launch: Launch) -> Container:
        self._check()
        self.at("prepare", launch.job.step)
        made = cluster.create(launch.members, self._container, _nothing) if launch.members else self._container(launch)
        self.launches[launch.job.step] = launch
        return made

    def _container(self, launch: Launch) -> FakeContainer:
        staged = launch.image.mode is StartMode.STAGED
        for item in launch.inputs:
            if not item.host.is_dir() and not (staged and item.host.is_relative_to(launch.run_root)):
                raise EnvironmentFault(f"input '{item.name}' is not a directory: {item.host}")
        for output in launch.written:
            if not output.host.is_dir():
                raise EnvironmentFault(f"mount '{output.name}' is not a directory: {output.host}")
        with self._lock:
            container = FakeContainer(f"fake-{next(self._ids)}", launch, self._start, self.at)
            self.containers[container.id] = container
        return container

    def reclaim(self, paths: Sequence[Path], image: Image | None = None) -> None:  # noqa: ARG002
        self._check()
        self.at("reclaim", ",".join(path.name for path in paths))

    def leftovers(self, run_id: str | None = None) -> list[Leftover]:
        self._check()
        return [
            Leftover(
                kind="container", name=c.id, run_id=c.launch.run_id, step=c.launch.job.step, owner_alive=not c.finished
            )
            for c in list(self.containers.values())
            if not c.removed and run_id in (None, c.launch.run_id)
        ]

    def sweep(self, leftovers: Sequence[Leftover]) -> list[Leftover]:
        self._check()
        for leftover in leftovers:
            container = self.containers.get(leftover.name)
            if container is not None:
                container.stop(StopReason.CANCELLED, 0)
                container.discard()
        return [item for item in leftovers if item in self.leftovers()]

    def release(self, run_id: str) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""

    def lose(self) -> None:
        """The engine goes away, with all its containers."""
        self._lost = True
        for container in list(self.containers.values()):
            container.lose()

    def _check(self) -> None:
        if self._lost:
            raise EngineLost("the fake engine is gone", remedy="do not call lose()")

    def _start(self, launch: Launch, stdout: Sink, stderr: Sink, stopping: threading.Event) -> int | Outcome | None:
        """What the script's thread does: private inputs, then the script."""
        private = {item.name: _private(item, launch.scratch / f"input-{n}") for n, item in enumerate(launch.inputs)}
        outputs = {output.name: output.host for output in launch.outputs}
        script = self.scripts.get(launch.job.step, self._default)
        return script(FakeStep(launch, private, outputs, stdout, stderr, stopping))


def _nothing() -> None:
    """Fake hosts share no network."""


def _private(item: BoundInput, copy: Path) -> Path:
    if not item.host.is_dir():
        raise EngineFault(f"input '{item.name}' has not appeared: {item.host}")
    shutil.copytree(item.host, copy, symlinks=True)
    return copy


class EngineFault(EnvironmentFault):
    """A broken promise of the caller: the step ends as infrastructure."""


def infrastructure(reason: str) -> Outcome:
    """An outcome that says nothing about the script, for `Canned(outcome=...)`."""
    return Outcome(
        verdict=Verdict.INFRASTRUCTURE, exit_code=None, signal=None, reason=reason,
        started_at=None, finished_at=None, seconds=0.0,
    )  # fmt: skip
