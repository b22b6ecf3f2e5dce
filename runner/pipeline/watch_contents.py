"""What watched files hold, such that two looks can be compared: content decides, not times.

Contents of code are read as a step's code is laid out: links are followed, and what is left out there is left out
here. In data links are text, as in the container. Left out are also the run directories, what steps keep, and what
editors leave beside a file while it is edited.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.data.materialise import LEFT_OUT
from runner.pipeline.watched import Role, Watched

LIMIT = 16 << 20
"""Bytes: a larger file is not read, and counts as another when its size or its time is."""
_COARSE = 0.05
"""Seconds: file systems stamp changes with a clock that ticks. What is younger than this when it is read may change
again without another stamp."""
_EDITORS = re.compile(r"\..*\.sw[a-z]{1,2}|4913|.*~|\.#.*|#.*#|.*___jb_(tmp|old)___|\.goutputstream-.*|.*\.kate-swp")
_LINKS = 40
"""As many as the kernel follows."""

Contents = dict[str, str]
"""By relative name (of a file: `""`) what tells its content from another's."""


def of_an_editor(name: str) -> bool:
    """Whether a file is what an editor leaves beside the one that it edits (vim, emacs, JetBrains, gedit, Kate)."""
    return _EDITORS.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: tuple[int, ...]
    digest: str
    sure: bool


class Reader:
    """Reads contents; a file whose stamps are the same as before is not read again."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def read(self, item: Watched, leave_out: frozenset[Path], enter: Callable[[Path], None]) -> Contents | None:
        """None: there is nothing. `enter` hears of each directory before it is listed, so that what comes into it later
        can be noticed. `leave_out`: real paths. Never raises: what cannot be read is content of its own kind."""
        if item.path.is_dir():
            files = self._named(item, enter) if item.names else _tree(item, leave_out, enter)
            return {relative: self._digest(path, item.role) for relative, path in files}
        if not os.path.lexists(item.path):
            return None
        return {"": self._digest(item.path, Role.CODE)}

    def _named(self, item: Watched, enter: Callable[[Path], None]) -> Iterator[tuple[str, Path]]:
        enter(item.path)
        return ((name, item.path / name) for name in _names(item.path) if name.endswith(item.names))

    def _digest(self, path: Path, role: Role) -> str:
        try:
            status = path.lstat() if role is Role.DATA else path.stat()
            if stat.S_ISLNK(status.st_mode):
                return f"link to {os.readlink(path)}"  # noqa: PTH115  # as it was written
            if not stat.S_ISREG(status.st_mode):
                return f"no file, {stat.S_IFMT(status.st_mode)}"
            return f"{status.st_mode & 0o111}:{self._file(path, status)}"
        except OSError as error:
            return f"cannot be read, {error.errno}"

    def _file(self, path: Path, status: os.stat_result) -> str:
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size > LIMIT:
            return f"large, {stamp[2:4]}"
        seen = self._seen.get(str(path))
        if seen is None or not seen.sure or seen.stamp != stamp:
            began = time.time()
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            seen = self._seen[str(path)] = _Seen(stamp, digest, status.st_ctime + _COARSE < began)
        return seen.digest


def _tree(item: Watched, leave_out: frozenset[Path], enter: Callable[[Path], None]) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file below, each real directory once."""
    code = item.role is not Role.DATA
    entered, pending = set(leave_out), [""]
    while pending:
        folder = pending.pop()
        real = (item.path / folder).resolve()
        if real in entered:
            continue
        entered.add(real)
        enter(item.path / folder)
        for name in _names(item.path / folder):
            path = item.path / folder / name
            relative = f"{folder}/{name}" if folder else name
            if (code and name in LEFT_OUT) or of_an_editor(name):
                continue
            if path.is_dir() and (code or not path.is_symlink()):
                pending.append(relative)
            else:
                yield relative, path


def _names(folder: Path) -> list[str]:
    """Sorted; none of a directory that is gone, or that this user may not list."""
    try:
        return sorted(os.listdir(folder), key=os.fsencode)  # noqa: PTH208  # names, not paths
    except OSError:
        return []


def entries(path: Path, base: Path) -> Iterator[tuple[Path, str]]:
    """Each real directory, and the name in it, whose entry decides which file `path` is: links on the way, its own
    name, the first one that is missing, and what lies below `base`. `path` is absolute."""
    here, pending = Path(path.anchor), list(reversed(path.parts[1:]))
    real_base, links = base.resolve(), 0
    while pending:
        name = pending.pop()
        if name == "..":
            here = here.parent
            continue
        entry = here / name
        link = entry.is_symlink() and links < _LINKS
        if link or not pending or not os.path.lexists(entry) or here.is_relative_to(real_base):
            yield here, name
        if link:
            links += 1
            target = Path(os.readlink(entry))  # noqa: PTH115
            here = Path(target.anchor) if target.is_absolute() else here
            pending += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        elif not entry.is_dir():
            return
        else:
            here = entry
