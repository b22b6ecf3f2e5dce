"""Brings what a passed script wrote to where its spec wants it, and cleans up behind a test."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from runner.data.files import os_fault, remove_tree
from runner.pipeline.events import StepResult
from runner.pipeline.layout import RunLayout
from runner.testing.specs import SpecFault

MARK = ".run-pipeline-delivered"
"""In a directory that holds nothing but what an earlier test delivered: it may be replaced."""


def deliver(layout: RunLayout, result: StepResult, output_paths: dict[str, str]) -> dict[str, str]:
    """Copy each output to its host path; returns by name where it is. Files of the user's own there stay; of an earlier
    delivery those stay, too, that were written over since.

    Raises WorkspaceError, and SpecFault where a file is in the way.
    """
    delivered = {}
    for name in result.outputs:
        wanted = output_paths.get(name, "").strip()
        source = layout.step(result.step).output(name)
        if not wanted:
            continue
        target = Path(wanted)
        if target.exists() and not target.is_dir():
            raise SpecFault(f"output '{name}' of '{result.step}' cannot go to {target}: that is a file")
        try:
            _replace(source, target)
        except OSError as error:
            raise os_fault(error, target, f"cannot deliver output '{name}' of '{result.step}'") from error
        delivered[name] = str(target)
    return delivered


def _replace(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _forget_earlier(target)
    written = []
    for directory, _, files in os.walk(source):
        below = Path(directory).relative_to(source)
        (target / below).mkdir(parents=True, exist_ok=True)
        for file in files:
            temporary = target / below / f".{file}.part"
            shutil.copyfile(Path(directory) / file, temporary)
            temporary.replace(target / below / file)
            written.append(_line(target / below / file, below / file))
    (target / MARK).write_text("".join(written), encoding="utf-8", errors="surrogateescape")


def _line(file: Path, name: Path) -> str:
    stat = file.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {name}\n"


def _forget_earlier(target: Path) -> None:
    """Remove what an earlier test delivered and nobody has changed since: a file that is no longer written must not
    look as if it were."""
    try:
        lines = (target / MARK).read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
    except FileNotFoundError:
        return
    for line in lines:
        name = line.rstrip("\n").split(" ", 2)[2]
        with contextlib.suppress(FileNotFoundError):
            if _line(target / name, Path(name)) == line:
                (target / name).unlink()


def clean(layout: RunLayout, *, passed: bool, keep_outputs: bool) -> bool:
    """Remove what a test leaves in its run directory; returns whether all of it is gone.

    Of a failed test the logs and results stay. Raises WorkspaceError.
    """
    try:
        if passed and not keep_outputs:
            remove_tree(layout.root)
            return True
        for step in sorted((layout.root / "steps").iterdir()):
            spared = {"outputs", "attempt"} if keep_outputs else set()
            for bulky in {"outputs", "attempt", "inputs", "scratch"} - spared:
                remove_tree(step / bulky)
    except OSError as error:
        raise os_fault(error, layout.root, "cannot clean up behind a test") from error
    return False
