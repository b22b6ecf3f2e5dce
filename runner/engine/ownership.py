"""Whose files they are, and taking them: for containers whose agent could not hand them back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.errors import EnvironmentFault


def has_foreign(path: Path) -> bool:
    """Whether anything at or below `path` belongs to somebody else, or cannot be looked at."""
    uid = os.getuid()
    try:
        below = (entry.stat(follow_symlinks=False).st_uid for entry in _walk(path))
        return path.lstat().st_uid != uid or any(owner != uid for owner in below)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # unreadable, or nested deeper than a path can say: root in a container gets there


def own(paths: Sequence[Path]) -> None:
    """As root: take ownership on the host. Raises EnvironmentFault."""
    uid, gid = os.getuid(), os.getgid()
    try:
        for path in paths:
            os.chown(path, uid, gid, follow_symlinks=False)
            for entry in _walk(path):
                os.chown(entry.path, uid, gid, follow_symlinks=False)
    except OSError as error:
        raise EnvironmentFault(f"ownership of {paths[0]} could not be taken: {error.strerror}") from error


def _walk(path: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below, without recursion: a script may nest deeper than Python's stack."""
    pending = [str(path)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
