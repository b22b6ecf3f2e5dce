"""What files and trees of the user's hold, as one digest each, and remembered by `stat` from one run to the next.

1. A file is read again unless device, inode, size and both times of change are what they were when it was read.
2. A file that was changed less than `RACY` before it was read (or in the future, by a clock that moved) is not
   remembered: it could change once more within the same tick of the file system's clock, and look the same.
3. A file that changes while it is read is read again, and after `_ATTEMPTS` times it is `Changing`.
4. A memory that cannot be read or written costs time and nothing else; `warn` hears of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.data.files import printable
from runner.data.materialise import tree_entries
from runner.data.reading import Reading, never

RACY = 2_000_000_000
"""Nanoseconds: file systems exist whose clock ticks once in two seconds."""
_VERSION = 1
_ATTEMPTS = 3
_READABLE, _PERMISSIONS = 0o644, 0o777

Mark = list[int]
"""Device, inode, size, and the times of change of content and of inode in nanoseconds: as JSON holds it."""


class Changing(OSError):
    """A file does not hold still; `str()` names it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a file or tree."""

    digest: str
    """Of names, kinds, permissions and contents; times and places do not count."""
    state: str
    """Of what `stat` says: differs whenever anything may have changed, also where the content is the same."""
    files: dict[str, str]
    """SHA-256 by relative path, of regular files."""


@dataclass(frozen=True, slots=True)
class _Node:
    relative: str
    line: bytes
    """Kind and permissions, for the digest."""
    path: str = ""
    """Of a regular file: where to read it."""
    status: os.stat_result | None = None
    """Of a regular file, as it was found."""


class Digests:
    """Thread-safe: each memory is a file of its own, replaced as a whole; who writes last wins, and all are right."""

    def __init__(
        self,
        memory: Path | None,
        warn: Callable[[str], None],
        stopped: Callable[[], bool] = never,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._memory, self._warn, self._stopped, self._clock = memory, warn, stopped, clock

    def file(self, path: Path) -> Seen:
        """A single file, as the container gets it: under its name, readable. Raises OSError, Changing, Stopped."""
        real = path.resolve(strict=True)
        return self._seen(path, [_Node(path.name, b"file 644", str(real), real.stat())])

    def script(self, path: Path) -> Seen:
        """A single file with its executable bits. Raises like `file`."""
        real = path.resolve(strict=True)
        return self._seen(path, [_Node(path.name, _copied(real.stat()), str(real), real.stat())])

    def tree(self, root: Path) -> Seen:
        """A directory that is mounted as it is: links as such, permissions, empty directories. Raises like `file`."""
        return self._seen(root.resolve(), _nodes(root.resolve()))

    def code(self, root: Path, leave_out: Path | None = None) -> Seen:
        """A directory as `materialise.code_tree` copies it: links are followed. Raises like `file`."""
        nodes = (_code_node(name, path) for name, path in tree_entries(root, leave_out))
        return self._seen(root, (node for node in nodes if node is not None))

    def _seen(self, root: Path, nodes: Iterable[_Node]) -> Seen:
        place = self._place(root)
        known = self._recall(place)
        reading = Reading(self._stopped)
        whole, state = hashlib.sha256(), hashlib.sha256()
        files: dict[str, str] = {}
        kept: dict[str, list[Any]] = {}
        for node in nodes:
            reading.count(1 << 10)
            name = os.fsencode(node.relative)
            content = b""
            if node.status is not None:
                mark, digest, steady = self._read(node.path, node.status, known.get(node.relative), reading)
                files[node.relative] = digest
                if steady:
                    kept[node.relative] = [mark, digest]
                content = digest.encode()
                state.update(b"%d %d %d %d %d " % (*mark,))
            line = b"%s %s %d:%s\n" % (node.line, content, len(name), name)
            whole.update(line)
            state.update(line)
        if kept != known:
            self._remember(place, kept)
        return Seen(f"sha256:{whole.hexdigest()}", state.hexdigest(), files)

    def _read(
        self, path: str, status: os.stat_result, known: list[Any] | None, reading: Reading
    ) -> tuple[Mark, str, bool]:
        """Mark, SHA-256, and whether both may be remembered."""
        if known is not None and known[0] == mark_of(status):
            return known[0], known[1], True
        now = self._clock()
        for _ in range(_ATTEMPTS):
            with open(path, "rb") as stream:  # noqa: PTH123  # texts: a tree may hold many thousand files
                before = os.fstat(stream.fileno())
                digest, _ = reading.sha256(stream)
                after = os.fstat(stream.fileno())
            if mark_of(before) == mark_of(after) == mark_of(os.stat(path)):  # noqa: PTH116
                settled = max(after.st_mtime_ns, after.st_ctime_ns) < now - RACY
                return mark_of(after), digest, settled
        raise Changing(f"{printable(path)} changes while it is read")

    def _place(self, root: Path) -> Path | None:
        if self._memory is None:
            return None
        return self._memory / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.json"

    def _recall(self, place: Path | None) -> dict[str, list[Any]]:
        if place is None:
            return {}
        try:
            document = json.loads(place.read_bytes())
            _check_memory(document)
            return dict(document["files"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._warn(f"remembered digests are made anew: {printable(place)} cannot be used: {error}")
            return {}

    def _remember(self, place: Path | None, files: dict[str, list[Any]]) -> None:
        if place is None:
            return
        try:
            replace_file(place, json.dumps({"version": _VERSION, "files": files}).encode())
        except OSError as error:
            self._warn(f"digests cannot be remembered: {printable(place)}: {error.strerror or error}")


def mark_of(status: os.stat_result) -> Mark:
    """What tells whether a file may have changed."""
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def replace_file(path: Path, content: bytes) -> None:
    """A whole file or nothing, readable to its owner alone; not flushed: after a power cut it may be gone or empty.

    Any number of processes may do so at once. Raises OSError; then no temporary file is left.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)  # noqa: PTH105  # texts, as mkstemp gives them
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def _check_memory(document: Any) -> None:
    """Raises ValueError, KeyError, TypeError or AttributeError."""
    if document["version"] != _VERSION or not all(_sound(entry) for entry in document["files"].values()):
        raise ValueError("not of this version")


def _sound(entry: Any) -> bool:
    mark, digest = entry
    return isinstance(digest, str) and len(digest) == 64 and len(mark) == 5 and all(isinstance(n, int) for n in mark)


def _copied(status: os.stat_result) -> bytes:
    """A file's kind, with the permissions that its copy gets."""
    return b"file %o" % ((stat.S_IMODE(status.st_mode) | _READABLE) & _PERMISSIONS)


def _code_node(relative: str, path: Path) -> _Node | None:
    """None for what is not copied."""
    if path.is_dir():
        return _Node(relative, b"directory")
    if path.is_file():
        status = path.stat()
        return _Node(relative, _copied(status), str(path), status)
    return None


def _nodes(root: Path) -> Iterable[_Node]:
    """Everything below, sorted within each directory."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            children = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        for child in children:
            relative = f"{folder}/{child.name}" if folder else child.name
            status = child.stat(follow_symlinks=False)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                pending.append(relative)
                yield _Node(relative, b"directory %o" % mode)
            elif stat.S_ISREG(status.st_mode):
                yield _Node(relative, b"file %o" % mode, child.path, status)
            elif stat.S_ISLNK(status.st_mode):
                target = os.fsencode(os.readlink(child.path))  # noqa: PTH115
                yield _Node(relative, b"link %d:%s" % (len(target), target))
            else:
                yield _Node(relative, b"special %o" % stat.S_IFMT(status.st_mode))
