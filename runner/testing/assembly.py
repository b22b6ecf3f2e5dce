"""Subjects and their wiring -> the same checked `Pipeline` that a pipeline file would give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.agent import call_main
from runner.data.files import write_atomic
from runner.errors import Problem
from runner.spec.builder import Builder
from runner.spec.document import Document, Mark, Place, absolute
from runner.spec.fields import StepType
from runner.spec.jsontext import parse
from runner.spec.loader import check
from runner.spec.models import Pipeline
from runner.spec.mounts import CODE
from runner.testing.ports import Port
from runner.testing.subjects import Subject
from runner.testing.wiring import Wired

DEFAULT_IMAGE = "sklearn"
"""Where nothing names an image."""
_CALL = "main-call"
"""Name of the input that holds the program which calls `main`."""
_PROGRAM = "call_main.py"


class _Unplaced(Document):
    """Made in memory: there is no line to point to."""

    def mark(self, place: Place, *, key: bool = False) -> Mark:  # noqa: ARG002
        return (0, 0)


def assemble(
    name: str,
    subjects: Mapping[str, Subject],
    wired: Wired,
    order: list[tuple[str, str]],
    *,
    data: Mapping[tuple[str, str], Path],
    calls: Path,
    timeout: float,
) -> Pipeline:
    """`data` holds host directories of inputs that take the place of the spec's; `calls` is the directory for programs
    that call a script's `main`. Raises SpecError with every problem."""
    steps = {}
    for node, subject in subjects.items():
        step = _step(subject, subjects, wired, data, timeout)
        before = [source for source, target in order if target == node and source in subjects]
        step["depends_on"] = [each for each in before if not wired.ports(each, node)]
        if subject.is_called:
            _call(step, subject, calls)
        steps[node] = step
    document = _document(f"pipeline '{name}'", {"name": name, "image": DEFAULT_IMAGE, "steps": steps})
    if not isinstance(document.data, dict):
        raise TypeError("a pipeline is a mapping")
    spec, remarks = check(document.data, Path.cwd(), document, strict=False)
    file = absolute(calls / "pipeline.json")
    return Pipeline(file=file, spec=spec, source_text=document.text, remarks=tuple(map(_without_place, remarks)))


def _document(name: str, data: object) -> Document:
    text = json.dumps(data, indent=2)
    builder = Builder(name)
    parse(text, builder)
    return _Unplaced(name, text.encode(), builder.root, builder.marks)


def _without_place(remark: Problem) -> Problem:
    return Problem(remark.file, 0, 0, remark.path, remark.message)


def _step(
    subject: Subject,
    subjects: Mapping[str, Subject],
    wired: Wired,
    data: Mapping[tuple[str, str], Path],
    timeout: float,
) -> dict[str, Any]:
    spec = subject.spec
    step: dict[str, Any] = {
        "type": subject.type.value,
        "env": subject.env,
        "timeout": spec.timeout or timeout,
        "network": spec.network.value,
        "resources": spec.resources.model_dump(mode="json", exclude_none=True),
        "inputs": {port.key: _input(subject, subjects, port, wired, data) for port in subject.inputs.values()},
        "outputs": {port.key: {} if port.fixed else {"path": port.path} for port in subject.outputs.values()},
    }
    if subject.image is not None:
        step["image"] = subject.image
    if spec.entrypoint is not None:
        step["entrypoint"] = list(spec.entrypoint)
    if subject.script is not None:
        step["script"] = str(subject.script)
    if spec.source_dir is not None:
        step["source_dir"] = str(absolute(Path(spec.source_dir).expanduser()))
    if subject.arguments and not subject.is_called:
        step["hyperparameters" if subject.type is StepType.TRAINING else "args"] = subject.arguments
    return step


def _input(
    subject: Subject, subjects: Mapping[str, Subject], port: Port, wired: Wired, data: Mapping[tuple[str, str], Path]
) -> dict[str, Any]:
    at: dict[str, Any] = {} if port.fixed else {"path": port.path}
    if port.name in subject.expects:
        at["expects"] = subject.expects[port.name].model_dump(mode="json", by_alias=True, exclude_defaults=True)
    own = data.get((subject.node, port.name))
    if own is not None:
        return {"source": str(absolute(own)), **at}
    if port.name in wired.bound[subject.node]:
        source, output = wired.bound[subject.node][port.name]
        return {"from": f"{source}.{subjects[source].outputs[output].key}", **at}
    return {"source": str(absolute(Path(port.host).expanduser())), **at}


def _call(step: dict[str, Any], subject: Subject, calls: Path) -> None:
    """Have `main` called, by a program that lies in the container beside the four arguments."""
    if subject.script is None or isinstance(subject.arguments, list):
        raise TypeError("main() is called with job_args by name")
    training = subject.type is StepType.TRAINING
    code = "/opt/ml/code" if training else CODE
    call = {
        "script": f"{code}/{subject.script.name}",
        "input_paths": _told(subject.inputs),
        "output_paths": _told(subject.outputs),
        "environ_vars": subject.env,
        "job_args": {name.replace("-", "_"): value for name, value in subject.arguments.items()},
    }
    files = {"call.json": json.dumps(call, indent=2).encode(), _PROGRAM: Path(call_main.__file__).read_bytes()}
    if training:
        files |= {subject.script.name: subject.script.read_bytes()}
    directory = absolute(calls / subject.node)
    directory.mkdir(parents=True)
    for name, content in files.items():
        write_atomic(directory / name, content)
    if training:
        step |= {"source_dir": str(directory), "script": _PROGRAM}
    else:
        step["inputs"][_CALL] = {"source": str(directory)}
        step["entrypoint"] = ["python3", f"/opt/ml/processing/input/{_CALL}/{_PROGRAM}"]


def _told(ports: Mapping[str, Port]) -> dict[str, str]:
    """By every name that the script may look them up."""
    return {name: port.told for port in ports.values() for name in (*port.also, port.name)}
