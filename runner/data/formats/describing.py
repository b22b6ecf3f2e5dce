"""Looks at one file, or at all files below a directory, and never fails: what is wrong is told in the result."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from runner.data.files import shortened
from runner.data.formats.archives import read_tar
from runner.data.formats.arrays import read_npy, read_zip
from runner.data.formats.contents import HEAD, Damaged, DataFile, Limits, Raw, compression_of
from runner.data.formats.delimited import read_delimited
from runner.data.formats.detect import Claim, Found, claim_of, disagreement, found_in
from runner.data.formats.dialect import Dialect
from runner.data.formats.images import read_image
from runner.data.formats.jsons import read_json, read_jsonl
from runner.data.formats.libsvm import read_libsvm
from runner.data.formats.parquet import read_parquet
from runner.data.formats.pickles import read_pickle
from runner.data.formats.plain import read_text, read_unknown
from runner.data.tables import FileSchema, Format
from runner.engine import trees

BUDGET = 1 << 20
"""Bytes, unpacked, of the first part of a sample."""
MOST_FILES = 1000
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def describe(path: Path, *, root: Path, whole: bool = False, budget: int = BUDGET) -> FileSchema:
    """What the file at `path` is; its `path` in the result is relative to `root`, a directory above it.

    Reads the first `budget` bytes (unpacked; some 10,000 rows at most) and, of a text that is not packed, some blocks
    further on; with `whole` all of it, in pieces. Memory is bounded either way. A symlink is followed only to a file
    below `root`; nothing but a regular file is opened. Raises nothing: whatever is wrong is the result's `fault`. A
    name that is not UTF-8 is kept as Python has it (surrogates), so that it can be opened again.
    """
    name = _relative(path, root)
    try:
        return _described(path, root, name, Limits(whole, max(1, budget)))
    except OSError as error:
        return _unread(name, f"cannot be read: {error.strerror or error}")
    except Exception as error:  # whatever a file holds, the others must still be told
        return _unread(name, f"could not be looked into: {type(error).__name__}: {error}")


def describe_tree(root: Path, *, whole: bool = False, limit: int = MOST_FILES) -> tuple[FileSchema, ...]:
    """Every file below `root`, sorted by path, `describe`d each; symlinks to directories are not entered.

    What may not be entered is one result each, with a `fault`. Where there are more than `limit` files, the first by
    path are looked at, and a last result, of the path `.`, says in `fault` how many were not. Raises nothing.
    """
    shut: list[OSError] = []
    count = 0

    def names() -> Iterator[str]:
        nonlocal count
        for name in _files(root, shut):
            count += 1
            yield name

    try:
        chosen = heapq.nsmallest(limit, names(), key=os.fsencode)
    except OSError as error:
        return (_unread(".", f"cannot be looked into: {error.strerror or error}"),)
    found = [describe(root / name, root=root, whole=whole) for name in chosen]
    found += [_unread(_relative(Path(error.filename), root), f"may not be entered: {error.strerror}") for error in shut]
    found.sort(key=lambda schema: os.fsencode(schema.path))
    if count > limit:
        words = f"holds {count - limit:,} more files, which were not looked at (the first {limit:,} by path were)"
        found.append(replace(_unread(".", words), details={"files": f"{count:,}"}))
    return tuple(found)


def _files(root: Path, shut: list[OSError]) -> Iterator[str]:
    for folder in trees.walk(root, shut=shut):
        for entry in folder.entries:
            yield f"{folder.path}/{entry.name}" if folder.names else entry.name


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name


def _unread(name: str, fault: str, size: int = 0, details: dict[str, str] | None = None) -> FileSchema:
    return FileSchema(path=name, size=size, format=Format.UNKNOWN, fault=fault, details=details or {})


def _described(path: Path, root: Path, name: str, limits: Limits) -> FileSchema:
    status = path.lstat()
    details: dict[str, str] = {}
    if stat.S_ISLNK(status.st_mode):
        details["symlink to"] = shortened(path.readlink())
    inside, real = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    if not real.is_relative_to(inside):
        target = f" to {details['symlink to']}" if details else ""
        return _unread(name, f"is, or lies behind, a symlink{target} that leads out of the directory: not followed")
    status = real.stat()
    if not stat.S_ISREG(status.st_mode):
        return _unread(name, f"is {_kind(status.st_mode)}: not read", details=details)
    # Not blocking, should it be a FIFO by now; `real` has no link in it, and none that came since is followed.
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return _unread(name, f"is {_kind(status.st_mode)}: not read", details=details)
        schema = _looked_into(_opened(descriptor, name, status.st_size), limits)
    finally:
        os.close(descriptor)
    return replace(schema, details={**details, **schema.details})


def _kind(mode: int) -> str:
    return next((words for test, words in _KINDS if test(mode)), "no regular file")


def _opened(descriptor: int, name: str, size: int) -> DataFile:
    """With its head, as far as it can be unpacked. Raises OSError."""
    raw = Raw(descriptor, size).read(HEAD)
    compression = compression_of(raw)
    base = FileSchema(path=name, size=size, format=Format.UNKNOWN, compression=compression)
    file = DataFile(descriptor, name.rpartition("/")[2], size, base)
    if compression is None:
        file.head = raw
        return file
    try:
        content = file.content()
        while len(file.head) < HEAD and (data := content.read(HEAD - len(file.head))):
            file.head += data
    except Damaged as error:
        file.damage = str(error)
    return file


def _looked_into(file: DataFile, limits: Limits) -> FileSchema:
    claim = claim_of(file.name)
    if file.damage and not file.head:
        return replace(read_unknown(file), format=claim.format or Format.UNKNOWN, fault=file.damage)
    found = found_in(file.head, claim.format, ended=len(file.head) < HEAD)
    try:
        schema = _read(file, found, claim, limits)
    except Damaged as error:
        schema = replace(file.base, format=found.format, encoding=found.encoding, fault=str(error))
    if schema.format is Format.JSON and schema.fault and claim.format is None and not schema.rows:
        schema = read_text(file, found.encoding or "utf-8", limits)  # it only began like JSON
    fault, note = disagreement(claim, schema.format, file.compression)
    if found.zipped and schema.fault:
        fault = None  # said already
    damage = None if file.damage is None or file.damage in (schema.fault or "") else file.damage
    faults = [each for each in (schema.fault, damage, fault) if each]
    details = {**schema.details, "name": note} if note else schema.details
    whole = schema.complete and not damage
    return replace(schema, fault="; ".join(faults) or None, details=details, complete=whole)


def _read(file: DataFile, found: Found, claim: Claim, limits: Limits) -> FileSchema:
    encoding = found.encoding or "utf-8"
    match found.format:
        case Format.EMPTY:
            return replace(file.base, format=Format.EMPTY, encoding=found.encoding, complete=True)
        case Format.CSV | Format.TSV:
            return read_delimited(file, encoding, found.dialect or Dialect(",", 1, True, 0), limits)
        case Format.JSON:
            return read_json(file, encoding, limits)
        case Format.JSONL:
            return read_jsonl(file, encoding, limits)
        case Format.LIBSVM:
            return read_libsvm(file, encoding, limits)
        case Format.TEXT:
            return read_text(file, encoding, limits)
        case Format.PICKLE:
            return read_pickle(file, limits)
        case Format.TAR:
            return read_tar(file, limits)
        case Format.NPY:
            return read_npy(file)
        case Format.IMAGE:
            return read_image(file, found.image or "")
        case Format.PARQUET if not file.compression:
            return read_parquet(file)
    if found.zipped and not file.compression:
        return read_zip(file, named_npz=claim.format is Format.NPZ)
    return replace(read_unknown(file), format=found.format)
