"""The pipeline file as pydantic models: the shape that people write, normalised.

Short forms are folded by validators, so that the rooms above see one shape: `inputs` is always a dict of `InputSpec`,
`outputs` always a dict of `OutputSpec`, `args` always a tuple of strings. Unknown keys are refused; a key with
nothing after it counts as not written. What needs more than one field, or the disk, is checked in `checks`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runner.errors import Problem
from runner.spec import fold
from runner.spec.document import absolute
from runner.spec.expects import Expects
from runner.spec.fields import (
    Arguments,
    Command,
    ContainerPath,
    Credentials,
    Distribution,
    EnvKey,
    Filled,
    Grace,
    Hyperparameter,
    Memory,
    ModuleName,
    Network,
    PortName,
    Privacy,
    Size,
    Split,
    StepName,
    StepType,
    Strategy,
    Timeout,
    Title,
    Verbatim,
    before,
)
from runner.spec.fold import Misfit
from runner.spec.scalar import described
from runner.spec.strict import Strict

TRAINING_OUTPUTS = ("model", "output")
"""What every training step has: `/opt/ml/model` and `/opt/ml/output/data`."""

TRANSFORM_OUTPUTS = ("output",)
"""What every transform step has: one `.out` file for each file of its data."""


class InputSpec(Strict):
    """An input: exactly one of `source` (a host path) and `from` (`step.output`)."""

    source: Filled | None = None
    """Host file or directory, relative to the pipeline file."""
    from_: Filled | None = Field(default=None, alias="from")
    """`step.output`: what another step wrote; that step runs before this one."""
    path: ContainerPath | None = None
    """Container directory; default `/opt/ml/processing/input/<name>`, or the channel's directory in training."""
    distribution: Distribution = Distribution.FULLY_REPLICATED
    """`ShardedByS3Key`: each of several instances gets its share of the files; otherwise each gets all."""
    content_type: Filled | None = None
    """Of a training channel or of transform data, as `text/csv`."""
    private: Privacy = Privacy.OVERLAY
    """How the source is kept from the script's writes: `overlay` (the default), `copy`, or `read-only`."""
    expects: Expects | None = None
    """What the step needs this data to be: checked before its script starts, which else does not start."""

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"source": data}
        if isinstance(data, dict | cls):
            return data
        raise Misfit(f"expected a host path or {{from: step.output}}, got {described(data)}")

    @model_validator(mode="after")
    def _one_origin(self) -> InputSpec:
        if (self.source is None) == (self.from_ is None):
            both = "both 'source' and 'from'" if self.source is not None else "neither 'source' nor 'from'"
            raise Misfit(f"has {both}; write a host path or {{from: step.output}}")
        return self


class OutputSpec(Strict):
    """An output: a directory that must hold files when the step has ended."""

    path: ContainerPath | None = None
    """Container directory; default `/opt/ml/processing/output/<name>`."""
    allow_empty: Annotated[bool, before(fold.flag, bool)] = False
    """`true`: the step also passes when it writes nothing here."""

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, data: Any) -> Any:
        if data is None:
            return {}
        if isinstance(data, str):
            return {"path": data}
        if isinstance(data, dict | cls):
            return data
        raise Misfit(f"expected a container path, {{path, allow_empty}} or nothing; got {described(data)}")


Outputs = Annotated[dict[PortName, OutputSpec], before(fold.outputs, dict[PortName, OutputSpec] | list[PortName])]


class Resources(Strict):
    """Limits of a step's container; `cpus` and `memory` are also what the scheduler counts with."""

    cpus: Annotated[float, before(fold.positive, Annotated[float, Field(gt=0)])] | None = None
    """CPUs that the step may use, as `1.5`."""
    memory: Memory | None = None
    """Bytes, or with a suffix as Docker writes it: `512m`, `2g`; at least `6m`. A step that needs more is killed."""
    # `units.size` gives bytes.
    shm_size: Size | None = None
    """Size of /dev/shm: bytes, or with a suffix as `512m`, `2g`."""
    pids: Annotated[int, before(fold.count, Annotated[int, Field(gt=0)])] | None = None
    """Processes and threads that the step may have at a time."""


