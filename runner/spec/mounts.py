"""Where a processing step's data lies in its container, and which of those places would get in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.errors import Problem
from runner.spec.document import Place
from runner.spec.draft import Draft
from runner.spec.fields import StepType
from runner.spec.models import StepSpec

INPUT_ROOT = "/opt/ml/processing/input"
OUTPUT_ROOT = "/opt/ml/processing/output"
CODE = "/opt/ml/processing/input/code"
"""Where ScriptProcessor puts the code."""
ENTRYPOINT = "/opt/ml/processing/input/entrypoint"
"""Where FrameworkProcessor puts the script that unpacks the code and starts it."""
MODEL = "/opt/ml/model"
TRANSFORM = {"model": MODEL, "data": "/transform/data", "output": "/transform/output"}
"""Of a transform step: the server sees the model alone; the others are where the client that posts them has them."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One directory; `place` is where the step's text says so."""

    what: str
    path: str
    place: Place
    is_output: bool = False


def input_path(step: StepSpec, name: str) -> str:
    """The container directory of an input of a step."""
    if step.type is StepType.TRAINING:
        return f"/opt/ml/input/data/{name}"
    if step.type is StepType.TRANSFORM:
        return TRANSFORM[name]
    return step.inputs[name].path or f"{INPUT_ROOT}/{name}"


def output_path(step: StepSpec, name: str) -> str:
    """The container directory of an output of a step."""
    if step.type is StepType.TRAINING:
        return {"model": MODEL, "output": "/opt/ml/output/data"}[name]
    if step.type is StepType.TRANSFORM:
        return TRANSFORM[name]
    return step.outputs[name].path or f"{OUTPUT_ROOT}/{name}"


def fixed(kind: StepType, part: str, name: str) -> str:
    """Why a port of a step of this type can have no `path`, and what to do; empty where it can. `part`: `inputs` or
    `outputs`."""
    if kind is StepType.PROCESSING:
        return ""
    if part == "outputs":
        directory = "directories are" if kind is StepType.TRAINING else "directory is"
        return f"a {kind.value} step's output {directory} fixed; only 'allow_empty' can be set"
    if kind is StepType.TRAINING:
        return f"is fixed in a training step: /opt/ml/input/data/{name}; remove it, or rename the channel"
    where = "unpacked in /opt/ml/model" if name == "model" else "posted to the server, which has no path for it"
    return f"cannot be set: the {name} is {where}; remove it"


def problems(draft: Draft) -> Iterator[Problem]:
    """Two things on one path, an output inside an input, or anything inside an output: what is written to the inner one
    would hide a part of the other, or be uploaded with it.

    An input inside another input is allowed, as on SageMaker.
    """
    for name, step in draft.whole():
        if step.type is not StepType.PROCESSING:
            continue
        mounts = _mounts(step)
        for index, mount in enumerate(mounts):
            for other in mounts[:index]:
                message = _conflict(mount, other)
                if message:
                    yield draft.problem(name, mount.place, message)


def _mounts(step: StepSpec) -> list[Mount]:
    code = {"code": Mount("the step's code", CODE, ())} if step.has_code else {}
    if step.is_framework:
        code["entrypoint"] = Mount("the step's runproc.sh", ENTRYPOINT, ())
    inputs = [
        Mount(f"input '{name}'", input_path(step, name), ("inputs", name))
        for name in step.inputs
        if name not in code  # `rules` refuses that name
    ]
    outputs = [Mount(f"output '{name}'", output_path(step, name), ("outputs", name), True) for name in step.outputs]
    return [*code.values(), *inputs, *outputs]


def _conflict(mount: Mount, other: Mount) -> str:
    if mount.path == other.path:
        return f"its directory {mount.path} is also that of {other.what}; give it another 'path'"
    if mount.is_output and mount.path.startswith(f"{other.path}/"):
        return f"its directory {mount.path} lies inside {other.what} ({other.path})"
    if mount.is_output and other.path.startswith(f"{mount.path}/"):
        return f"its directory {mount.path} holds {other.what} ({other.path})"
    return ""
