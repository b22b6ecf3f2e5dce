"""Durable and exact file operations, and how file names of any kind are shown."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from pathlib import Path

from runner.agent.copying import reflink
from runner.engine import trees
from runner.engine.ownership import has_foreign
from runner.errors import WorkspaceError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_TEMPORARY = ".part"
_LINE = 160


def printable(name: str | os.PathLike[str]) -> str:
    """A file name on one line: control characters, backslashes and bytes that are not UTF-8 appear as escapes."""
    text = os.fspath(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shortened(name: str | os.PathLike[str]) -> str:
    """`printable`, with the middle left out of what is longer than a line."""
    text = printable(name)
    return text if len(text) <= _LINE else f"{text[: _LINE - 40]}...{text[-37:]}"


def os_fault(error: OSError, path: Path, doing: str) -> WorkspaceError:
    """An OSError of the workspace in words. Only a full disk or quota is called one.

    `path` is named only where the error itself names none.
    """
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path
    if error.errno in _FULL:
        return WorkspaceError(
            f"no space left in {printable(named.parent)} ({doing})",
            remedy="free some space there, or choose another place for the run directories",
        )
    return WorkspaceError(f"{doing}: {shortened(named)}: {error.strerror or error}")


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Make the content of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file or nothing: temporary name, fsync, rename, fsync of the directory.

    What is not `durable` may be lost by a power cut, and by nothing else. Raises OSError; the temporary file is gone
    then.
    """
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        fsync_directory(path.parent)


def write_json(path: Path, document: object, *, durable: bool = True) -> None:
    """`write_atomic` of `json_bytes`."""
    write_atomic(path, json_bytes(document), durable=durable)


def json_bytes(document: object) -> bytes:
    """A document as JSON in UTF-8, indented; text that is not Unicode (from file names) appears escaped."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def copy_file(source: Path, target: Path, mode: int | None = None) -> None:
    """Copy bytes and mode, or give it another; shares blocks where the file system can (reflink).

    A copied mode is made readable by everyone, since the image's USER must read it.
    """
    with source.open("rb") as reader, target.open("xb") as writer:
        if not _reflink(reader.fileno(), writer.fileno()):
            shutil.copyfileobj(reader, writer, 1 << 20)
        if mode is None:
            mode = (stat.S_IMODE(os.fstat(reader.fileno()).st_mode) | 0o644) & 0o777
        os.fchmod(writer.fileno(), mode)


def _reflink(source: int, target: int) -> bool:
    try:
        reflink(source, target)
    except OSError:
        return False
    return True


def remove_tree(path: Path) -> None:
    """Remove a tree of our own of any depth, also when a script took permissions from its directories. Absent is fine.

    Raises OSError for what cannot be removed.
    """
    if os.path.lexists(path):
        trees.remove(path)


def foreign(root: Path) -> bool:
    """Whether anything below is another user's and must be handed back first; never so for root, who may all."""
    return os.geteuid() != 0 and has_foreign(root)
