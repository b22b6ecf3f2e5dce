"""Subjects and their wiring -> the same checked `Pipeline` that a pipeline file would give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.agent import call_main
from runner.errors import Problem
from runner.spec.builder import Builder
from runner.spec.document import Document, Mark, Place, absolute, shown
from runner.spec.fields import StepType
from runner.spec.jsontext import parse
from runner.spec.loader import check
from runner.spec.models import Pipeline
from runner.spec.mounts import CODE, INPUT_ROOT
from runner.testing.ports import Port
from runner.testing.specs import SpecFault
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
    file = absolute(Path(f"{name}.test.json"))
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
    directory = absolute(calls / subject.node)
    if subject.type is StepType.TRAINING or subject.spec.source_dir is not None:
        script = _copy_code(subject.script, step.get("source_dir"), directory)
        step |= {"source_dir": str(directory), "script": _PROGRAM}
    else:
        script = f"{CODE}/{subject.script.name}"
        directory.mkdir(parents=True)
        step["inputs"][_CALL] = {"source": str(directory)}
        step["entrypoint"] = ["python3", f"{INPUT_ROOT}/{_CALL}/{_PROGRAM}"]
    call = {
        "script": script,
        "input_paths": _told(subject.inputs),
        "output_paths": _told(subject.outputs),
        "environ_vars": subject.env,
        "job_args": {name.replace("-", "_"): value for name, value in subject.arguments.items()},
    }
    (directory / "call.json").write_text(json.dumps(call, indent=2), encoding="utf-8")
    shutil.copyfile(call_main.__file__, directory / _PROGRAM)


def _copy_code(script: Path, source_dir: str | None, directory: Path) -> str:
    """The script, and what lies in its source directory, to where the program that calls it can lie, too. Returns the
    script's path in it. Raises SpecFault."""
    if source_dir is None:
        directory.mkdir(parents=True)
        shutil.copyfile(script, directory / script.name)
        return script.name
    source = Path(source_dir)
    if not source.is_dir() or not script.is_relative_to(source):
        raise SpecFault(f"{shown(script)} is not below the source_dir {shown(source)}", remedy="Give its script_path.")
    if (source / _PROGRAM).exists() or (source / "call.json").exists():
        raise SpecFault(f"{shown(source)} has a '{_PROGRAM}' or 'call.json', which main() is called with: rename it")
    shutil.copytree(source, directory, ignore_dangling_symlinks=True)
    return str(script.relative_to(source))


def _told(ports: Mapping[str, Port]) -> dict[str, str]:
    """By every name that the script may look them up."""
    return {name: port.told for port in ports.values() for name in (*port.also, port.name)}
