"""The outputs of several instances as one: on SageMaker they upload to the same place.

Two hosts may write the same path. SageMaker's later upload wins, whichever that is (and of a training job AWS says that
names must not clash). Here the first host's file is kept, and a warning names the path; files that are equal are none.
"""

from __future__ import annotations

import collections
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from runner.data.files import shortened
from runner.data.reading import PACK_LIMIT, Reading, check_fit, never
from runner.engine import trees
from runner.engine.trees import Folder

_SHOWN = 5
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class _Union:
    target: Path
    first: str
    reading: Reading
    owners: dict[str, str] = field(default_factory=dict)
    """Host by relative path, of what did not come from the first host."""
    clashes: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, the host whose file is kept, the other."""

    def clash(self, path: str, standing: str, host: str) -> None:
        """`standing` is the path of what was there before."""
        self.clashes.append((path, self.owners.get(standing, self.first), host))


def unite(name: str, parts: Sequence[tuple[str, Path]], target: Path, stopped: Callable[[], bool] = never) -> list[str]:
    """Move what each host left, in the order of `parts` (host and directory), to the empty directory `target`.

    Nothing is copied. Returns warnings. Raises OSError, Unfit for a path that can be no output, and Stopped.
    """
    (first, origin), *others = parts
    collections.deque(trees.walk(origin, open_up=True), maxlen=0)  # others must be able to lay something into each
    origin.rename(target)
    union = _Union(target, first, Reading(stopped))
    for host, part in others:
        for folder in trees.walk(part, open_up=True):
            if not folder.leaving:
                _take(union, folder, host)
    return _warnings(name, union.clashes)


def _take(union: _Union, folder: Folder, host: str) -> None:
    """What lies in one directory of a host's. Only regular files are published, so nothing else can clash."""
    union.reading.count()
    here = folder.path
    files = [(entry, entry.stat(follow_symlinks=False)) for entry in folder.entries]
    for entry, status in files:
        if stat.S_ISREG(status.st_mode):
            check_fit(f"{here}/{entry.name}" if here else entry.name, status, PACK_LIMIT)
    if len(os.fsencode(here)) > PACK_LIMIT or (folder.folders and not files):
        return
    place = _enter(union, folder.names, host)
    if isinstance(place, str):
        for entry, status in files:
            if stat.S_ISREG(status.st_mode):
                union.clash(f"{here}/{entry.name}", place, host)
        return
    try:
        for entry, status in files:
            _place(union, folder, place, entry.name, status, host)
    finally:
        os.close(place)


def _enter(union: _Union, names: Sequence[str], host: str) -> int | str:
    """The directory of that path in the union, open, made where it is missing; or the path of a file in its way.

    Symlinks are never followed: a script chose where they point.
    """
    here = os.open(union.target, _FLAGS)
    for depth, name in enumerate(names, 1):
        path = "/".join(names[:depth])
        standing = _mode(name, here)
        if standing is not None and stat.S_ISREG(standing):
            os.close(here)
            return path
        if standing is None or not stat.S_ISDIR(standing):
            if standing is not None:
                os.unlink(name, dir_fd=here)  # a link or the like, which would not be published
            os.mkdir(name, dir_fd=here)
            union.owners[path] = host
        below = os.open(name, _FLAGS, dir_fd=here)
        os.close(here)
        here = below
    return here


def _place(union: _Union, folder: Folder, place: int, name: str, status: os.stat_result, host: str) -> None:
    relative = "/".join([*folder.names, name])
    standing, regular = _mode(name, place), stat.S_ISREG(status.st_mode)
    if standing is None or (regular and not stat.S_ISREG(standing) and not stat.S_ISDIR(standing)):
        os.rename(name, name, src_dir_fd=folder.descriptor, dst_dir_fd=place)
        union.owners[relative] = host
    elif regular and (stat.S_ISDIR(standing) or not _alike(union, folder.descriptor, place, name)):
        union.clash(relative, relative, host)


def _mode(name: str, directory: int) -> int | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _alike(union: _Union, mine: int, there: int, name: str) -> bool:
    with _open(mine, name) as one, _open(there, name) as other:
        same = os.fstat(one.fileno()).st_size == os.fstat(other.fileno()).st_size
        return same and union.reading.sha256(one) == union.reading.sha256(other)


def _open(directory: int, name: str) -> FileIO:
    """A script may have taken even its owner's right to read a file."""
    if not os.access(name, os.R_OK, dir_fd=directory):
        os.chmod(name, stat.S_IRUSR | stat.S_IWUSR, dir_fd=directory)
    return FileIO(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory))


def _warnings(name: str, clashes: Sequence[tuple[str, str, str]]) -> list[str]:
    found = [
        f"output '{name}': {shortened(path)} was written by {kept} and {other}: that of {kept} is kept"
        " (on SageMaker the later upload wins)"
        for path, kept, other in clashes[:_SHOWN]
    ]
    more = len(clashes) - _SHOWN
    return [*found, f"output '{name}': and {more} more paths that two hosts wrote"] if more > 0 else found
