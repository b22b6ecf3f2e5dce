"""Brings what a passed script wrote to where its spec wants it, and cleans up behind a test."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from runner.data.files import os_fault, remove_tree
from runner.pipeline.events import StepResult
from runner.pipeline.layout import RunLayout
from runner.spec.document import absolute
from runner.testing.execution import discard
from runner.testing.specs import SpecFault

DELIVERED = ".delivered"
"""Directory of a workspace with a list for each output directory: what a test delivered there, so that the next one may
remove it. Not beside the outputs, where the next script would find it."""


def ledger(workspace: Path, target: Path) -> Path:
    """The list of an output directory. Locked while it changes."""
    return workspace / DELIVERED / f"{hashlib.sha256(os.fsencode(absolute(target))).hexdigest()[:32]}.json"


def deliver(layout: RunLayout, result: StepResult, output_paths: dict[str, str], workspace: Path) -> dict[str, str]:
    """Copy each output to its host path; returns by name where it is.

    Files there that have the same name are written over. All others of the user's own stay; of an earlier delivery
    those go that are no longer written, unless somebody has changed them since.

    Raises WorkspaceError, and SpecFault where a file is in the way.
    """
    delivered = {}
    for name in result.outputs:
        wanted = output_paths.get(name, "").strip()
        source = layout.step(result.step).output(name)
        if not wanted:
            continue
        target = Path(wanted).expanduser()
        if target.exists() and not target.is_dir():
            raise SpecFault(f"output '{name}' of '{result.step}' cannot go to {target}: that is a file")
        try:
            _replace(source, target, ledger(workspace, target))
        except OSError as error:
            raise os_fault(error, target, f"cannot deliver output '{name}' of '{result.step}'") from error
        delivered[name] = str(target)
    return delivered


def _replace(source: Path, target: Path, known: Path) -> None:
    """One at a time: two testers may have the same output directory."""
    target.mkdir(parents=True, exist_ok=True)
    known.parent.mkdir(parents=True, exist_ok=True)
    with known.open("a+", encoding="utf-8") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.seek(0)
        _forget_earlier(target, mark.read())
        written: dict[str, Any] = {}
        try:
            for directory, _, files in os.walk(source):
                below = Path(directory).relative_to(source)
                (target / below).mkdir(parents=True, exist_ok=True)
                for file in files:
                    _copy(Path(directory) / file, target / below / file)
                    written[str(below / file)] = _state(target / below / file)
        finally:  # also after an interruption: the next delivery must know of these
            mark.truncate(0)
            json.dump(written, mark)


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _state(file: Path) -> list[int]:
    """By which a file that was changed since can be told."""
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _forget_earlier(target: Path, text: str) -> None:
    """Remove what an earlier test delivered and nobody has changed since: a file that is no longer written must not
    look as if it were."""
    try:
        known: dict[str, Any] = json.loads(text or "{}")
    except ValueError:
        known = {}  # torn by a kill: what nobody knows to be ours stays
    for name, state in known.items():
        file = target / name
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if _state(file) == state:
                file.unlink()
                _prune(file.parent, target)


def _prune(directory: Path, root: Path) -> None:
    """Remove a directory and those above it that are empty now."""
    with contextlib.suppress(OSError):  # not empty
        while directory != root:
            directory.rmdir()
            directory = directory.parent


def clean(layout: RunLayout, *, passed: bool, keep_outputs: bool) -> bool:
    """Remove what a test leaves in its run directory; returns whether all of it is gone.

    Of a failed test the logs and results stay. Raises WorkspaceError.
    """
    try:
        if passed and not keep_outputs:
            discard(layout.root)
            return True
        for step in sorted((layout.root / "steps").iterdir()):
            spared = {"outputs", "attempt"} if keep_outputs else set()
            for bulky in {"outputs", "attempt", "inputs", "scratch"} - spared:
                remove_tree(step / bulky)
    except OSError as error:
        raise os_fault(error, layout.root, "cannot clean up behind a test") from error
    return False
