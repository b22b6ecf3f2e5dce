"""Reading what a script left, as much as that may be: in pieces, and no further once a stop is asked for.

A file may claim any size and hold next to nothing: `truncate -s 2T` takes an instant to write, an hour to read, and
S3 would take every byte of it. So a file that claims more than `HOLLOW_SIZE` and more than `HOLLOW_RATIO` times what it
has on disk is refused. Smaller ones with holes are read like any other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO

from runner.data.files import shortened

HOLLOW_SIZE = 64 << 30
"""Bytes. A minute or two of hashing; far above what a local test makes."""
HOLLOW_RATIO = 8
"""Above what a file system's own compression leaves unsaid of real data."""
KEY_LIMIT = 1024
"""Bytes of UTF-8 in an S3 object key; a longer path cannot be uploaded."""
PACK_LIMIT = 3072
"""Bytes of a path inside an archive: what the system can open below a run directory (PATH_MAX is 4096)."""
_CHUNK = 1 << 20
_BETWEEN = 64 << 20
_PER_FILE = 64 << 10


class Stopped(Exception):
    """A stop was asked for while files were being read."""


class Unfit(Exception):
    """What lies there can be no output; `str()` says why, in words."""


def never() -> bool:
    """No stop is asked for."""
    return False


class Reading:
    """Counts what is read, and looks about every `_BETWEEN` bytes whether to go on: what takes a moment is finished."""

    def __init__(self, stopped: Callable[[], bool] = never) -> None:
        self._stopped = stopped
        self._unchecked = 0

    def count(self, size: int = _PER_FILE) -> None:
        """Note that so many bytes were read, or one more name. Raises Stopped."""
        self._unchecked += size
        if self._unchecked >= _BETWEEN:
            self._unchecked = 0
            if self._stopped():
                raise Stopped

    def sha256(self, stream: BinaryIO) -> tuple[str, int]:
        """Hexadecimal SHA-256 of the rest of a stream, and its size in bytes. Raises Stopped, OSError."""
        self.count()
        whole, size, buffer = hashlib.sha256(), 0, bytearray(_CHUNK)
        view = memoryview(buffer)
        while read := stream.readinto(buffer):  # type: ignore[attr-defined]  # every binary file has it
            whole.update(view[:read])
            size += read
            self.count(read)
        return whole.hexdigest(), size

    def guard(self, stream: BinaryIO) -> Guarded:
        """The same stream, for one who reads it alone."""
        return Guarded(stream, self)


class Guarded:
    """A stream whose every read may raise Stopped."""

    def __init__(self, stream: BinaryIO, reading: Reading) -> None:
        self._stream, self._reading = stream, reading

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._reading.count(len(data))
        return data


def check_fit(path: str, status: os.stat_result, longest: int) -> None:
    """Raises Unfit for a file that claims far more than it has, or whose relative path is too long."""
    length = len(os.fsencode(path))
    if length > longest:
        limit = f"{longest} (S3's limit for a key)" if longest == KEY_LIMIT else str(longest)
        raise Unfit(f"the path of a file has {length} bytes and may have {limit}: {shortened(path)}")
    there = status.st_blocks * 512
    if status.st_size > HOLLOW_SIZE and status.st_size > HOLLOW_RATIO * there:
        raise Unfit(
            f"{shortened(path)} claims {status.st_size:,} bytes and has {there:,} on disk: "
            "it is nearly all hole, which S3 would store in full"
        )
