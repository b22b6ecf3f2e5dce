"""SageMaker's rules about one step: what each type may have. The limits of its API stand in `limits`.

Sources: the botocore service model and the SageMaker Python SDK, as gathered in the container contract.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from runner.errors import Problem
from runner.spec import instances, transform
from runner.spec.document import Place
from runner.spec.draft import Draft
from runner.spec.fields import Credentials, StepType
from runner.spec.models import TRAINING_OUTPUTS, StepSpec
from runner.spec.mounts import fixed
from runner.spec.names import did_you_mean, listed

_PROGRAM = "SAGEMAKER_PROGRAM"
Fault = tuple[Place, str]
"""A place below the step, and what is wrong there."""


def problems(draft: Draft) -> Iterator[Problem]:
    """What neither SageMaker nor this runner can do about each step by itself."""
    for name, step in draft.whole():
        if step.type is StepType.TRANSFORM:
            faults = (*transform.faults(draft, step), *_platform(draft, step))
        else:
            of_type = _training(step) if step.type is StepType.TRAINING else _processing(step)
            common = (*_program(draft, step), *_kept(step), *_platform(draft, step), *transform.misplaced(step))
            faults = (*common, *of_type)
        for place, message in faults:
            yield draft.problem(name, place, message, key=True)


def lacks_program(step: StepSpec) -> bool:
    """Whether nothing says what the step runs."""
    return step.script is None and step.module is None and step.entrypoint is None and step.image is None


def _program(draft: Draft, step: StepSpec) -> Iterator[Fault]:
    if lacks_program(step):
        yield (), "needs a 'script' (or an 'entrypoint', or an 'image' of its own that knows what to run)"
    elif step.image is None and draft.spec.image is None and not draft.header_damaged:
        yield (), "needs an 'image', here or for the whole pipeline"
    if step.source_dir is not None and step.script is None and step.module is None and step.entrypoint is None:
        yield ("source_dir",), "has no effect without a 'script', a 'module' or an 'entrypoint'"
    yield from _module(step)
    if step.has_code and "code" in step.inputs:
        yield ("inputs", "code"), "the name 'code' is taken by the step's own code; rename the input"
    if step.is_framework and "entrypoint" in step.inputs:
        message = (
            "the name 'entrypoint' is taken by the runproc.sh that starts code of a 'source_dir'; rename the input"
        )
        yield ("inputs", "entrypoint"), message


def _module(step: StepSpec) -> Iterator[Fault]:
    if step.module is None:
        return
    if step.source_dir is None:
        yield ("module",), "needs a 'source_dir', the directory below which it lies"
    if step.script is not None:
        yield ("module",), "and 'script' both say what to run; leave one of them out"
    if step.entrypoint is not None:
        yield ("module",), "has no effect beside an 'entrypoint', which says what to run"


def _training(step: StepSpec) -> Iterator[Fault]:
    if step.args is not None:
        yield ("args",), "is for processing steps; a training step takes 'hyperparameters'"
    for name, given in step.inputs.items():
        if given.path is not None:
            yield ("inputs", name, "path"), fixed(step.type, "inputs", name)
    for name, output in step.outputs.items():
        if name not in TRAINING_OUTPUTS:
            hint = did_you_mean(name, TRAINING_OUTPUTS)
            yield ("outputs", name), f"a training step has the outputs 'model' and 'output' and no others{hint}"
        elif output.path is not None:
            yield ("outputs", name), fixed(step.type, "outputs", name)
    program = step.env.get(_PROGRAM)
    if step.script is not None and step.entrypoint is None and program not in (None, _below_code(step, step.script)):
        message = f"the training toolkit would run '{program}' instead of the script; remove it"
        yield ("env", _PROGRAM), message


def _below_code(step: StepSpec, script: str) -> str:
    """The script's path below the code directory."""
    return posixpath.normpath(script) if step.source_dir is not None else posixpath.basename(script)


def _processing(step: StepSpec) -> Iterator[Fault]:
    if step.hyperparameters:
        yield ("hyperparameters",), "is for training steps; a processing step takes 'args'"
    for name, given in step.inputs.items():
        if given.content_type is not None:
            message = "is for a training step's channels and a transform step's data; SageMaker's processing has none"
            yield ("inputs", name, "content_type"), message


def _kept(step: StepSpec) -> Iterator[Fault]:
    if step.checkpoints is not None and step.type is not StepType.TRAINING:
        yield ("checkpoints",), "is for training steps: only a training job has a CheckpointConfig"


_OF_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_OF_ENDPOINT = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)


def _platform(draft: Draft, step: StepSpec) -> Iterator[Fault]:
    """The instance, credentials that two keys would give, and variables that the cache is to ignore."""
    variables = draft.spec.env | step.env
    for index, name in enumerate(step.cache.ignore_env):
        if name not in variables:
            message = f"no variable '{name}' in the env of the step or the pipeline{did_you_mean(name, variables)}"
            yield ("cache", "ignore_env", index), message
    if step.instance_type is not None:
        message = instances.fault(step.instance_type, step.type.value)
        if message:
            yield ("instance_type",), message
    if step.credentials is not Credentials.NONE:
        taken = [name for name in (*_OF_CREDENTIALS, *_OF_ENDPOINT) if name in draft.spec.env | step.env]
        if taken:
            yield ("credentials",), f"env has {listed(taken)} of its own, which would win: leave out one of the two"
