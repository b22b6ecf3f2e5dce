"""What the pipeline asks of an engine, and what it gets back: the seam between `pipeline` and Docker.

`engine.docker` runs real containers, `engine.fake` is a stand-in that users can import to test their own pipelines'
wiring. One contract suite (`tests/engine/contract.py`) holds for both.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from runner.engine.credentials import Credentials
from runner.sagemaker.job import ContainerJob


class Verdict(enum.StrEnum):
    """What happened to a step, never better than what really happened."""

    PASSED = "passed"
    EXIT = "exit"
    """The script ended with another status than 0, or by a signal that nobody here sent."""
    OOM = "oom"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    """The user stopped the run."""
    INVALID_INPUT = "invalid-input"
    """The data is not what the step expects of it: its script was not started."""
    MISSING_OUTPUT = "missing-output"
    INVALID_OUTPUT = "invalid-output"
    TRANSFORM = "transform"
    """The server of a transform step ran, but its model could not be unpacked, it did not become healthy, or it did
    not answer a request as a transform job needs it."""
    INFRASTRUCTURE = "infrastructure"
    """The engine, the disk or an outside hand: says nothing about the script. Exit code 3, not 1."""


class StopReason(enum.StrEnum):
    """Why the runner itself stops a container."""

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    PEER = "peer"
    """Another instance of the same step has failed."""


class StartMode(enum.StrEnum):
    """How a container gets its data; the result must not depend on it."""

    STAGED = "staged"
    """Started ahead of its inputs; the agent mounts them when told to go."""
    PLAIN = "plain"
    """The agent is PID 1, mounts are fixed at creation."""
    COLD = "cold"
    """The image has no usable Python: its own process is PID 1, only label sweeps clean up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    name: str
    """`docker` or `fake`."""
    version: str
    api_version: str
    engine_id: str
    os: str
    architecture: str
    cpus: int
    memory: int
    """Bytes."""
    rootless: bool
    endpoint: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is present on the engine."""

    reference: str
    id: str
    """`sha256:...` of the image's config: changes when a tag moves."""
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    user: str
    working_dir: str
    python: str | None
    """Absolute path of a usable interpreter (3.7 or newer) in the image, or None: runs cold."""
    python_version: str | None
    mode: StartMode
    """The best way in which this engine can start this image."""
    programs: tuple[str, ...] | None = None
    """Which of `serve` and `train` are on the PATH that the image sets; None when nobody looked."""


@dataclass(frozen=True, slots=True)
class BoundInput:
    name: str
    target: str
    host: Path
    """A directory; may appear later than `prepare` when the mode is staged and it lies below `Launch.run_root`."""
    private: str = "overlay"
    """How it is to be made private: see `runner.agent.inputs`."""


@dataclass(frozen=True, slots=True)
class BoundOutput:
    name: str
    target: str
    host: Path
    """An existing, empty directory."""


