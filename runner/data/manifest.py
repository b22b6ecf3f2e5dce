"""What a tree of files holds: path, size and SHA-256 of each file, and one digest for the whole.

Only regular files count, as in S3. Symlinks, FIFOs, sockets and devices are neither followed nor published, and a
directory that holds no file has no trace in S3 either: all of them are listed in `skipped` with the reason.

Names are bytes on Linux. In the JSON form `path` is for reading (bytes that are not UTF-8 become U+FFFD), and an entry
whose name is not UTF-8 has `path_base64` beside it, the exact bytes: valid for every JSON reader, and lossless.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runner.data.files import shortened
from runner.data.reading import KEY_LIMIT, Reading, check_fit, never
from runner.engine.trees import walk

_SHOWN = 5
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "symlink"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISBLK, "block device"),
    (stat.S_ISCHR, "character device"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file; `path` is relative, with `/`, decoded with surrogateescape; `size` in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something below the root that is not published."""

    path: str
    kind: str
    """`symlink`, `FIFO`, `socket`, `block device`, `character device` or `empty directory`."""
    target: str | None = None
    """Where a symlink points."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Both tuples are sorted by the bytes of the path."""

    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)

    @property
    def digest(self) -> str:
        """`sha256:` of the lines `<sha256> <length of path in bytes>:<path>` of all entries, each ended by a newline.

        The length keeps any two trees apart, whatever bytes their names hold. Sizes follow from the digests.
        """
        whole = hashlib.sha256()
        for entry in self.entries:
            path = os.fsencode(entry.path)
            whole.update(b"%s %d:%s\n" % (entry.sha256.encode(), len(path), path))
        return f"sha256:{whole.hexdigest()}"

    def to_json(self) -> dict[str, object]:
        files = [{**named(e.path), "size": e.size, "sha256": e.sha256} for e in self.entries]
        skipped = [_skipped_json(s) for s in self.skipped]
        return {**self.summary(), "entries": files, "skipped": skipped}

    def summary(self) -> dict[str, object]:
        return {"files": len(self.entries), "bytes": self.size, "digest": self.digest}

    def warning(self, output: str) -> str | None:
        """One sentence that names what is not published; None when there is nothing of the kind."""
        if not self.skipped:
            return None
        shown = [f"{shortened(s.path)} ({s.kind})" for s in self.skipped[:_SHOWN]]
        more = len(self.skipped) - len(shown)
        tail = f" and {more} more" if more else ""
        return f"output '{output}': not published, as S3 holds files only: {', '.join(shown)}{tail}"


def named(path: str) -> dict[str, object]:
    """A file name for JSON: see the top of this module."""
    raw = os.fsencode(path)
    try:
        return {"path": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path": raw.decode("utf-8", "replace"), "path_base64": base64.b64encode(raw).decode("ascii")}


_Item = TypeVar("_Item", Entry, Skipped)


def _skipped_json(item: Skipped) -> dict[str, object]:
    target = {} if item.target is None else {"target": named(item.target)["path"]}
    return {**named(item.path), "kind": item.kind, **target}


def scan(root: Path, stopped: Callable[[], bool] = never, longest: int = KEY_LIMIT) -> Manifest:
    """Describe the tree below a directory. Memory grows with the number of files, never with their size.

    A file or directory of ours that its owner may not read is made readable to the owner first. `longest` is the limit
    of a file's relative path, in bytes. Raises OSError, Unfit for what can be no output, and Stopped.
    """
    found: list[Entry] = []
    skipped: list[Skipped] = []
    reading = Reading(stopped)
    for folder in walk(root, open_up=True):
        if folder.leaving:
            continue
        reading.count()
        inside = f"{folder.path}/" if folder.entries and folder.names else ""
        if not folder.entries and not folder.folders and folder.names:
            skipped.append(Skipped(folder.path, "empty directory"))
        for entry in folder.entries:
            if entry.is_file(follow_symlinks=False):
                found.append(_entry(folder.descriptor, entry.name, inside + entry.name, reading, longest))
            else:
                skipped.append(_special(folder.descriptor, entry, inside + entry.name))
    return Manifest(_sorted(found), _sorted(skipped))


def file_manifest(path: Path, stopped: Callable[[], bool] = never) -> Manifest:
    """The manifest of a directory that holds this one file. Raises OSError, Stopped."""
    with path.open("rb") as stream:
        digest, size = Reading(stopped).sha256(stream)
    return Manifest((Entry(path.name, size, digest),), ())


def _sorted(items: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(sorted(items, key=lambda item: os.fsencode(item.path)))


def _entry(folder: int, name: str, relative: str, reading: Reading, longest: int) -> Entry:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    check_fit(relative, status, longest)
    if not status.st_mode & stat.S_IRUSR and status.st_uid == os.geteuid():
        os.chmod(name, stat.S_IMODE(status.st_mode) | stat.S_IRUSR, dir_fd=folder)
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123  # pathlib opens no descriptor
        digest, size = reading.sha256(stream)
    return Entry(relative, size, digest)


def _special(folder: int, child: os.DirEntry[str], relative: str) -> Skipped:
    mode = child.stat(follow_symlinks=False).st_mode
    kind = next((name for test, name in _KINDS if test(mode)), "special file")
    target = os.readlink(child.name, dir_fd=folder) if kind == "symlink" else None
    return Skipped(relative, kind, target)
