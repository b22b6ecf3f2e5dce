"""Data and programs that are made for one test."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.data.files import remove_tree

_PREFIX = ".test-"
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
    try:
        yield made
    finally:
        if made.run_dir is not None and made.run_dir.exists() and any(made.folder.iterdir()):
            (made.folder / _RUN).write_text(str(made.run_dir), encoding="utf-8", errors="surrogateescape")
        else:
            remove_tree(made.folder)


def _sweep(workspace: Path) -> None:
    for note in workspace.glob(f"{_PREFIX}*/{_RUN}"):
        with contextlib.suppress(FileNotFoundError):  # another tester sweeps, too
            if not Path(note.read_text(encoding="utf-8", errors="surrogateescape")).exists():
                remove_tree(note.parent)
