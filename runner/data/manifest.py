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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runner.data.files import printable

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
        shown = [f"{printable(s.path)} ({s.kind})" for s in self.skipped[:_SHOWN]]
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


def scan(root: Path) -> Manifest:
    """Describe the tree below a directory. Memory grows with the number of files, never with their size.

    A file or directory of ours that its owner may not read is made readable to the owner first. Raises OSError.
    """
    found: list[Entry] = []
    skipped: list[Skipped] = []
    for item in _walk(root, ""):
        if isinstance(item, Skipped):
            skipped.append(item)
        else:
            found.append(_entry(root, item))
    return Manifest(_sorted(found), _sorted(skipped))


def file_manifest(path: Path) -> Manifest:
    """The manifest of a directory that holds this one file."""
    return Manifest((_entry(path.parent, path.name),), ())


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sorted(items: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(sorted(items, key=lambda item: os.fsencode(item.path)))


def _entry(root: Path, relative: str) -> Entry:
    path = root / relative
    status = path.lstat()
    if not status.st_mode & stat.S_IRUSR and status.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
    return Entry(relative, status.st_size, sha256(path))


def _walk(root: Path, relative: str) -> Iterator[str | Skipped]:
    """Relative paths of regular files, and what is skipped. Iterative: a deep tree must not exhaust the stack."""
    pending = [relative]
    while pending:
        folder = pending.pop()
        path = root / folder
        _open_up(path)
        with os.scandir(path) as entries:
            children = list(entries)
        if not children and folder:
            yield Skipped(folder, "empty directory")
        for child in children:
            below = f"{folder}/{child.name}" if folder else child.name
            if child.is_dir(follow_symlinks=False):
                pending.append(below)
            elif child.is_file(follow_symlinks=False):
                yield below
            else:
                yield _special(child, below)


def _special(child: os.DirEntry[str], relative: str) -> Skipped:
    mode = child.stat(follow_symlinks=False).st_mode
    kind = next((name for test, name in _KINDS if test(mode)), "special file")
    return Skipped(relative, kind, str(Path(child.path).readlink()) if kind == "symlink" else None)


def _open_up(folder: Path) -> None:
    status = folder.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU and status.st_uid == os.geteuid():
        folder.chmod(mode | stat.S_IRWXU)
