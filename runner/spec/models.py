"""The pipeline file as pydantic models: the shape that people write, normalised.

Short forms are folded by validators, so that the rooms above see one shape: `inputs` is always a dict of `InputSpec`,
`outputs` always a dict of `OutputSpec`, `args` always a tuple of strings. Unknown keys are refused.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class StepType(StrEnum):
    PROCESSING = "processing"
    TRAINING = "training"


class Network(StrEnum):
    NONE = "none"
    BRIDGE = "bridge"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class InputSpec(_Strict):
    """An input: exactly one of `source` (a host path) and `from` (`step.output`)."""

    source: str | None = None
    from_: str | None = Field(default=None, alias="from")
    path: str | None = None
    """Container directory; default `/opt/ml/processing/input/<name>`, or the channel's directory in training."""


class OutputSpec(_Strict):
    path: str | None = None
    """Container directory; default `/opt/ml/processing/output/<name>`."""
    allow_empty: bool = False


class Resources(_Strict):
    cpus: float | None = None
    memory: str | int | None = None
    """Bytes, or with a suffix as Docker writes it: `512m`, `2g`."""
    shm_size: str | int | None = None
    pids: int | None = None


class StepSpec(_Strict):
    type: StepType = StepType.PROCESSING
    script: str | None = None
    """Host path of the Python file, relative to the pipeline file (or to `source_dir` when that is set)."""
    source_dir: str | None = None
    image: str | None = None
    entrypoint: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    """A mapping in the file becomes `--key value ...`; a list is verbatim."""
    env: dict[str, str] = {}
    inputs: dict[str, InputSpec] = {}
    outputs: dict[str, OutputSpec] = {}
    hyperparameters: dict[str, str] = {}
    depends_on: tuple[str, ...] = ()
    resources: Resources = Resources()
    timeout: float | None = None
    """Seconds; the file may say `90s`, `5m`, `1h`."""
    stop_grace: float = 120.0
    network: Network = Network.NONE


class PipelineSpec(_Strict):
    name: str
    image: str | None = None
    images: dict[str, str] = {}
    """Image URI as SageMaker names it -> local image that stands for it."""
    env: dict[str, str] = {}
    """For every step; a step's own `env` wins."""
    steps: dict[str, StepSpec]


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
