"""The host directory that a training step keeps its checkpoints in: the only one that a script may change in place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from runner.errors import Problem
from runner.spec.document import shown
from runner.spec.draft import Draft
from runner.spec.models import StepSpec, host_path, script_path

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def problems(draft: Draft) -> Iterator[Problem]:
    """A place that cannot be written, or that something else reads or writes too."""
    seen: dict[Path, str] = {}
    for name, step in draft.spec.steps.items():
        if step.checkpoints is None:
            continue
        message = _fault(draft.root, step.checkpoints)
        if not message:
            place = _resolved(draft.root, step.checkpoints)
            message = _shared(place, seen) or _read(draft, place)
            seen[place] = name
        if message:
            yield draft.problem(name, ("checkpoints",), message)


def _fault(root: Path, written: str) -> str:
    """Why the directory cannot be had, or an empty text."""
    if _URL.match(written):
        return f"'{written}': checkpoints are kept in a local directory; give its path"
    path = host_path(root, written)
    try:
        if root.resolve().is_relative_to(path.resolve()):
            return f"'{written}' holds the pipeline file itself; give a directory of its own"
        there = next(place for place in (path, *path.parents) if os.path.lexists(place))
        if not there.is_dir():
            what = "is a file" if there.exists() else "is a link to nothing"
            return f"'{written}': {shown(there)} {what}, where a directory is needed"
        if not os.access(there, os.W_OK | os.X_OK):
            return f"'{written}': {shown(there)} may not be written by this user; give another directory, or chown it"
    except (OSError, RuntimeError) as error:
        return f"'{written}' cannot be used: {error.strerror if isinstance(error, OSError) else error}"
    return ""


def _shared(place: Path, seen: dict[Path, str]) -> str:
    for other, owner in seen.items():
        if _overlap(place, other):
            return f"{shown(place)} is where step '{owner}' keeps its checkpoints ({shown(other)}); give each its own"
    return ""


def _read(draft: Draft, place: Path) -> str:
    """Inputs and code are read in place or copied: their source must not change under a step."""
    for name, step in draft.spec.steps.items():
        for what, source in _sources(draft.root, step):
            if _overlap(place, source):
                return f"{shown(place)} overlaps with {what} of step '{name}' ({shown(source)}), which must not change"
    return ""


def _sources(root: Path, step: StepSpec) -> Iterator[tuple[str, Path]]:
    for port, given in step.inputs.items():
        if given.source is not None and not _URL.match(given.source):
            yield f"input '{port}'", _resolved(root, given.source)
    code = host_path(root, step.source_dir) if step.source_dir is not None else script_path(root, step)
    if code is not None:
        yield "the code", code.resolve()


def _resolved(root: Path, written: str) -> Path:
    return host_path(root, written).resolve()


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
