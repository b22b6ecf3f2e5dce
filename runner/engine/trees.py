"""Walk and remove directory trees of any depth.

A script may leave a hundred thousand nested directories. Their path is longer than a system call takes (PATH_MAX, 4096
bytes), and Python's own `rmtree` and `fwalk` recurse and hold a descriptor for each level. Here every name is relative
to the one directory that is open, and the way back is `..`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Folder:
    """A directory in a walk. Its descriptor and its path hold until the walk goes on."""

    descriptor: int
    entries: list[os.DirEntry[str]]
    """What is no directory; usable only while the descriptor is, and none on the way back."""
    folders: list[str]
    """Names of the directories in it."""
    leaving: bool
    """Comes twice: before everything below it, and after."""
    names: list[str]
    identity: tuple[int, int]

    @property
    def path(self) -> str:
        """Relative to the root, with `/`; empty for the root itself."""
        return "/".join(self.names)


def walk(root: Path, *, open_up: bool = False, shut: list[OSError] | None = None) -> Iterator[Folder]:
    """Every directory from `root` down, parents first, and again on the way back. Symlinks are not followed.

    With `open_up` a directory of ours that its owner may not read or change becomes so first. Raises OSError; but with
    `shut` a directory that cannot be entered is passed over, and the error noted there.
    """
    names: list[str] = []
    descriptor = _open(root, names, root, None, open_up=open_up)
    try:
        stack = [_read(descriptor, names)]
        pending = [list(stack[0].folders)]
        yield stack[0]
        while stack:
            if pending[-1]:
                name = pending[-1].pop()
                try:
                    below = _open(root, names, name, descriptor, open_up=open_up)
                except OSError as error:
                    if shut is None:
                        raise
                    shut.append(error)
                    continue
                os.close(descriptor)
                descriptor = below
                names.append(name)
                stack.append(_read(descriptor, names))
                pending.append(list(stack[-1].folders))
                yield stack[-1]
                continue
            pending.pop()
            here = stack.pop()
            here.leaving, here.entries = True, []
            yield here
            if stack:
                above = _back(descriptor, stack[-1])
                os.close(descriptor)
                descriptor = stack[-1].descriptor = above
                names.pop()
    finally:
        os.close(descriptor)


def remove(root: Path) -> None:
    """Remove a tree, also when a script took its owner's permissions from directories.

    What cannot be removed does not save the rest. Raises the first OSError if anything is left.
    """
    errors: list[OSError] = []
    for folder in walk(root, open_up=True, shut=errors):
        call, names = (os.rmdir, folder.folders) if folder.leaving else (os.unlink, [e.name for e in folder.entries])
        for name in names:
            try:
                call(name, dir_fd=folder.descriptor)
            except OSError as error:
                place = root / folder.path / name
                errors.append(OSError(error.errno, error.strerror, str(place)))
    try:
        root.rmdir()
    except OSError as error:
        raise (errors or [error])[0] from error


def _open(root: Path, names: list[str], name: str | Path, within: int | None, *, open_up: bool) -> int:
    try:
        if open_up:
            _give_owner_all(name, within)
        return os.open(name, _FLAGS, dir_fd=within)
    except OSError as error:  # it names the last part of the path only
        place = root if within is None else root.joinpath(*names, name)
        raise OSError(error.errno, error.strerror, str(place)) from error


def _give_owner_all(name: str | Path, within: int | None) -> None:
    status = os.stat(name, dir_fd=within, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU and stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
        os.chmod(name, mode | stat.S_IRWXU, dir_fd=within)  # pathlib knows no dir_fd


def _read(descriptor: int, names: list[str]) -> Folder:
    entries: list[os.DirEntry[str]] = []
    folders: list[str] = []
    with os.scandir(descriptor) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                entries.append(entry)
    status = os.fstat(descriptor)
    return Folder(descriptor, entries, folders, False, names, (status.st_dev, status.st_ino))


def _back(descriptor: int, parent: Folder) -> int:
    above = os.open("..", _FLAGS, dir_fd=descriptor)
    status = os.fstat(above)
    if (status.st_dev, status.st_ino) != parent.identity:
        os.close(above)
        raise OSError(errno.ESTALE, "a directory was moved while its tree was walked")
    return above


def holds_something(directory: Path) -> bool:
    """Whether any file lies below `directory`, at any depth; stops at the first. What is shut counts as empty."""
    if not directory.is_dir():
        return False
    return any(folder.entries for folder in walk(directory, shut=[]))
