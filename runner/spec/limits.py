"""The limits of SageMaker's API: what its service refuses in a request, though it would run here.

Each is named by the field of the request (botocore's service model has them): counts, lengths and ranges. What can run
nowhere is no limit but a fault: see `rules`, `mounts` and the fields themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from runner.errors import Problem
from runner.spec.document import Place
from runner.spec.draft import Draft
from runner.spec.fields import StepType
from runner.spec.models import StepSpec, Transform
from runner.spec.mounts import CODE
from runner.spec.names import listed

_INPUTS, _OUTPUTS, _CHANNELS = 10, 10, 20
_WORDS, _WORD = 100, 256
_PATH = 256
_CHANNEL_NAME = 64
_INSTANCES = 100
_SECONDS = 777_600
_HYPERPARAMETERS, _HYPERPARAMETER_NAME, _HYPERPARAMETER_VALUE = 100, 256, 2500
_OF_THE_SDK = 5
"""Hyperparameters that the SDK adds for a script: sagemaker_program, _submit_directory, _job_name, _region and
_container_log_level."""
_MEGABYTES = 100
"""`MaxConcurrentTransforms` times `MaxPayloadInMB`."""
_INVOCATION = 3600
_VARIABLES = {
    StepType.PROCESSING: (100, 256, 256),
    StepType.TRAINING: (100, 512, 512),
    StepType.TRANSFORM: (16, 1024, 10240),
}
"""How many, and the lengths of name and value."""

Excess = tuple[Place, Place, str, str]
"""A place below the step, the way from there to the text, what is too much, and the field of the API."""


def problems(draft: Draft) -> Iterator[Problem]:
    """Every limit that a step exceeds."""
    for name, step in draft.whole():
        for place, near, message, field in (*_of_type(step), *_instances(step), *_environment(draft, step)):
            yield draft.problem(name, place, f"{message} ({field})", near=near, key=not near)
    yield from _shared_environment(draft)


def _of_type(step: StepSpec) -> Iterator[Excess]:
    if step.type is StepType.PROCESSING:
        yield from _inputs(step)
        yield from _outputs(step)
        yield from _paths(step)
        yield from _words(step)
        yield from _runtime(step, _SECONDS)
    elif step.type is StepType.TRAINING:
        yield from _channels(step)
        yield from _hyperparameters(step)
        yield from _words(step)
        yield from _runtime(step, None)
    else:
        yield from _requests(step.transform or Transform())


def _requests(wanted: Transform) -> Iterator[Excess]:
    total = wanted.max_payload * wanted.max_concurrent
    if total > _MEGABYTES:
        key = "max_concurrent" if "max_concurrent" in wanted.model_fields_set else "max_payload"
        what = f"max_concurrent {wanted.max_concurrent} times max_payload {wanted.max_payload} is {total} MB"
        yield ("transform", key), (), _at_most(what, _MEGABYTES), "MaxConcurrentTransforms, MaxPayloadInMB"
    field = "ModelClientConfig.InvocationsTimeoutInSeconds"
    if wanted.invocation_timeout > _INVOCATION:
        what = f"{wanted.invocation_timeout:.12g} seconds"
        yield ("transform", "invocation_timeout"), (), _at_most(what, _INVOCATION), field
    if wanted.invocation_timeout < 1:
        message = f"{wanted.invocation_timeout:g} seconds; SageMaker takes at least 1"
        yield ("transform", "invocation_timeout"), (), message, field


def _inputs(step: StepSpec) -> Iterator[Excess]:
    own = _code_inputs(step)
    if len(step.inputs) + own > _INPUTS:
        also = " and the code, which counts as one" if own == 1 else " and the code, which counts as two" if own else ""
        yield ("inputs",), (), _at_most(f"{len(step.inputs)} inputs{also}", _INPUTS), "ProcessingInputs"


def _code_inputs(step: StepSpec) -> int:
    """Inputs that the SDK makes of the code: FrameworkProcessor has one for the sources and one for `runproc.sh`."""
    if step.source_dir is not None:
        return 2 if step.entrypoint is None else 1
    return int(step.script is not None)


def _outputs(step: StepSpec) -> Iterator[Excess]:
    if len(step.outputs) > _OUTPUTS:
        what = f"{len(step.outputs)} outputs"
        yield ("outputs",), (), _at_most(what, _OUTPUTS), "ProcessingOutputConfig.Outputs"


def _paths(step: StepSpec) -> Iterator[Excess]:
    for part, field, ports in (("inputs", "S3Input", step.inputs), ("outputs", "S3Output", step.outputs)):
        for name, port in ports.items():
            if port.path is not None and len(port.path) > _PATH:
                what = f"the path has {len(port.path)} characters"
                yield (part, name), ("path",), _at_most(what, _PATH), f"{field}.LocalPath"


def _words(step: StepSpec) -> Iterator[Excess]:
    for key, field in (("entrypoint", "ContainerEntrypoint"), ("args", "ContainerArguments")):
        words: tuple[str, ...] = getattr(step, key) or ()
        if len(words) > _WORDS:
            yield (key,), (), _at_most(f"{len(words)} words", _WORDS), field
        for index, word in enumerate(words):
            if len(word) > _WORD:
                what = f"word {index + 1}, '{word[:30]}...', has {len(word)} characters"
                yield (key,), (index,), _at_most(what, _WORD), field
            if not word:
                yield (key,), (index,), f"word {index + 1} is empty; SageMaker takes no empty words", field
    if step.script is not None and step.source_dir is None and step.entrypoint is None:
        path = f"{CODE}/{PurePosixPath(step.script).name}"
        if step.type is StepType.PROCESSING and len(path) > _WORD:
            what = f"its path in the container has {len(path)} characters"
            yield ("script",), (), _at_most(what, _WORD), "ContainerEntrypoint"


def _runtime(step: StepSpec, most: int | None) -> Iterator[Excess]:
    seconds, field = step.timeout, "StoppingCondition.MaxRuntimeInSeconds"
    if seconds is not None and most is not None and seconds > most:
        yield ("timeout",), (), _at_most(f"{seconds:.12g} seconds", most), field
    if seconds is not None and seconds < 1:
        yield ("timeout",), (), f"{seconds:g} seconds; SageMaker takes at least 1", field


def _instances(step: StepSpec) -> Iterator[Excess]:
    if step.type is StepType.PROCESSING and step.instance_count > _INSTANCES:
        what = f"{step.instance_count} instances"
        yield ("instance_count",), (), _at_most(what, _INSTANCES), "ClusterConfig.InstanceCount"


def _channels(step: StepSpec) -> Iterator[Excess]:
    """None at all is within the limit of 1 to 20: a request may leave InputDataConfig out."""
    if len(step.inputs) > _CHANNELS:
        yield ("inputs",), (), _at_most(f"{len(step.inputs)} channels", _CHANNELS), "InputDataConfig"
    for name in step.inputs:
        if len(name) > _CHANNEL_NAME:
            what = f"the name has {len(name)} characters"
            yield ("inputs", name), (), _at_most(what, _CHANNEL_NAME), "InputDataConfig.ChannelName"


def _hyperparameters(step: StepSpec) -> Iterator[Excess]:
    added = _OF_THE_SDK if step.script is not None or step.module is not None else 0
    if len(step.hyperparameters) + added > _HYPERPARAMETERS:
        also = f" and the {added} that SageMaker's SDK adds for a script" if added else ""
        what = f"{len(step.hyperparameters)} hyperparameters{also}"
        yield ("hyperparameters",), (), _at_most(what, _HYPERPARAMETERS), "HyperParameters"
    for place, message in _lengths(step.hyperparameters, _HYPERPARAMETER_NAME, _HYPERPARAMETER_VALUE):
        yield ("hyperparameters", *place), (), message, "HyperParameters"


def _environment(draft: Draft, step: StepSpec) -> Iterator[Excess]:
    """Of the step's own variables; those of the pipeline count with them."""
    most, longest_name, longest_value = _VARIABLES[step.type]
    shared = draft.spec.env
    number = len(shared | step.env)
    if number > most >= len(shared):
        also = ", the pipeline's included" if number > len(step.env) else ""
        yield ("env",), (), _at_most(f"{number} variables{also}", most), "Environment"
    for place, message in _lengths(step.env, longest_name, longest_value):
        yield ("env", *place), (), message, "Environment"


