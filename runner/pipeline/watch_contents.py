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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runner.data.digests import Mark, mark_of
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


class Enter(Protocol):
    """Hears of each directory before it is listed, so that what comes into it later can be noticed, and of each link
    that is followed: what it leads to counts, wherever that is."""

    def __call__(self, path: Path, *, link: bool) -> None: ...


Contents = dict[str, str]
"""By relative name (of a file: `""`) what tells its content from another's."""


def of_an_editor(name: str) -> bool:
    """Whether a file is what an editor leaves beside the one that it edits (vim, emacs, JetBrains, gedit, Kate)."""
    return _EDITORS.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: Mark
    digest: str
    sure: bool


class Reader:
    """Reads contents; a file whose stamps are the same as before is not read again."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._linked: set[Watched] = set()

    def read(self, item: Watched, leave_out: frozenset[Path], enter: Enter) -> Contents | None:
        """None: there is nothing. `leave_out`: real paths. Never raises: what cannot be read is content of its own
        kind."""
        self._linked.discard(item)

        def entered(path: Path, *, link: bool) -> None:
            if link:
                self._linked.add(item)
            enter(path, link=link)

        if item.path.is_dir():
            files = _named(item, entered) if item.names else _tree(item, leave_out, entered)
            return {relative: self._digest(path, item.role) for relative, path in files}
        if not os.path.lexists(item.path):
            return None
        return {"": self._digest(str(item.path), Role.CODE)}

    def again(self, item: Watched, before: Contents, files: Iterable[tuple[Path, str]]) -> Contents | None:
        """As `read`, where only these files (directory and name) may differ from `before`; None: it takes a whole look,
        as where one of them is, or may have been, a directory, or may be what a link leads to."""
        if item in self._linked:
            return None
        after = dict(before)
        for folder, name in files:
            path = folder / name
            if not path.is_relative_to(item.path) or path == item.path:
                return None
            relative = str(path.relative_to(item.path))
            if path.is_dir() or (relative not in before and not path.is_file()):
                return None
            if os.path.lexists(path):
                after[relative] = self._digest(str(path), item.role)
            else:
                after.pop(relative, None)
        return after

    def _digest(self, path: str, role: Role) -> str:
        try:
            status = os.stat(path, follow_symlinks=role is not Role.DATA)  # noqa: PTH116  # there are many
            if stat.S_ISLNK(status.st_mode):
                return f"link to {os.readlink(path)}"  # noqa: PTH115  # as it was written
            if not stat.S_ISREG(status.st_mode):
                return f"no file, {stat.S_IFMT(status.st_mode)}"
            return f"{status.st_mode & 0o111}:{self._file(path, status)}"
        except OSError as error:
            return f"cannot be read, {error.errno}"

    def _file(self, path: str, status: os.stat_result) -> str:
        stamp = mark_of(status)
        if status.st_size > LIMIT:
            return f"large, {stamp[2:4]}"
        seen = self._seen.get(path)
        if seen is None or not seen.sure or seen.stamp != stamp:
            began = time.time()
            with open(path, "rb") as stream:  # noqa: PTH123
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            seen = self._seen[path] = _Seen(stamp, digest, status.st_ctime + _COARSE < began)
        return seen.digest


def _named(item: Watched, enter: Enter) -> Iterator[tuple[str, str]]:
    enter(item.path, link=False)
    return ((entry.name, entry.path) for entry in _entries(str(item.path)) if not passed_over(item, entry.name))


def _tree(item: Watched, leave_out: frozenset[Path], enter: Enter) -> Iterator[tuple[str, str]]:
    """Relative name and path of every file below, each real directory once."""
    code = item.role is not Role.DATA
    entered, pending = {str(path) for path in leave_out}, [""]
    while pending:
        folder = pending.pop()
        place = f"{item.path}/{folder}" if folder else str(item.path)
        real = os.path.realpath(place)
        if real in entered:
            continue
        entered.add(real)
        enter(Path(place), link=False)
        for entry in _entries(place):
            relative = f"{folder}/{entry.name}" if folder else entry.name
            if passed_over(item, entry.name):
                continue
            if code and entry.is_symlink():
                enter(Path(entry.path), link=True)
            if _is_dir(entry, follow=code):
                pending.append(relative)
            else:
                yield relative, entry.path


def _is_dir(entry: os.DirEntry[str], *, follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:  # a link that leads in a circle
        return False


def passed_over(item: Watched, name: str) -> bool:
    """Whether what has this name in a directory of the item is no part of it."""
    if item.names:
        return not name.endswith(item.names)
    return (item.role is not Role.DATA and name in LEFT_OUT) or of_an_editor(name)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """None of a directory that is gone, or that this user may not list."""
    try:
        with os.scandir(folder) as found:
            return list(found)
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
