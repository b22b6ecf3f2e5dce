"""A file's bytes, as they lie there or unpacked: in pieces of a given size, however large the whole."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from runner.data.tables import FileSchema

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD = 1 << 16
"""Bytes that tell the format."""
INSTALL = "cannot be looked into: install run-pipeline[parquet]"
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BITS = {"gzip": 16 + zlib.MAX_WBITS, "zlib": zlib.MAX_WBITS}
_XZ_MEMORY = 80 << 20
"""Bytes. `xz -9` needs 65 MiB; a header may ask for 4 GiB."""
_BOMB_SIZE, _BOMB_RATIO = 1 << 28, 100
_PIECE = 16 << 20
"""No single read of a structure (a directory of an archive, a header) may be larger."""


class Damaged(Exception):
    """What a file holds is not whole, or is not to be read further; `str()` says why, in words."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file is read."""

    whole: bool
    budget: int
    """Bytes, unpacked, of the sample's first part."""
    rows: int = 10_000


class Readable(Protocol):
    """What every way of unpacking offers."""

    def read(self, size: int, /) -> bytes: ...


class Raw(io.RawIOBase):
    """A descriptor's bytes from the beginning, with a position of its own; no read is larger than `_PIECE`."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size, self._position = descriptor, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise Damaged("points to a place before its beginning")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self._descriptor, min(len(view), _PIECE), self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        """Shorter than asked for only at the end, as the readers of archives expect."""
        wanted = self._size - self._position if size < 0 else min(size, max(0, self._size - self._position) + 1)
        if wanted > _PIECE:
            raise Damaged(f"has a part of {wanted:,} bytes where a directory or header should stand")
        pieces: list[bytes] = []
        while wanted > 0 and (data := os.pread(self._descriptor, wanted, self._position)):
            pieces.append(data)
            self._position += len(data)
            wanted -= len(data)
        return b"".join(pieces)


class Content:
    """The bytes of a file from its beginning, unpacked.

    Raises Damaged where the packed stream is broken, ends early, or unpacks to so much more than its size that it can
    be no data, and OSError.
    """

    def __init__(self, raw: Raw, size: int, compression: str | None) -> None:
        self._raw, self._size, self._packed = raw, size, compression is not None
        self._stream: Readable = raw if compression is None else _unpacker(raw, compression)
        self._name = compression
        self.position = 0
        """Bytes given so far."""

    def read(self, size: int) -> bytes:
        """At most so many bytes; none only at the end."""
        with _in_words(self._name):
            data = self._stream.read(size)
        self.position += len(data)
        if self._packed and self.position > max(_BOMB_SIZE, _BOMB_RATIO * self._size):
            raise Damaged(
                f"unpacks to more than {self.position >> 20:,} MiB, {self.position // max(1, self._size):,} times its "
                "size: not read further"
            )
        return data

    def total(self) -> int:
        """Bytes of the whole; of a packed file an estimate by the part that was read."""
        if not self._packed:
            return self._size
        return round(self.position * self._size / max(1, min(self._raw.tell(), self._size)))


@contextmanager
def _in_words(name: str | None) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise Damaged(f"half-written: its {name} stream ends in the middle") from error
    except (zlib.error, lzma.LZMAError, ValueError) as error:
        raise Damaged(f"its {name} stream is broken: {error}") from error
    except OSError as error:
        if error.errno is None and "Truncated" in str(error):  # pyarrow
            raise Damaged(f"half-written: its {name} stream ends in the middle") from error
        if error.errno is None:  # bz2 and pyarrow say so of data that they cannot unpack
            raise Damaged(f"its {name} stream is broken: {error}") from error
        raise


class _Chained:
    """Unpacks bz2 or xz with bounded memory, also several streams in a row."""

    def __init__(self, raw: Raw, start: Callable[[], Any]) -> None:
        self._raw, self._start, self._unpacker, self._rest = raw, start, start(), b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._unpacker.eof:
                self._rest = (self._unpacker.unused_data or self._raw.read(HEAD)).lstrip(b"\0")
                if not self._rest:
                    return b""
                self._unpacker = self._start()
            elif self._unpacker.needs_input and not self._rest:
                self._rest = self._raw.read(HEAD)
                if not self._rest:
                    raise EOFError
            data = self._unpacker.decompress(self._rest, size)
            self._rest = b""
            if data:
                return cast(bytes, data)


class _Zlib:
    """gzip, also several streams in a row; or what joblib writes with `compress=3`, zlib without a container.

    `gzip.GzipFile` would give nothing of what stands before a place where the stream was cut.
    """

    def __init__(self, raw: Raw, bits: int) -> None:
        self._raw, self._bits, self._unpacker, self._rest = raw, bits, zlib.decompressobj(bits), b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._unpacker.eof:
                self._rest = (self._unpacker.unused_data or self._raw.read(HEAD)).lstrip(b"\0")
                if not self._rest:
                    return b""
                self._unpacker = zlib.decompressobj(self._bits)
            self._rest = self._rest or self._raw.read(HEAD)
            data = self._unpacker.decompress(self._rest, size)
            if not data and not self._rest and not self._unpacker.eof:
                raise EOFError
            self._rest = self._unpacker.unconsumed_tail
            if data:
                return data


class _Zstd:
    """The standard library's from Python 3.14 on, else pyarrow's; Damaged where there is neither."""

    def __init__(self, raw: Raw) -> None:
        try:
            from compression import zstd  # type: ignore[import-not-found]  # Python 3.14
        except ImportError:
            self._stream = _arrow_zstd(raw)
        else:
            self._stream = zstd.ZstdFile(raw)

    def read(self, size: int, /) -> bytes:
        return cast(bytes, self._stream.read(size))


def _arrow_zstd(raw: Raw) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise Damaged(f"is compressed with zstd and {INSTALL}, or use Python 3.14") from error
    return pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, mode="r"), "zstd")


def _unpacker(raw: Raw, compression: str) -> Readable:
    if compression in _BITS:
        return _Zlib(raw, _BITS[compression])
    if compression == "bz2":
        return _Chained(raw, bz2.BZ2Decompressor)
    if compression == "xz":
        return _Chained(raw, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY))
    return _Zstd(raw)


@dataclass
class DataFile:
    """A regular file that is open, and what is known of it already."""

    descriptor: int
    name: str
    """The last part of its path, which may say what it claims to be."""
    size: int
    base: FileSchema
    """Path, size and compression; a reader adds the rest."""
    head: bytes = b""
    """Its first bytes, unpacked; fewer than HEAD only where that is all, or where `damage` says more."""
    damage: str | None = None
    details: dict[str, str] = field(default_factory=dict)

    @property
    def compression(self) -> str | None:
        """As FileSchema's."""
        return self.base.compression

    def raw(self) -> Raw:
        """Its bytes as they lie there."""
        return Raw(self.descriptor, self.size)

    def content(self) -> Content:
        """Its bytes unpacked, from the beginning. Raises Damaged where nothing here can unpack them."""
        return Content(self.raw(), self.size, self.compression)

    def at(self, offset: int, size: int) -> bytes:
        """At most so many bytes from a place in the file as it lies there."""
        return os.pread(self.descriptor, size, offset)


def compression_of(raw: bytes) -> str | None:
    """By the first bytes; zlib has too short a magic, and counts only where a pickle follows."""
    for magic, name in _MAGIC.items():
        if raw.startswith(magic):
            return name
    if raw[:1] == b"\x78" and len(raw) > 2 and int.from_bytes(raw[:2], "big") % 31 == 0:
        try:
            return "zlib" if zlib.decompressobj().decompress(raw, 1) == b"\x80" else None
        except zlib.error:
            return None
    return None
