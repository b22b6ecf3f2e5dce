"""`ContainerJob`: the one value that crosses from SageMaker's world into the engine's.

`plan` prints it, the engine runs it, the cache will hash it and `reproduce.sh` is rendered from it. It is plain, frozen
and hashable, it holds no host path but those the user named, and building it does no I/O.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HostData:
    """A file or directory of the user's. A file appears alone, under its own name, in the target directory."""

    path: str
    """Absolute host path."""


@dataclass(frozen=True, slots=True)
class StepData:
    """What another step published."""

    step: str
    output: str


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One script; it appears alone, under its own name, in the target directory."""

    path: str


@dataclass(frozen=True, slots=True)
class CodeTree:
    """A source directory, or an archive of one; its contents appear in the target directory."""

    path: str


@dataclass(frozen=True, slots=True)
class CodeBundle:
    """A source directory, or an archive of one; it appears as `sourcedir.tar.gz` in the target directory."""

    path: str


@dataclass(frozen=True, slots=True)
class CodeText:
    """A script that the SDK writes; it appears alone, under its name, in the target directory."""

    name: str
    content: str


SentCode = CodeFile | CodeTree | CodeBundle
"""Code of the user's."""
Code = SentCode | CodeText
Source = HostData | StepData | Code


@dataclass(frozen=True, slots=True)
class InputMount:
    """A directory that the container may read, and write privately: its source never changes."""

    name: str
    target: str
    """Absolute container path of a directory."""
    source: Source
    private: str = "overlay"
    """`overlay`, `copy` or `read-only`: the first way that is tried; see `runner.spec.models.Privacy`."""
    sharded: bool = False
    """Each of several instances gets its share of the files (ShardedByS3Key)."""


@dataclass(frozen=True, slots=True)
class OutputMount:
    """A directory that exists, empty, before the script starts, and is published after it passed."""

    name: str
    target: str
    allow_empty: bool = False
    archive: str | None = None
    """Published as this one archive (`model.tar.gz`) instead of as a tree: what SageMaker does for training."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that the platform writes before the script starts."""

    target: str
    """Absolute container path."""
    content: str


@dataclass(frozen=True, slots=True)
class Member:
    """What one of several instances has for itself."""

    hostname: str
    env: tuple[tuple[str, str], ...]
    config: tuple[ConfigFile, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one container; None means that the engine sets none."""

    cpus: float | None = None
    memory: int | None = None
    """Bytes; swap is not added."""
    shm_size: int | None = None
    """Bytes of /dev/shm."""
    pids: int | None = None
    timeout: float | None = None
    """Seconds of run time before SIGTERM."""
    grace: float = 120.0
    """Seconds between SIGTERM and SIGKILL after a time-out (120 is what SageMaker documents for training)."""
    of_instance: tuple[str, ...] = ()
    """Which of `cpus` and `memory` the instance type alone gives: a ceiling, capped to the machine; no reservation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """How the data of a transform step is cut into requests to its server."""

    strategy: str
    """`MultiRecord` or `SingleRecord`."""
    split: str
    """`None` or `Line`."""
    assemble: str
    """`None` or `Line`."""
    content_type: str | None
    """None: the request has no Content-Type."""
    accept: str | None
    max_payload: int
    """Megabytes of 1024 * 1024 bytes."""
    max_concurrent: int
    max_retries: int
    invocation_timeout: float
    ping_timeout: float
    open: tuple[str, ...] = ()
    """Those of `strategy`, `max_payload`, `max_concurrent` that the spec does not name: the server's
    `/execution-parameters`, if it has any, win over what stands here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerJob:
    """One step as one container. Tuples, not dicts, so that it can be hashed."""

    step: str
    step_type: str
    """`processing`, `training` or `transform`."""
    image: str
    """The reference as the user wrote it, after the `images:` mapping."""
    entrypoint: tuple[str, ...] | None = None
    """None: the image's ENTRYPOINT. Set: the image's ENTRYPOINT and CMD are both ignored (Docker's rule)."""
    arguments: tuple[str, ...] | None = None
    """None: the image's CMD, when the entrypoint is the image's too."""
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str | None = None
    """None: the image's WORKDIR."""
    inputs: tuple[InputMount, ...] = ()
    outputs: tuple[OutputMount, ...] = ()
    config: tuple[ConfigFile, ...] = ()
    exit_message: str | None = None
    """Container path of the file whose first 1 KB becomes the ExitMessage (processing) or FailureReason (training)."""
    limits: Limits = field(default_factory=Limits)
    network: str = "none"
    """`none` or `bridge`."""
    hostname: str = "algo-1"
    requirements: str | None = None
    """The interpreter whose pip installs the code's `requirements.txt`, where there is one, before the program."""
    checkpoints: str | None = None
    """Absolute host path of the directory that is `/opt/ml/checkpoints`: kept from one attempt to the next, whatever
    the verdict. None: there is no such directory in the container, as on SageMaker without a CheckpointConfig."""
    instance_type: str | None = None
    """As the spec names it; its CPUs and memory are in `limits`."""
    instance_count: int = 1
    """Containers `algo-1` to `algo-N`, each with this job but for what `members` says."""
    members: tuple[Member, ...] = ()
    """One for each instance, sorted by host name; none when there is one instance only."""
    credentials: str = "none"
    """`none`, `environment` or `endpoint`. The credentials themselves are never in a job."""
    preimport: bool = True
    """Whether libraries may be imported before the script starts. No result depends on it."""
    transform: Transform | None = None
    """Of a transform step: the container serves, and a client posts the input `data` and writes the output."""

    @property
    def sent_code(self) -> SentCode | None:
        """The user's code that the step brings with it; None where it has none."""
        return next((item.source for item in self.inputs if isinstance(item.source, SentCode)), None)

    @property
    def serves(self) -> bool:
        """Whether its image must be one that can `serve`."""
        return self.transform is not None

    def of(self, member: Member) -> ContainerJob:
        """The job as one of the instances runs it."""
        return dataclasses.replace(self, members=(), hostname=member.hostname, env=member.env, config=member.config)
