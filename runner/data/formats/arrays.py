"""NumPy's files by their headers alone; nothing in them is unpickled."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
from dataclasses import replace
from typing import Any

from runner.data.formats.contents import Damaged, DataFile
from runner.data.tables import Column, Family, FileSchema, Format

MAGIC = b"\x93NUMPY"
_HEADER = 1 << 16
_MOST_MEMBERS = 1000
_MOST_DETAILS = 50
_FAMILIES = {"b": Family.BOOL, "i": Family.INT, "u": Family.INT, "f": Family.FLOAT, "M": Family.DATETIME}
_MORE = {"m": Family.INT, "c": Family.FLOAT, "U": Family.STRING, "S": Family.BINARY, "V": Family.BINARY}
_BROKEN = (ValueError, TypeError, SyntaxError, RecursionError, tokenize.TokenError, Damaged)
"""What numpy raises for a header that is none."""
_OBJECTS = "holds pickled Python objects, which `numpy.load` refuses without allow_pickle"


def read_npy(file: DataFile) -> FileSchema:
    """Shape and type; columns of a structured array. A file with fewer bytes than its header says is half-written."""
    base = replace(file.base, format=Format.NPY)
    try:
        shape, dtype, offset, order = _header(file.head)
    except _BROKEN as error:
        return replace(base, fault=f"its header is broken: {error}".splitlines()[0])
    details = {"dtype": str(dtype), "order": order}
    if dtype.hasobject:
        details["objects"] = _OBJECTS
    wanted = offset + math.prod(shape) * dtype.itemsize
    short = not dtype.hasobject and file.compression is None and file.size < wanted
    return replace(
        base,
        shape=shape,
        columns=_columns(dtype) if dtype.names else None,
        rows=shape[0] if dtype.names and len(shape) == 1 else None,
        complete=not short,
        fault=f"half-written: its header says {wanted:,} bytes, and it has {file.size:,}" if short else None,
        details=details,
    )


def _header(data: bytes) -> tuple[tuple[int, ...], Any, int, str]:
    """Shape, dtype, where the data begins, and `C` or `Fortran`. Raises ValueError and Damaged."""
    from numpy.lib import format as npy

    stream = io.BytesIO(data[:_HEADER])
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise Damaged(f"its version {version[0]}.{version[1]} is unknown")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if version == (3, 0) and dtype.names:  # its names are UTF-8
        dtype.names = tuple(name.encode("latin-1").decode() for name in dtype.names)
    return tuple(shape), dtype, stream.tell(), "Fortran" if fortran else "C"


def _columns(dtype: Any) -> tuple[Column, ...]:
    return tuple(Column(name=name, family=_family(dtype[name])) for name in dtype.names)


def _family(dtype: Any) -> Family:
    if dtype.shape or dtype.names or dtype.hasobject:
        return Family.NESTED
    return _FAMILIES.get(dtype.kind) or _MORE.get(dtype.kind, Family.BINARY)


def read_zip(file: DataFile, *, named_npz: bool) -> FileSchema:
    """An npz if all it holds are arrays; else a zip archive, with the names in it."""
    base = replace(file.base, format=Format.NPZ if named_npz else Format.UNKNOWN)
    try:
        with zipfile.ZipFile(file.raw()) as archive:
            names = archive.namelist()
            arrays = bool(names) and all(name.endswith(".npy") for name in names)
            if not arrays:
                fault = "has members that are no arrays" if named_npz else None
                shown = {"kind": "zip archive", "members": f"{len(names):,}"}
                return replace(base, members=tuple(names[:_MOST_MEMBERS]), complete=True, details=shown, fault=fault)
            details, fault = _members(archive, names)
    except (zipfile.BadZipFile, Damaged, ValueError, NotImplementedError) as error:
        return replace(base, fault=f"half-written or broken: {error}", details={"kind": "zip archive"})
    members = tuple(name.removesuffix(".npy") for name in names[:_MOST_MEMBERS])
    return replace(base, format=Format.NPZ, members=members, complete=fault is None, fault=fault, details=details)


def _members(archive: zipfile.ZipFile, names: list[str]) -> tuple[dict[str, str], str | None]:
    """The type and shape of each array, and what is wrong with one."""
    details: dict[str, str] = {}
    for name in names[:_MOST_DETAILS]:
        plain = name.removesuffix(".npy")
        try:
            with archive.open(name) as member:
                shape, dtype, _, _ = _header(member.read(_HEADER))
        except (zipfile.BadZipFile, RuntimeError, EOFError, *_BROKEN) as error:
            return details, f"its array {plain!r} is broken: {str(error).splitlines()[0]}"
        details[plain] = f"{dtype} {shape}" + (f": {_OBJECTS}" if dtype.hasobject else "")
    return details, None
