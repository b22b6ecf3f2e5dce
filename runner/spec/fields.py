"""What the fields of the models are made of: texts with rules, sizes, durations, choices."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from runner.spec import fold, units

Words = tuple[str, ...]
Scalar = str | int | float | bool
Text = AfterValidator(fold.filled)


def pattern(rule: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{rule}$"})


def before(function: Callable[[Any], Any], shape: Any) -> BeforeValidator:
    """`shape` is what the file may hold, for the JSON Schema."""
    return BeforeValidator(function, json_schema_input_type=shape)


Filled = Annotated[str, Text, pattern(r".*\S.*")]
Title = Annotated[str, AfterValidator(fold.title), pattern(r"(?=.*\S)[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+")]
StepName = Annotated[str, AfterValidator(fold.step_name), pattern(fold.STEP.pattern)]
PortName = Annotated[str, AfterValidator(fold.port_name), pattern(fold.PORT.pattern)]
EnvKey = Annotated[str, AfterValidator(fold.env_key), pattern(fold.ENV_KEY.pattern)]
ModuleName = Annotated[str, AfterValidator(fold.module), pattern(fold.MODULE.pattern)]
ContainerPath = Annotated[str, AfterValidator(fold.container_path), pattern(f"{fold.PROCESSING_ROOT}.+")]
Verbatim = Annotated[str, before(fold.verbatim, Scalar)]
Hyperparameter = Annotated[str, before(fold.hyperparameter, Scalar | list[Any] | dict[str, Any])]
Command = Annotated[Words, before(fold.command, Annotated[list[Scalar], Field(min_length=1)])]
Arguments = Annotated[
    Words | None, before(fold.arguments, list[Scalar] | dict[str, Scalar | list[Scalar] | None] | None)
]
JobArguments = Annotated[
    dict[str, Any] | list[Any],
    before(fold.job_arguments, list[Scalar] | dict[str, Scalar | list[Any] | dict[str, Any] | None]),
]
DURATION = r"\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*[sSmMhHdD]?\s*"
SIZE = r"(?=.*[1-9])\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*([bB]|[kKmMgGtT]([iI]?[bB])?)?\s*"
Timeout = Annotated[
    float, before(fold.timeout, Annotated[float, Field(gt=0)] | Annotated[str, pattern(f"(?=.*[1-9]){DURATION}")])
]
Grace = Annotated[float, before(fold.duration, Annotated[float, Field(ge=0)] | Annotated[str, pattern(DURATION)])]
Memory = Annotated[
    str | int, before(fold.memory, Annotated[int, Field(ge=units.MIN_MEMORY)] | Annotated[str, pattern(SIZE)])
]
Size = Annotated[str | int, before(fold.size, Annotated[int, Field(gt=0)] | Annotated[str, pattern(SIZE)])]


class StepType(StrEnum):
    PROCESSING = "processing"
    TRAINING = "training"
    TRANSFORM = "transform"


class Network(StrEnum):
    NONE = "none"
    BRIDGE = "bridge"


class Distribution(StrEnum):
    """`S3DataDistributionType`: what each instance of a step gets of an input."""

    FULLY_REPLICATED = "FullyReplicated"
    SHARDED_BY_S3_KEY = "ShardedByS3Key"


class Privacy(StrEnum):
    """How an input is kept from its source; each falls back to the next where it cannot be had."""

    OVERLAY = "overlay"
    COPY = "copy"
    READ_ONLY = "read-only"


class Credentials(StrEnum):
    """How a step's container gets AWS credentials, if at all."""

    NONE = "none"
    ENVIRONMENT = "environment"
    ENDPOINT = "endpoint"


class Strategy(StrEnum):
    """`BatchStrategy`: what one request of a transform step holds."""

    MULTI_RECORD = "MultiRecord"
    SINGLE_RECORD = "SingleRecord"


class Split(StrEnum):
    """`SplitType`: what a record of a transform step's data is."""

    NONE = "None"
    LINE = "Line"
