"""SageMaker's rules about one step: what each type may have, and the limits of its API.

Sources: the botocore service model and the SageMaker Python SDK, as gathered in the container contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.errors import Problem
from runner.spec import transform
from runner.spec.document import Place
from runner.spec.draft import Draft
from runner.spec.fields import StepType
from runner.spec.models import TRAINING_OUTPUTS, StepSpec
from runner.spec.names import did_you_mean

Fault = tuple[Place, str]
"""A place below the step, and what is wrong there."""


def problems(draft: Draft) -> Iterator[Problem]:
    """What SageMaker, or this runner, would refuse about each step by itself."""
    for name, step in draft.whole():
        faults: Iterable[Fault]
        if step.type is StepType.TRANSFORM:
            faults = transform.faults(draft, step)
        else:
            of_type = _training(step) if step.type is StepType.TRAINING else _processing(step)
            faults = (*_program(draft, step), *of_type, *_environment(draft, step), *transform.misplaced(step))
        for place, message in faults:
            yield draft.problem(name, place, message, key=True)


def lacks_program(step: StepSpec) -> bool:
    """Whether nothing says what the step runs."""
    return step.script is None and step.entrypoint is None and step.image is None


def _program(draft: Draft, step: StepSpec) -> Iterator[Fault]:
    if lacks_program(step):
        yield (), "needs a 'script' (or an 'entrypoint', or an 'image' of its own that knows what to run)"
    elif step.image is None and draft.spec.image is None and not draft.header_damaged:
        yield (), "needs an 'image', here or for the whole pipeline"
    if step.source_dir is not None and step.script is None and step.entrypoint is None:
        yield ("source_dir",), "has no effect without a 'script' or an 'entrypoint'"
    if (step.script is not None or step.source_dir is not None) and "code" in step.inputs:
        yield ("inputs", "code"), "the name 'code' is taken by the step's own code; rename the input"


def _training(step: StepSpec) -> Iterator[Fault]:
    if step.args is not None:
        yield ("args",), "is for processing steps; a training step takes 'hyperparameters'"
    for name, given in step.inputs.items():
        if given.path is not None:
            message = f"is fixed in a training step: /opt/ml/input/data/{name}; remove it, or rename the channel"
            yield ("inputs", name, "path"), message
    for name, output in step.outputs.items():
        if name not in TRAINING_OUTPUTS:
            hint = did_you_mean(name, TRAINING_OUTPUTS)
            yield ("outputs", name), f"a training step has the outputs 'model' and 'output' and no others{hint}"
        elif output.path is not None:
            yield ("outputs", name), "a training step's output directories are fixed; only 'allow_empty' can be set"
    yield from _at_most(20, step.inputs, ("inputs",), "channels")
    yield from _at_most(100, step.hyperparameters, ("hyperparameters",), "hyperparameters")
    yield from _short(step.hyperparameters, ("hyperparameters",), 256, 2500)


def _processing(step: StepSpec) -> Iterator[Fault]:
    if step.hyperparameters:
        yield ("hyperparameters",), "is for training steps; a processing step takes 'args'"
    code = step.script is not None or step.source_dir is not None
    if len(step.inputs) + code > 10:
        also = " and the code, which counts as one" if code else ""
        yield ("inputs",), f"{len(step.inputs)} inputs{also}; SageMaker takes at most 10"
    yield from _at_most(10, step.outputs, ("outputs",), "outputs")
    for field, words in (("args", step.args), ("entrypoint", step.entrypoint)):
        yield from _at_most(100, words or (), (field,), "words")
        for word in words or ():
            if len(word) > 256:
                yield (field,), f"'{word[:30]}...' has {len(word)} characters; SageMaker takes at most 256 in a word"


def _environment(draft: Draft, step: StepSpec) -> Iterator[Fault]:
    longest = 512 if step.type is StepType.TRAINING else 256
    yield from _at_most(100, draft.spec.env | step.env, ("env",), "variables, the pipeline's included")
    yield from _short(step.env, ("env",), longest, longest)
    inherited = {key: value for key, value in draft.spec.env.items() if key not in step.env}
    for _, message in _short(inherited, (), longest, longest):
        yield ("env",), f"from the pipeline's env: {message}"


def _at_most(limit: int, values: Iterable[object], place: Place, what: str) -> Iterator[Fault]:
    number = len(list(values))
    if number > limit:
        yield place, f"{number} {what}; SageMaker takes at most {limit}"


def _short(values: Mapping[str, str], place: Place, key_limit: int, value_limit: int) -> Iterator[Fault]:
    for key, value in values.items():
        if len(key) > key_limit:
            yield (*place, key), f"the name has {len(key)} characters; SageMaker takes at most {key_limit}"
        if len(value) > value_limit:
            yield (*place, key), f"the value has {len(value)} characters; SageMaker takes at most {value_limit}"
