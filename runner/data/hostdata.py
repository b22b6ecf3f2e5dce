"""A directory of the user's that a step reads in place: what can be said of it without reading a file.

It is not copied, so nothing keeps the user from changing it while the step runs. Two looks tell whether that happened:
names, sizes and times of change, one `lstat` for each file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from runner.data.files import shortened

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the directory of an input."""

    name: str
    root: Path
    state: str
    """Digest of every relative path with its size, its time of change in nanoseconds, and a link's target."""
    outside: tuple[str, ...]
    """Links that lead out of the directory, sorted."""

    def warning(self) -> str | None:
        """Names links that a container cannot follow, since it has the directory alone, elsewhere."""
        if not self.outside:
            return None
        shown = ", ".join(f"'{shortened(link)}'" for link in self.outside[:_SHOWN])
        more = len(self.outside) - _SHOWN
        tail = f" and {more} more" if more > 0 else ""
        one = len(self.outside) == 1
        what = f"link {shown} points" if one else f"links {shown}{tail} point"
        return f"{what} outside of input {self.name} and cannot be followed in the container"

    def change(self) -> str | None:
        """Looks again; one sentence if anything is different now."""
        if look(self.name, self.root).state == self.state:
            return None
        return f"input {self.name} changed on the host while the step ran"


def look(name: str, root: Path) -> Look:
    """Never raises: what this user may not see is noted as such, since the container may."""
    state = hashlib.sha256()
    outside: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        for child in _children(root, folder):
            state.update(b"%d:%s %s\n" % (len(os.fsencode(child.path)), os.fsencode(child.path), child.facts))
            if child.target is not None and _leads_out(folder, child.target):
                outside.append(child.path)
            if child.folder:
                pending.append(child.path)
    return Look(name, root, state.hexdigest(), tuple(sorted(outside, key=os.fsencode)))


@dataclass(frozen=True, slots=True)
class _Child:
    path: str
    facts: bytes
    target: str | None = None
    folder: bool = False


def _children(root: Path, folder: str) -> list[_Child]:
    """Sorted, since a directory has no order."""
    try:
        with os.scandir(root / folder) as entries:
            return sorted((_child(entry, folder) for entry in entries), key=lambda child: os.fsencode(child.path))
    except OSError as error:
        return [_Child(folder, b"unseen %d" % (error.errno or 0))]


def _child(entry: os.DirEntry[str], folder: str) -> _Child:
    path = f"{folder}/{entry.name}" if folder else entry.name
    if entry.is_dir(follow_symlinks=False):
        return _Child(path, b"directory", folder=True)
    status = entry.stat(follow_symlinks=False)
    target = str(Path(entry.path).readlink()) if entry.is_symlink() else None
    return _Child(path, b"%d %d %s" % (status.st_size, status.st_mtime_ns, os.fsencode(target or "")), target)


def _leads_out(folder: str, target: str) -> bool:
    """By its text alone: an absolute one names a place of the container's."""
    whole = os.path.normpath(os.path.join(folder, target))  # noqa: PTH118  # pathlib keeps `..`
    return target.startswith("/") or whole == ".." or whole.startswith("../")
