"""Published files, kept by their content: put in and taken out by hard links where one file system has both.

A file that is linked into a run directory is one with the kept one: who edits it there edits both. So `stat` of every
file is recorded, and before it is used again a file that looks different is read. Those of an earlier boot are read
once, too: a power cut may have lost what they held.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.data.digests import Mark, mark_of, replace_file
from runner.data.files import copy_file, printable, remove_tree
from runner.data.manifest import Entry, Manifest
from runner.engine import labels

_SMALL = 64 << 10
"""Bytes of a tree whose files are read each time: that takes less than to write down what `stat` said of them."""
_SETTLED = 100_000_000
"""Nanoseconds after its last change from which on a file's next one shows in its times: some ticks of the clock."""
_FOLDER = 0o755
"""As publication leaves them: the image's USER reads them."""
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


class Damaged(Exception):
    """What is kept is not what was published; `str()` says how."""

    tree = ""
    """The tree that is of no use; empty where an entry is."""


def name_of(manifest: Manifest) -> str:
    return f"{manifest.digest.removeprefix('sha256:')}-{manifest.size}"


def size_in(name: str) -> int:
    """Bytes of the files of a tree, by its name; 0 for what is none."""
    size = name.rpartition("-")[2]
    return int(size) if size.isdigit() else 0


def put(trees: Path, workplace: Path, manifest: Manifest, source: Path) -> None:
    """Keep the files of a directory that the manifest describes. Raises OSError, Damaged."""
    name = name_of(manifest)
    recorded = manifest.size <= _SMALL or (trees / f"{name}.json").is_file()
    if recorded and (trees / name).is_dir():
        return
    draft = workplace / secrets.token_hex(8)
    draft.mkdir()
    draft.chmod(_FOLDER)
    try:
        marks = _lay_out(draft, source, manifest.entries)
        for entry, mark in zip(manifest.entries, marks, strict=True):
            if mark[2] != entry.size:
                raise Damaged(f"{printable(source / entry.path)} is not as it was published")
        _record(trees / f"{name}.json", manifest, marks)
        try:
            draft.rename(trees / name)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Half removed, or another run was quicker: both hold nothing but these very bytes, and marks are checked.
    finally:
        remove_tree(draft)


def take(trees: Path, manifest: Manifest, target: Path, *, mode: int | None = None) -> None:
    """Lay the files out in the directory `target`, after a check. With `mode` they have that one again, whatever
    became of it. Raises Damaged, OSError."""
    try:
        _take(trees / name_of(manifest), manifest, target, mode)
    except Damaged as error:
        error.tree = name_of(manifest)
        raise


def _take(root: Path, manifest: Manifest, target: Path, mode: int | None) -> None:
    record = root.with_name(f"{root.name}.json")
    checked = _check(root, _recorded(record, manifest), manifest, mode)
    _lay_out(target, root, manifest.entries)
    # A link changes a time of the inode, and nothing else may have changed since the check.
    kept = [mark_of((root / entry.path).stat(follow_symlinks=False)) for entry in manifest.entries]
    for entry, before, after in zip(manifest.entries, checked, kept, strict=True):
        if before[:-1] != after[:-1]:
            raise Damaged(f"{printable(root / entry.path)} changed while it was used")
    _record(record, manifest, kept)


def drop(trees: Path, name: str) -> None:
    """Remove a tree; absent is fine. Raises OSError."""
    (trees / f"{name}.json").unlink(missing_ok=True)
    remove_tree(trees / name)


def _lay_out(target: Path, source: Path, entries: Iterable[Entry]) -> list[Mark]:
    """Links, or copies where there can be none; their marks."""
    made: set[str] = set()
    marks = []
    for entry in entries:
        for folder in _new_folders(entry.path, made):
            Path(target, folder).mkdir()
            Path(target, folder).chmod(_FOLDER)
        marks.append(_link(f"{source}/{entry.path}", f"{target}/{entry.path}"))
    return marks


def _new_folders(path: str, made: set[str]) -> list[str]:
    """Directories that lead to a file and are not there yet, the outermost first."""
    found = []
    folder = path.rpartition("/")[0]
    while folder and folder not in made:
        made.add(folder)
        found.append(folder)
        folder = folder.rpartition("/")[0]
    return found[::-1]


def _link(source: str, target: str) -> Mark:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_file(Path(source), Path(target))
    status = os.stat(target, follow_symlinks=False)  # noqa: PTH116
    if not stat.S_ISREG(status.st_mode):
        raise Damaged(f"{printable(source)} is no regular file")
    return mark_of(status)


def _record(path: Path, manifest: Manifest, marks: Iterable[Mark]) -> None:
    if manifest.size <= _SMALL:
        return
    now = time.time_ns()
    files = [
        [entry.path, entry.sha256, entry.size, mark if mark[3] < now - _SETTLED else None]
        for entry, mark in zip(manifest.entries, marks, strict=True)
    ]
    replace_file(path, json.dumps({"boot": labels.boot_id(), "files": files}).encode())


def _recorded(path: Path, manifest: Manifest) -> dict[str, Mark | None]:
    """By path the mark; None where the file must be read. A record that is lost or damaged costs a look at each."""
    if manifest.size <= _SMALL:
        return {}
    try:
        document: Any = json.loads(path.read_bytes())
        marks = {str(name): mark for name, _, _, mark in document["files"]}
        known = document["boot"] == labels.boot_id()
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return marks if known and len(marks) == len(manifest.entries) else {}


def _check(root: Path, marks: dict[str, Mark | None], manifest: Manifest, mode: int | None) -> list[Mark]:
    """The marks of files that are known to be right."""
    checked = []
    for entry in manifest.entries:
        path = f"{root}/{entry.path}"
        try:
            status = os.stat(path, follow_symlinks=False)  # noqa: PTH116
        except FileNotFoundError:
            raise Damaged(f"{printable(path)} is missing") from None
        if not stat.S_ISREG(status.st_mode):
            raise Damaged(f"{printable(path)} is no regular file any more")
        mark = mark_of(status)
        if marks.get(entry.path) != mark:
            _read(path, entry)
            if mode is not None and stat.S_IMODE(status.st_mode) != mode:
                os.chmod(path, mode)  # noqa: PTH101
        checked.append(mark)
    return checked


def _read(path: str, entry: Entry) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:  # noqa: PTH123  # pathlib opens no descriptor
        if hashlib.file_digest(stream, "sha256").hexdigest() != entry.sha256:
            raise Damaged(f"{printable(path)} has other content than was published")