def _shared_environment(draft: Draft) -> Iterator[Problem]:
    """The pipeline's own variables: each excess once, where it stands, with the steps that get it."""
    found: dict[tuple[Place, str], dict[StepType, tuple[int, list[str]]]] = {}
    for name, step in draft.whole():
        most, longest_name, longest_value = _VARIABLES[step.type]
        passed_on = {key: value for key, value in draft.spec.env.items() if key not in step.env}
        many = [((), f"{len(draft.spec.env)} variables", most)] if len(draft.spec.env) > most else []
        for place, what, limit in (*many, *_too_long(passed_on, longest_name, longest_value)):
            found.setdefault((place, what), {}).setdefault(step.type, (limit, []))[1].append(name)
    for (place, what), types in found.items():
        limits = ", ".join(f"{limit} for a {kind.value} step" for kind, (limit, _) in types.items())
        steps = listed(name for _, names in types.values() for name in names)
        message = f"{_at_most(what, limits)} (Environment of {steps})"
        yield draft.origin.problem(("env", *place), message, key=True)


def _lengths(values: Mapping[str, str], longest_name: int, longest_value: int) -> Iterator[tuple[Place, str]]:
    for place, what, limit in _too_long(values, longest_name, longest_value):
        yield place, _at_most(what, limit)


def _too_long(values: Mapping[str, str], longest_name: int, longest_value: int) -> Iterator[tuple[Place, str, int]]:
    """The place below the mapping, what is too long, and the limit."""
    for key, value in values.items():
        if len(key) > longest_name:
            yield (key,), f"the name has {len(key)} characters", longest_name
        if len(value) > longest_value:
            yield (key,), f"the value has {len(value)} characters", longest_value


def _at_most(what: str, limit: int | str) -> str:
    return f"{what}; SageMaker takes at most {limit}"
