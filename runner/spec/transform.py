"""What a transform step may have. The limits of its request stand in `limits`.

Sources: the API reference of CreateTransformJob, TransformInput and ModelClientConfig. Neither RecordIO nor TFRecord is
among the splits, and `max_payload: 0` (no limit, chunked) is none of the sizes: the models refuse them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.spec import modelarchive
from runner.spec.document import Place
from runner.spec.draft import Draft
from runner.spec.fields import Distribution, Privacy
from runner.spec.modelarchive import ARCHIVE
from runner.spec.models import TRANSFORM_OUTPUTS, StepSpec, host_path
from runner.spec.mounts import fixed
from runner.spec.names import did_you_mean

INPUTS = ("model", "data")
_OF_SCRIPTS = ("script", "source_dir", "module", "entrypoint", "args", "hyperparameters", "checkpoints")

_AGAIN = f"pack it again: tar -czf {ARCHIVE} -C DIRECTORY ."

Fault = tuple[Place, str]
"""A place below the step, and what is wrong there."""


def faults(draft: Draft, step: StepSpec) -> Iterator[Fault]:
    """What SageMaker, or this runner, would refuse about a transform step by itself."""
    for field in _OF_SCRIPTS:
        if getattr(step, field):
            yield (field,), "is not for a transform step: its image's own `serve` program runs"
    if step.image is None and draft.spec.image is None and not draft.header_damaged:
        yield (), "needs an 'image' that can `serve`, here or for the whole pipeline"
    if step.instance_count > 1:
        yield ("instance_count",), "a transform step runs on one instance here"
    yield from _inputs(step)
    for name, output in step.outputs.items():
        if name not in TRANSFORM_OUTPUTS:
            hint = did_you_mean(name, TRANSFORM_OUTPUTS)
            yield ("outputs", name), f"a transform step has the output 'output' and no others{hint}"
        elif output.path is not None:
            yield ("outputs", name), fixed(step.type, "outputs", name)


def misplaced(step: StepSpec) -> Iterator[Fault]:
    """What only a transform step can have, in another one."""
    if step.transform is not None:
        yield ("transform",), f"is for steps of `type: transform`; this is a {step.type.value} step"


def model_fault(root: Path, step: StepSpec) -> str:
    """Why a model of the host's can be none, or an empty text. That of another step is looked at when it is there.

    Only of a file or directory that is known to be there."""
    source = step.inputs["model"].source if "model" in step.inputs else None
    if source is None:
        return ""
    path = host_path(root, source)
    archive = path / ARCHIVE if path.is_dir() else path
    if path.is_dir() and not archive.is_file():
        return f"the directory '{source}' holds no {ARCHIVE}, which is what SageMaker unpacks into /opt/ml/model"
    if not archive.name.endswith(".tar.gz"):
        return f"'{source}' is no .tar.gz; SageMaker takes a model as one {ARCHIVE}"
    try:
        fault = modelarchive.fault(archive)
    except OSError as error:
        return f"'{source}': {archive.name} cannot be read: {error.strerror or error}"
    return f"'{source}': {fault}; {_AGAIN}" if fault else ""


def _inputs(step: StepSpec) -> Iterator[Fault]:
    for name, given in step.inputs.items():
        if name not in INPUTS:
            hint = did_you_mean(name, INPUTS)
            yield ("inputs", name), f"a transform step has the inputs 'model' and 'data' and no others{hint}"
            continue
        if given.path is not None:
            yield ("inputs", name, "path"), fixed(step.type, "inputs", name)
        if given.private is not Privacy.OVERLAY:
            yield ("inputs", name, "private"), "has no effect in a transform step: nothing there writes to its source"
        if given.distribution is not Distribution.FULLY_REPLICATED:
            yield ("inputs", name, "distribution"), "has no effect in a transform step, which runs on one instance here"
        if name == "model" and given.content_type is not None:
            yield ("inputs", name, "content_type"), "is for 'data'; a model has none"
    if "data" not in step.inputs:
        yield (), "needs the input 'data': the files that are posted to the server"
