"""The pipeline file as pydantic models: the shape that people write, normalised.

Short forms are folded by validators, so that the rooms above see one shape: `inputs` is always a dict of `InputSpec`,
`outputs` always a dict of `OutputSpec`, `args` always a tuple of strings. Unknown keys are refused; a key with
nothing after it counts as not written. What needs more than one field, or the disk, is checked in `checks`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from runner.spec import fold
from runner.spec.document import absolute
from runner.spec.fold import Misfit
from runner.spec.scalar import described

TRAINING_OUTPUTS = ("model", "output")
"""What every training step has: `/opt/ml/model` and `/opt/ml/output/data`."""

StepName = Annotated[str, AfterValidator(fold.step_name)]
PortName = Annotated[str, AfterValidator(fold.port_name)]
EnvKey = Annotated[str, AfterValidator(fold.env_key)]
Filled = Annotated[str, AfterValidator(fold.filled)]
Verbatim = Annotated[str, BeforeValidator(fold.verbatim)]
Hyperparameter = Annotated[str, BeforeValidator(fold.hyperparameter)]
ContainerPath = Annotated[str, AfterValidator(fold.container_path)]
Words = tuple[str, ...]


class StepType(StrEnum):
    PROCESSING = "processing"
    TRAINING = "training"


class Network(StrEnum):
    NONE = "none"
    BRIDGE = "bridge"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class InputSpec(_Strict):
    """An input: exactly one of `source` (a host path) and `from` (`step.output`)."""

    source: Filled | None = None
    from_: Filled | None = Field(default=None, alias="from")
    path: ContainerPath | None = None
    """Container directory; default `/opt/ml/processing/input/<name>`, or the channel's directory in training."""

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


class OutputSpec(_Strict):
    path: ContainerPath | None = None
    """Container directory; default `/opt/ml/processing/output/<name>`."""
    allow_empty: Annotated[bool, BeforeValidator(fold.flag)] = False

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


class Resources(_Strict):
    cpus: Annotated[float, BeforeValidator(fold.positive)] | None = None
    memory: Annotated[str | int, BeforeValidator(fold.memory)] | None = None
    """Bytes, or with a suffix as Docker writes it: `512m`, `2g`; `units.size` gives bytes."""
    shm_size: Annotated[str | int, BeforeValidator(fold.size)] | None = None
    pids: Annotated[int, BeforeValidator(fold.count)] | None = None


class StepSpec(_Strict):
    type: StepType = StepType.PROCESSING
    script: Filled | None = None
    """Host path of the Python file, relative to the pipeline file (or to `source_dir` when that is set)."""
    source_dir: Filled | None = None
    image: Filled | None = None
    entrypoint: Annotated[Words, BeforeValidator(fold.command)] | None = None
    args: Annotated[Words | None, BeforeValidator(fold.arguments)] = None
    """A mapping in the file becomes `--key value ...`; a list is verbatim."""
    env: dict[EnvKey, Verbatim] = {}
    inputs: dict[PortName, InputSpec] = {}
    outputs: Annotated[dict[PortName, OutputSpec], BeforeValidator(fold.outputs)] = {}
    """Of a training step only what tunes `TRAINING_OUTPUTS`; `output_names` has all."""
    hyperparameters: dict[Filled, Hyperparameter] = {}
    depends_on: Annotated[tuple[str, ...], BeforeValidator(fold.names)] = ()
    resources: Resources = Resources()
    timeout: Annotated[float, BeforeValidator(fold.timeout)] | None = None
    """Seconds; the file may say `90s`, `5m`, `1h`."""
    stop_grace: Annotated[float, BeforeValidator(fold.duration)] = 120.0
    network: Network = Network.NONE

    @property
    def output_names(self) -> tuple[str, ...]:
        """Everything that another step can take from this one."""
        return TRAINING_OUTPUTS if self.type is StepType.TRAINING else tuple(self.outputs)


class PipelineSpec(_Strict):
    name: Filled
    image: Filled | None = None
    images: dict[Filled, Filled] = {}
    """Image URI as SageMaker names it -> local image that stands for it."""
    env: dict[EnvKey, Verbatim] = {}
    """For every step; a step's own `env` wins."""
    steps: Annotated[dict[StepName, StepSpec], Field(min_length=1)]


class Pipeline(BaseModel):
    """A loaded, fully checked pipeline: the spec, where it came from, and its order."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    file: Path
    """Absolute; relative host paths in the spec are relative to its directory."""
    spec: PipelineSpec
    source_text: bytes
    """The file as it was read: copied into the run directory."""

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
    return absolute(root / Path(text).expanduser())


def script_path(root: Path, step: StepSpec) -> Path | None:
    """Where a step's script lies; None when it has none."""
    if step.script is None:
        return None
    return host_path(host_path(root, step.source_dir) if step.source_dir else root, step.script)
