"""Whose files they are, and taking them: for containers whose agent could not hand them back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runner.engine import trees
from runner.errors import EnvironmentFault


def has_foreign(root: Path) -> bool:
    """Whether anything at or below `root` belongs to another user than the one who runs this.

    A directory of this user's that a script shut is opened; one that stays shut counts as another's.
    """
    user = os.geteuid()
    try:
        return any(_is_foreign(folder, user) for folder in trees.walk(root, open_up=True))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def own(paths: Sequence[Path]) -> None:
    """As root: take ownership on the host. Raises EnvironmentFault."""
    uid, gid = os.getuid(), os.getgid()
    try:
        for path in paths:
            for folder in trees.walk(path):
                os.fchown(folder.descriptor, uid, gid)
                for entry in folder.entries:
                    os.chown(entry.name, uid, gid, dir_fd=folder.descriptor, follow_symlinks=False)
    except OSError as error:
        raise EnvironmentFault(f"ownership of {paths[0]} could not be taken: {error.strerror}") from error


def _is_foreign(folder: trees.Folder, user: int) -> bool:
    if folder.leaving:
        return False
    owners = (entry.stat(follow_symlinks=False).st_uid for entry in folder.entries)
    return os.fstat(folder.descriptor).st_uid != user or any(owner != user for owner in owners)