@dataclass(frozen=True, slots=True)
class Peering:
    """A container's place among the instances of its step."""

    network: str
    addresses: tuple[tuple[str, str], ...]
    """Host name and IPv4 address of every instance, its own included."""
    isolated: bool
    """Nothing but the instances can be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A job with every host path filled in: all that an engine needs for one container, or for each of several."""

    job: ContainerJob
    image: Image
    run_id: str
    run_root: Path
    """The run directory. Every path below but foreign inputs lies in it."""
    runs_root: Path | None = None
    """The directory of all runs, where the run directory is one of many."""
    inputs: tuple[BoundInput, ...]
    outputs: tuple[BoundOutput, ...]
    config: tuple[BoundOutput, ...]
    """Directories (`/opt/ml/config` and the like) that hold the job's config files, and the message directory."""
    kept: tuple[BoundOutput, ...] = ()
    """Directories of the user's, outside the run directory, that the script writes in place: checkpoints."""
    scratch: Path
    """A directory of the engine's own for private copies and control files; removed by `Container.remove`."""
    preimport: tuple[str, ...] = ()
    """Modules that a staged start may import before the inputs exist, in this order: dotted names, and
    `package:name,name` for `from package import name, name`."""
    members: tuple[Launch, ...] = ()
    """One for each instance of a step that has several; then nothing runs with this launch itself."""
    logs: Path | None = None
    """Of a member: the directory that gets its own `stdout` and `stderr`, byte by byte."""
    peering: Peering | None = None
    """Of a member, once the engine has made its network."""
    credentials: Credentials | None = field(default=None, repr=False)
    """This machine's, for a job that asks for them."""
    trace: bool = True
    """Whether to watch what the script opens, writes and connects to; no verdict depends on it."""

    @property
    def written(self) -> tuple[BoundOutput, ...]:
        """Every directory whose files the script may leave to the user."""
        return (*self.outputs, *self.config, *self.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOutcome:
    """How one of several instances ended."""

    host: str
    container_id: str
    verdict: Verdict
    exit_code: int | None
    signal: str | None
    reason: str
    seconds: float
    peer: bool = False
    """Stopped because another one had failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A `requirements.txt` that is to be installed in a step's container, which may have no network."""

    image: Image
    interpreter: str
    """As the command that installs names it: `python` or `python3`."""
    code: Path
    """Host directory with the file, and with all that it may refer to."""
    run_id: str
    step: str
    stopped: Callable[[], bool]
    """Whether the run was stopped: then nothing more is fetched."""
    tell: Callable[[str], None]
    """Hears what takes time."""

    @classmethod
    def of(
        cls,
        job: ContainerJob,
        image: Image,
        code: Path,
        run_id: str,
        *,
        stopped: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """What the code of this job asks for."""
        return cls(
            image=image,
            interpreter=job.requirements or "python",
            code=code,
            run_id=run_id,
            step=job.step,
            stopped=stopped,
            tell=tell,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a container ended. `verdict` is passed, exit, oom, timeout, cancelled or infrastructure here: outputs are
    judged later, by the room that publishes them."""

    verdict: Verdict
    exit_code: int | None
    """The container's own status; None when the engine could not tell."""
    signal: str | None
    """`SIGKILL` and the like when the script died by a signal."""
    reason: str
    """One sentence in words, as `exit 137: killed for memory at its limit of 512 MiB`."""
    started_at: str | None
    finished_at: str | None
    """UTC, ISO 8601."""
    seconds: float
    """From go to exit."""
    warnings: tuple[str, ...] = ()
    peer: bool = False
    """Stopped because another instance had failed; the verdict is cancelled, and says nothing about the user."""
    hosts: tuple[HostOutcome, ...] = ()
    """Of several instances, in the order of their host names."""
    decided_by: str = ""
    """Of several instances: the host whose end gave the verdict; empty when all passed."""
    private: tuple[tuple[str, str], ...] = ()
    """By input: how it was made private. None of them when nobody lived to tell."""
    trace: Mapping[str, Any] | None = None
    """What the script did, as the agent saw it (`agent/trace.py`); None when nothing was there to see it."""
    own_fault: bool = False
    """No hand from outside explains it: a fault of this tool, whatever the verdict says."""


Sink = Callable[[bytes], None]
"""Takes the bytes of one stream as they come. An OSError from it (disk full) stops the container: infrastructure."""


class Container(Protocol):
    """One created container. Each runs one script, once."""

    id: str
    mode: StartMode

    def run(self, stdout: Sink, stderr: Sink) -> Outcome:
        """Let it go and wait. Returns when both streams are drained and it is known how the script ended; never raises
        for what the script did. Applies the job's time-out. A pass may be the agent's word alone: see `confirm`."""

    def confirm(self) -> Outcome:
        """The outcome of `run`, once the engine was asked as well: the same verdict, or infrastructure where the two
        contradict each other. Waits for the container's end. After `run`, before `remove`; never raises."""

    def stop(self, reason: StopReason, grace: float) -> None:
        """SIGTERM, `grace` seconds, SIGKILL. Returns at once; any thread; again with a shorter grace is allowed."""

    def remove(self) -> None:
        """Remove container, volumes and scratch; give the files to their owner. Never raises: what is left is swept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something of ours that the engine still holds."""

    kind: str
    """`container`, `volume` or `network`."""
    name: str
    run_id: str
    step: str
    owner_alive: bool


class Engine(Protocol):
    name: str

    def info(self) -> EngineInfo:
        """Raises EngineUnavailable."""

    def image(self, reference: str) -> Image:
        """The image, looked up on the engine (and probed once per image id). Raises ImageUnavailable."""

    def modules(self, image: Image, interpreter: str) -> frozenset[str]:
        """The top-level modules that `interpreter` (`python3`, or a path in the image) can import, asked for once per
        image id; none where that cannot be known. Raises EnvironmentFault."""

    def collect(self, wanted: Installation) -> Path:
        """A directory with all packages that it takes, and an exact `requirements.txt` for them; made once.

        Raises RequirementsError when pip cannot, EnvironmentFault when the machine cannot.
        """

    def collected(self, wanted: Installation) -> Path | None:
        """What `collect` would give, if it is there already; makes nothing. Raises OSError."""

    def prepare(self, launch: Launch) -> Container:
        """Create the container; when `launch.image.mode` is staged, start it too. Raises EnvironmentFault.

        Of a launch with members: all of them, on a network of their own, as one (`engine.cluster`)."""

    def reclaim(self, paths: Sequence[Path], image: Image | None = None) -> None:
        """Give everything below the paths to the invoking user, with a container of `image` where that needs root."""

    def leftovers(self, run_id: str | None = None) -> list[Leftover]:
        """All that carries our label, of one run or of all."""

    def sweep(self, leftovers: Sequence[Leftover]) -> list[Leftover]:
        """Remove them; returns what could not be removed."""

    def release(self, run_id: str) -> None:
        """A run has ended, and nothing of it is left: hold nothing for it any more. Other runs may go on."""

    def close(self) -> None: ...
