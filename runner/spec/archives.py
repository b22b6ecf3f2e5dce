"""A source archive, as `source_dir: code.tar.gz` names one: what it holds, and what in it is refused.

It is unpacked on this machine and in the step's container, so nothing in it may lie, or point, outside of it. The work
is bounded: by the number of members and by the bytes that it unpacks to.
"""

from __future__ import annotations

import functools
import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.spec.members import DIRECTORY, FILE, LINK, Members, parents
from runner.spec.scalar import described

SUFFIXES = (".tar.gz", ".tgz")
MOST_MEMBERS = 100_000
MOST_BYTES = 1 << 30
"""Unpacked. Far above any code; reading as much takes some seconds."""
_AGAIN = "pack it again: tar -czf code.tar.gz -C DIRECTORY ."


class Unfit(Exception):
    """An archive that cannot be used; `str()` goes on after its name."""


def is_archive(text: str) -> bool:
    """Whether a `source_dir` of this name is an archive: by its ending alone, as its reader would say."""
    return text.lower().endswith(SUFFIXES)


def files(path: Path) -> frozenset[str]:
    """The relative path of every file in the archive. Raises Unfit, and OSError."""
    status = path.stat()
    return _files(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _files(path: Path, _changed: int, _size: int) -> frozenset[str]:
    """Several steps may name one archive: it is read once."""
    with opened(path) as archive:
        return frozenset(name for name, member in checked(archive) if not member.isdir())


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive as a stream. What goes wrong while it is read raises Unfit; OSError when it cannot be opened."""
    with path.open("rb") as raw:
        try:
            with (
                gzip.GzipFile(fileobj=raw) as unpacked,
                tarfile.open(fileobj=_bounded(unpacked), mode="r|", errors="surrogateescape") as archive,
            ):
                yield archive
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise Unfit(f"is no gzip-compressed tar archive, or a damaged one ({error}); {_AGAIN}") from error


def _bounded(stream: gzip.GzipFile) -> Any:
    return _Bounded(stream)  # tarfile needs no more than `read`, but says so to no type checker


class _Bounded:
    """Reads no more than an archive may hold, so that a small file cannot unpack to any size."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream, self._left = stream, MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Unfit(f"unpacks to more than {MOST_BYTES >> 20} MiB; leave data out of it, and give it as an input")
        return data


def checked(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Relative path and member, one after the other, each when it is known to stay inside, and to lie beside those
    before it. Raises Unfit."""
    members = Members()
    for number, member in enumerate(archive, 1):
        archive.members = []  # type: ignore[attr-defined]  # tarfile remembers every member otherwise
        if number > MOST_MEMBERS:
            raise Unfit(f"has more than {MOST_MEMBERS:,} members; leave data out of it, and give it as an input")
        name = posixpath.normpath(member.name)
        kind = DIRECTORY if member.isdir() else LINK if member.issym() else FILE
        message = _outside(member, members) or members.fault(name, kind)
        if message:
            raise Unfit(f"has the member {described(member.name)}, {message}; {_AGAIN}")
        if name != ".":
            yield name, member


def _outside(member: tarfile.TarInfo, members: Members) -> str:
    """Why a member may not be unpacked, or an empty text. `members` came before it."""
    path = posixpath.normpath(member.name)
    if "\0" in member.name or not member.name:
        return "whose name is none"
    if member.name.startswith("/"):
        return "an absolute path"
    if ".." in member.name.split("/"):
        return "whose '..' leads out of the archive"
    if _behind_link(path, members):
        return "which lies behind a link"
    if member.issym():
        return _leads_out(member.linkname, posixpath.dirname(path))
    if member.islnk():
        target = posixpath.normpath(member.linkname)
        return _leads_out(member.linkname, "") or _no_file(path, target, members)
    return "" if member.isreg() or member.isdir() else "which is a device or a FIFO"


def _leads_out(target: str, directory: str) -> str:
    """A '..' after another name is refused too: that name may be a link, and '..' then leads somewhere else."""
    if target.startswith("/"):
        return f"a link to the absolute path {described(target)}"
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    depth = len([part for part in directory.split("/") if part])
    if ups > depth or ".." in parts[ups:]:
        return f"a link to {described(target)}, which leads out of the archive"
    return ""


def _no_file(path: str, target: str, members: Members) -> str:
    """Why the target of a hard link is none."""
    if members.kind(target) == LINK or _behind_link(target, members):
        return f"a hard link to the link {described(target)}"
    if members.kind(target) != FILE or target == path:
        return f"a hard link to {described(target)}, and no file of that name comes before it"
    return ""


def _behind_link(path: str, members: Members) -> bool:
    return any(members.kind(parent) == LINK for parent in parents(path))
