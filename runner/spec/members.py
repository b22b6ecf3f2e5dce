"""The members of a tar archive by their names: which of them no file system can take together.

What unpacks them would meet it half-way; by name alone it is known before anything starts. Pure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from posixpath import dirname

from runner.spec.scalar import described

DIRECTORY, FILE, LINK = "directory", "file", "link"
_LONGEST = 255
"""Bytes of one name (NAME_MAX of every usual file system)."""


class Members:
    """Those that came so far, in the archive's order. The last of several files of one name counts, as for tar."""

    def __init__(self) -> None:
        self._kinds = {".": DIRECTORY}

    def kind(self, path: str) -> str | None:
        return self._kinds.get(path)

    def fault(self, path: str, kind: str) -> str:
        """Take one more in, or say why it cannot be; goes on after its name. `path` is relative and normal."""
        if "\0" in path or any(len(os.fsencode(part)) > _LONGEST for part in path.split("/")):
            return "whose name no file system takes"
        for parent in parents(path):
            found = self._kinds.setdefault(parent, DIRECTORY)
            if found != DIRECTORY:
                return f"which lies below {described(parent)}, a {found}"
        before = self._kinds.get(path, kind)
        if before != kind and DIRECTORY in (before, kind):
            return f"a {kind} where it also has a {before}"
        self._kinds[path] = kind
        return ""


def parents(path: str) -> Iterator[str]:
    """Of a relative path, the nearest first."""
    while path := dirname(path):
        yield path
