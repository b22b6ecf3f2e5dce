"""Durable and exact file operations, and how file names of any kind are shown."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from pathlib import Path

from runner.errors import WorkspaceError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_TEMPORARY = ".part"


def printable(name: str | os.PathLike[str]) -> str:
    """A file name on one line: control characters, backslashes and bytes that are not UTF-8 appear as escapes."""
    text = os.fspath(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


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
    return WorkspaceError(f"{doing}: {printable(named)}: {error.strerror or error}")


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: temporary name, fsync, rename, fsync of the directory.

    Raises OSError; the temporary file is gone then.
    """
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    fsync_directory(path.parent)


def write_json(path: Path, document: object) -> None:
    """`write_atomic` of `json_bytes`."""
    write_atomic(path, json_bytes(document))


def json_bytes(document: object) -> bytes:
    """A document as JSON in UTF-8, indented; text that is not Unicode (from file names) appears escaped."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes and mode; shares blocks where the file system can (reflink). The copy is readable by everyone, since
    the image's USER must read it."""
    with source.open("rb") as reader, target.open("xb") as writer:
        if not _reflink(reader.fileno(), writer.fileno()):
            shutil.copyfileobj(reader, writer, 1 << 20)
        mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode)
        os.fchmod(writer.fileno(), (mode | 0o644) & 0o777)


def _reflink(source: int, target: int) -> bool:
    """FICLONE of ioctl_ficlone(2): instant on btrfs, XFS, bcachefs and the like, refused elsewhere."""
    try:
        import fcntl
    except ImportError:  # not a Unix
        return False
    try:
        fcntl.ioctl(target, 0x40049409, source)
    except OSError:
        return False
    return True


def remove_tree(path: Path) -> None:
    """Remove a tree of our own, also when a script took write permission from its directories. Absent is fine.

    Raises OSError for what cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except PermissionError:
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path)


def foreign(root: Path) -> bool:
    """Whether anything below belongs to another user than the one who runs this (never so for root, who may all)."""
    user = os.geteuid()
    if user == 0:
        return False
    pending = [root]
    while pending:
        folder = pending.pop()
        if folder.lstat().st_uid != user:
            return True
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.stat(follow_symlinks=False).st_uid != user:
                    return True
    return False
