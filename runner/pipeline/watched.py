"""Which files of the user's a pipeline is made from, and which steps each of them touches."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import SpecError
from runner.pipeline.plan import Plan, PlannedStep
from runner.sagemaker.job import HostData, SentCode
from runner.spec.document import absolute, read
from runner.spec.execution import SUFFIX
from runner.spec.models import host_path


class Role(enum.StrEnum):
    """What a file is to the pipeline."""

    PIPELINE = "pipeline file"
    SPECS = "specs"
    CODE = "code"
    DATA = "data"
    SCHEMA = "schema"
    NAMED = "named by a file that cannot be loaded"


@dataclass(frozen=True, slots=True)
class Watched:
    """A file, or a directory with all that is in it."""

    path: Path
    """Absolute; links in it stay."""
    role: Role
    steps: tuple[str, ...] = ()
    """The steps that it touches. None: it says what the steps are, so the pipeline is loaded anew."""
    names: str = ""
    """Of a directory of which only these files count, and none of its directories: what their names end with."""


def watched(plan: Plan, specs: Path | None = None) -> tuple[Watched, ...]:
    """All that the steps of a plan are made from, each path once for each role, in the order of the plan."""
    steps: dict[tuple[Path, Role], dict[str, None]] = {}
    for step in plan.steps:
        for path, role in _parts(step):
            steps.setdefault((path, role), {})[step.name] = None
    found = (Watched(path, role, tuple(names)) for (path, role), names in steps.items())
    return (*definitions(plan.file, specs), *found)


def definitions(file: Path, specs: Path | None = None) -> tuple[Watched, ...]:
    """What says what the steps are."""
    found = [Watched(absolute(file), Role.PIPELINE)]
    if specs is not None:
        found.append(Watched(absolute(specs), Role.SPECS, names=SUFFIX if specs.is_dir() else ""))
    return tuple(found)


def named(file: Path) -> tuple[Watched, ...]:
    """What a pipeline file names, as far as it can be read: where it cannot be loaded, one of these may be the reason.
    Empty where it is no document at all."""
    try:
        data = read(file).data
    except SpecError:
        return ()
    steps = data.get("steps") if isinstance(data, dict) else None
    root = absolute(file).parent
    found = [path for step in _mappings(steps) for path in _named(root, step)]
    return tuple(Watched(path, Role.NAMED) for path in dict.fromkeys(found))


def kept(plan: Plan) -> frozenset[Path]:
    """Directories that the steps themselves write: what changes there is no one's save."""
    return frozenset(Path(step.job.checkpoints) for step in plan.steps if step.job.checkpoints is not None)


def _parts(step: PlannedStep) -> Iterator[tuple[Path, Role]]:
    for item in step.job.inputs:
        if isinstance(item.source, HostData):
            yield Path(item.source.path), Role.DATA
        elif isinstance(item.source, SentCode):
            yield Path(item.source.path), Role.CODE
    for each in step.expected:
        if each.expects.schema_ is not None:
            yield from _schema(each.modules, each.expects.schema_)


def _schema(root: Path, schema: str) -> Iterator[tuple[Path, Role]]:
    """The module of a pandera schema, where it lies beside the pipeline file; one that is installed is not watched."""
    top = root / schema.partition(":")[0].partition(".")[0]
    if top.is_dir():
        yield top, Role.SCHEMA
    elif (file := top.with_name(f"{top.name}.py")).is_file():
        yield file, Role.SCHEMA


def _mappings(data: object) -> Iterable[dict[str, object]]:
    return [value for value in data.values() if isinstance(value, dict)] if isinstance(data, dict) else []


def _named(root: Path, step: dict[str, object]) -> Iterator[Path]:
    base, folder = root, step.get("source_dir")
    if isinstance(folder, str):
        base = host_path(root, folder)
        yield base
    script, inputs = step.get("script"), step.get("inputs")
    if isinstance(script, str):
        yield host_path(base, script)
    for given in inputs.values() if isinstance(inputs, dict) else ():
        source = given.get("source") if isinstance(given, dict) else given
        if isinstance(source, str):
            yield host_path(root, source)