class Transform(Strict):
    """How a transform step sends its data. Names and defaults are those of SageMaker's CreateTransformJob."""

    strategy: Strategy = Strategy.MULTI_RECORD
    """`MultiRecord`: as many records in a request as `max_payload` holds; `SingleRecord`: one."""
    split: Split = Split.NONE
    """`Line`: a record is a line; `None`: a record is a whole file."""
    assemble: Split = Split.NONE
    """`Line`: a line end follows the answer to each request; `None`: answers are put together as they are."""
    accept: Filled | None = None
    """The Accept header, as `text/csv`."""
    max_payload: Annotated[int, before(fold.count, Annotated[int, Field(gt=0, le=100)])] = 6
    """Most megabytes (of 1024 * 1024 bytes) that a request may have."""
    max_concurrent: Annotated[int, before(fold.count, Annotated[int, Field(gt=0)])] = 1
    """Requests at one time."""
    max_retries: Annotated[int, before(fold.retries, Annotated[int, Field(ge=0, le=3)])] = 3
    """How often a request is sent again when it times out, breaks off, or is answered with 5xx or 429: 0 to 3."""
    invocation_timeout: Timeout = 600.0
    """Seconds that one request may take, at most an hour."""
    ping_timeout: Timeout = 240.0
    """Seconds that the server may take until `/ping` answers 200."""


class Caching(Strict):
    """Whether a step's result may come from the cache, and what does not count there."""

    enabled: Annotated[bool, before(fold.flag, bool)] | None = None
    """`false`: always run. `true`: also reuse what may depend on more than the cache can see, as a network."""
    ignore_env: Annotated[tuple[EnvKey, ...], before(fold.names, str | list[str])] = ()
    """Environment variables whose values make no difference to what the step writes."""

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, data: Any) -> Any:
        if isinstance(data, dict | cls):
            return data
        try:
            return {"enabled": fold.flag(data)}
        except Misfit:
            raise Misfit(f"expected true, false or {{enabled, ignore_env}}, got {described(data)}") from None


