"""Data and programs that are made for one test."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.data.files import remove_tree

_PREFIX = ".test-"
_FRESH = 10.0
"""Seconds: between the making of a directory and its lock there is a moment."""
_RUN = "run"
"""File that names the run directory whose `reproduce.sh` needs what lies beside it."""


@dataclass
class Scratch:
    """A hidden directory of the workspace."""

    folder: Path
    run_dir: Path | None = None
    """Where this directory is needed as long as that one is there."""


@contextlib.contextmanager
def scratch(workspace: Path) -> Iterator[Scratch]:
    """A directory that is gone at the end, unless a run directory needs it: then a later test removes it, once that
    one is gone. Raises OSError."""
    workspace.mkdir(parents=True, exist_ok=True)
    _sweep(workspace)
    made = Scratch(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=workspace)))
    lock = os.open(made.folder, os.O_RDONLY | os.O_DIRECTORY)  # gone with the process, however that ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield made
    finally:
        os.close(lock)
        if made.run_dir is not None and made.run_dir.exists() and any(made.folder.iterdir()):
            (made.folder / _RUN).write_text(str(made.run_dir), encoding="utf-8", errors="surrogateescape")
        else:
            remove_tree(made.folder)


def _sweep(workspace: Path) -> None:
    for folder in workspace.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # another tester sweeps, too
            if not _is_needed(folder):
                remove_tree(folder)


def _is_needed(folder: Path) -> bool:
    """By its run directory; one of a tester that lives is locked, or was made just now."""
    note = folder / _RUN
    if note.exists():
        return Path(note.read_text(encoding="utf-8", errors="surrogateescape")).exists()
    if time.time() - folder.stat().st_mtime < _FRESH:
        return True
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
