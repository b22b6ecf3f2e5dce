"""Images by their magic, with height and width from their headers."""

from __future__ import annotations

import struct
from dataclasses import replace

from runner.data.formats.contents import DataFile
from runner.data.tables import FileSchema, Format

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)
_SEARCHED = 1 << 20
_END = 1 << 16


def image_kind(head: bytes) -> str | None:
    """`png`, `jpeg`, `gif`, `bmp`, `webp`, `tiff`, or None."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADERS:
        return "bmp"
    return None


_BMP_HEADERS = {struct.pack("<I", size) for size in (12, 40, 52, 56, 64, 108, 124)}


def read_image(file: DataFile, kind: str) -> FileSchema:
    """Height and width where the header tells them, and whether a png or jpeg lacks its end."""
    data = file.head if file.compression else file.at(0, _SEARCHED)
    try:
        shape = _SHAPES[kind](data)
    except (struct.error, IndexError):
        shape = None
    return replace(
        file.base,
        format=Format.IMAGE,
        shape=shape,
        complete=shape is not None,
        fault=_fault(file, kind) or (None if shape else "its header is cut or broken: no height and width"),
        details={"kind": kind},
    )


def _fault(file: DataFile, kind: str) -> str | None:
    mark = {"png": b"IEND", "jpeg": b"\xff\xd9"}.get(kind)
    if mark is None or file.compression:
        return None
    end = file.at(max(0, file.size - _END), _END)
    return None if mark in end else f"half-written: this {kind} lacks its end mark"


def _png(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def _gif(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return height, width


def _bmp(data: bytes) -> tuple[int, int] | None:
    if data[14:18] == struct.pack("<I", 12):
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(height), width  # a negative height: the first row is the top


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return ((bits >> 14) & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """From the first frame header; segments before it are passed over."""
    place = 2
    while place + 9 < len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # filling
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return height, width
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    """From the first directory, where it lies near the beginning."""
    order = "<" if data[:2] == b"II" else ">"
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, place)
    found: dict[int, int] = {}
    for number in range(count):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", data, place + 2 + 12 * number)
        if tag in (256, 257):
            (found[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, place + 10 + 12 * number)
    return (found[257], found[256]) if len(found) == 2 else None


_SHAPES = {"png": _png, "gif": _gif, "bmp": _bmp, "webp": _webp, "jpeg": _jpeg, "tiff": _tiff}
