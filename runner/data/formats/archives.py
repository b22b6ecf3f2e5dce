"""Tar archives: the names in them, without unpacking a member to the disk."""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from typing import Any

from runner.data.formats.contents import Content, Damaged, DataFile, Limits
from runner.data.tables import FileSchema, Format

_MOST = 1000
_MOST_COUNTED = 1_000_000
_BUDGET = 256
"""Times the budget: bytes that are unpacked and passed over for the names behind them."""
_KEPT = 1 << 16
_LARGEST = 16 << 20


class _Forward:
    """A packed stream for `tarfile`, which goes forward, and back by no more than it has just read."""

    def __init__(self, content: Content, budget: int | None) -> None:
        self._content, self._budget, self._buffer, self._start = content, budget, b"", 0
        self._at = 0
        self.stopped = False

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (self._at if whence == os.SEEK_CUR else 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST:
            raise Damaged(f"has a header of {size:,} bytes")
        while self._start + len(self._buffer) < self._at + size:
            data = self._content.read(_KEPT)
            if not data:
                break
            if self._budget is not None and self._content.position > self._budget:
                self.stopped = True
                raise Damaged("the budget is used up")
            drop = max(0, min(len(self._buffer), self._at - self._start - _KEPT))
            self._buffer, self._start = self._buffer[drop:] + data, self._start + drop
        begin = self._at - self._start
        if begin < 0:
            raise Damaged("leads back to what was passed")
        data = self._buffer[begin : begin + size]
        self._at += len(data)
        return data

    def finish(self) -> None:
        """Read on to the end, which tells whether the packed stream is whole. Raises Damaged."""
        for _ in range(_LARGEST // _KEPT):
            if not self._content.read(_KEPT):
                return


def is_tar(head: bytes) -> bool:
    """By the magic, or for archives older than it by the checksum of the first header."""
    if len(head) < tarfile.BLOCKSIZE:
        return False
    if head[257:262] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def read_tar(file: DataFile, limits: Limits) -> FileSchema:
    """The first thousand names, and how many there are. A packed one is read only as far as the budget goes."""
    budget = None if limits.whole or not file.compression else limits.budget * _BUDGET
    stream: Any = _Forward(file.content(), budget) if file.compression else file.raw()
    names: list[str] = []
    count, size, fault = 0, 0, None
    try:
        with tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape") as archive:
            for member in archive:
                vars(archive)["members"] = []  # tarfile remembers every member otherwise
                count, size = count + 1, size + member.size
                if count <= _MOST:
                    names.append(member.name)
                if count == _MOST_COUNTED:
                    break
        fault = _end_fault(file, stream)
    except Damaged as error:
        fault = None if getattr(stream, "stopped", False) else str(error)
    except (tarfile.TarError, EOFError, ValueError) as error:
        fault = f"half-written or broken: {error}"
    complete = fault is None and not getattr(stream, "stopped", False) and count < _MOST_COUNTED
    more = "" if complete else " at least"
    details = {"members": f"{count:,}{more}", "bytes unpacked": f"{size:,}{more}"}
    return replace(file.base, format=Format.TAR, members=tuple(names), complete=complete, fault=fault, details=details)


def _end_fault(file: DataFile, stream: object) -> str | None:
    """An archive ends with blocks of zeros; `tarfile` takes an end at a member's border for one, too."""
    if isinstance(stream, _Forward):
        stream.finish()
        return None
    end = file.at(max(0, file.size - tarfile.BLOCKSIZE), tarfile.BLOCKSIZE)
    return "half-written: it lacks the zeros that end a tar archive" if end.strip(b"\0") else None