class StepSpec(Strict):
    """One step: a script (or a command) in a container, with its inputs and outputs."""

    type: StepType = StepType.PROCESSING
    """`processing` (the default), `training` (channels in, /opt/ml/model out), or `transform` (a served model)."""
    script: Filled | None = None
    """Host path of the Python file, relative to the pipeline file (or to `source_dir` when that is set)."""
    source_dir: Filled | None = None
    """Host directory (or `.tar.gz` of one) that goes into the container as a whole; `script` lies in it."""
    module: ModuleName | None = None
    """Package or module below `source_dir`, run as `python -m MODULE`; instead of `script`."""
    image: Filled | None = None
    """Image of this step, instead of the pipeline's."""
    entrypoint: Command | None = None
    """The command as a list of words, as `[python3, main.py]`; it hides the image's own."""
    args: Arguments = None
    """Arguments of a processing step: a mapping becomes `--key value ...`, a list is passed verbatim."""
    env: dict[EnvKey, Verbatim] = {}
    """Environment variables, as text exactly as written: `0.10` stays `0.10`."""
    inputs: dict[PortName, InputSpec] = {}
    """Name -> host path, or `{from: step.output}`. In a training step the names are the channels."""
    outputs: Outputs = {}
    """Names, or name -> container directory. Training has `model` and `output`: only `allow_empty` can be set."""
    hyperparameters: dict[Filled, Hyperparameter] = {}
    """Of a training step: name -> value, as text exactly as written; lists and mappings become JSON."""
    depends_on: Annotated[tuple[str, ...], before(fold.names, str | list[str])] = ()
    """Steps that must have passed before this one starts, where no data says so."""
    instance_type: Filled | None = None
    """As `ml.m5.xlarge`: its CPUs and memory are the container's ceilings, as far as this machine has them."""
    instance_count: Annotated[int, before(fold.count, Annotated[int, Field(gt=0)])] = 1
    """That many containers, `algo-1` to `algo-N`, on a private network; all must exit 0."""
    checkpoints: Filled | None = None
    """Of a training step: host directory that is `/opt/ml/checkpoints`, kept from one attempt to the next."""
    transform: Transform | None = None
    """Of a transform step: how its data is cut into requests."""
    credentials: Credentials = Credentials.NONE
    """`environment` or `endpoint`: pass this machine's AWS credentials on, the way SageMaker does."""
    resources: Resources = Resources()
    """Limits of the step's container; each wins over what `instance_type` says."""
    timeout: Timeout | None = None
    """Seconds, or `90s`, `5m`, `1h`: then the step is stopped and has failed. Without it there is no limit."""
    stop_grace: Grace = 120.0
    """Seconds (or `5m`) from SIGTERM to SIGKILL (a transform's server: 30); an interrupted run waits 1 second."""
    preimport: Annotated[bool, before(fold.flag, bool)] = True
    """`false`: nothing is imported before the script starts, not even well-known libraries; see `plan`."""
    network: Network = Network.NONE
    """`none` (the default): the step reaches nothing but its own instances; `bridge`: Docker's usual network."""
    cache: Caching = Caching()
    """`false`: run it each time; `{ignore_env: [NAMES]}`: variables that do not count. See `run-pipeline cache`."""

    @property
    def has_code(self) -> bool:
        return self.script is not None or self.source_dir is not None

    @property
    def is_framework(self) -> bool:
        """Whether the code goes as `sourcedir.tar.gz` and `runproc.sh`, as FrameworkProcessor sends it."""
        return self.type is StepType.PROCESSING and self.source_dir is not None and self.entrypoint is None

    @property
    def output_names(self) -> tuple[str, ...]:
        """Everything that another step can take from this one."""
        if self.type is StepType.PROCESSING:
            return tuple(self.outputs)
        return TRAINING_OUTPUTS if self.type is StepType.TRAINING else TRANSFORM_OUTPUTS


class PipelineSpec(Strict):
    name: Title
    """Name of the pipeline for people; the file's name without its ending where it is left out."""
    image: Filled | None = None
    """Image of steps that name none: of `run-pipeline images list`, a local tag, an ECR URI, or a key of `images`."""
    images: dict[Filled, Filled] = {}
    """Image URI as SageMaker names it -> local image that stands for it, also where the real one is present."""
    env: dict[EnvKey, Verbatim] = {}
    """For every step; a step's own `env` wins."""
    steps: Annotated[dict[StepName, StepSpec], Field(min_length=1)]
    """Name -> step. What an input takes `from`, and `depends_on`, give the order."""


class Pipeline(BaseModel):
    """A loaded, fully checked pipeline: the spec, where it came from, and its order."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    file: Path
    """Absolute; relative host paths in the spec are relative to its directory."""
    spec: PipelineSpec
    source_text: bytes
    """The file as it was read: copied into the run directory."""
    remarks: tuple[Problem, ...] = ()
    """Limits of SageMaker's API that the pipeline exceeds: it can run here all the same."""

    @property
    def root(self) -> Path:
        return self.file.parent

    def host(self, text: str) -> Path:
        """The absolute host path that `text` in the file stands for."""
        return host_path(self.root, text)

    def script(self, step: StepSpec) -> Path | None:
        """The absolute host path of a step's script; None when it has none."""
        return script_path(self.root, step)


def host_path(root: Path, text: str) -> Path:
    """`text` as an absolute path: `~` is the user's home, and a relative path starts at `root`. Links stay."""
    return absolute(root / os.path.expanduser(text))  # noqa: PTH111 (Path's raises for an unknown user)


def script_path(root: Path, step: StepSpec) -> Path | None:
    """Where a step's script lies; None when it has none."""
    if step.script is None:
        return None
    return host_path(host_path(root, step.source_dir) if step.source_dir else root, step.script)
