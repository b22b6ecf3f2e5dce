"""The keeper's socket: where it is, who may be behind it, and how messages and open files travel over it."""

from __future__ import annotations

import array
import json
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

VARIABLE = "RUN_PIPELINE_POOL"
"""`off`, `on` (also in CI), or the directory in which the keeper's socket is."""
_LENGTH = struct.Struct("!I")
_MOST_FILES = 8
CREDENTIALS = struct.Struct("3i")
"""pid, uid and gid of the other end, as SO_PEERCRED tells them."""


def directory() -> Path:
    """Where the keeper of this user has its socket: `$RUN_PIPELINE_POOL`, or a directory of the user's own in /tmp,
    since a socket's path may not be long."""
    own = os.environ.get(VARIABLE, "")
    return Path(own) if own.startswith("/") else Path(f"/tmp/run-pipeline-{os.getuid()}")  # noqa: S108  checked below


def wanted() -> bool:
    """Whether containers may be kept at all."""
    return os.environ.get(VARIABLE, "").lower() != "off"


def enabled() -> bool:
    """Whether runs use the pool without being asked: not in CI, where nothing comes after, unless the variable says
    so."""
    in_ci = os.environ.get("CI", "").lower() in ("true", "1")
    return wanted() and not (in_ci and not os.environ.get(VARIABLE))


def socket_path() -> Path:
    """One for each view of the file system: a keeper runs what it is given in its own."""
    return directory() / f"keeper-{os.stat('/proc/self/ns/mnt').st_ino}.sock"  # noqa: PTH116


def own_directory(path: Path) -> bool:
    """Whether a directory is this user's alone. Raises FileNotFoundError."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def connect(timeout: float = 5.0) -> socket.socket | None:
    """A connection to this user's keeper; None when there is none."""
    try:
        if not own_directory(directory()):
            return None
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        line.settimeout(timeout)
        line.connect(str(socket_path()))
        if peer(line) != os.getuid():
            raise PermissionError("the keeper is another user's")
    except OSError:
        line.close()
        return None
    return line


def peer(line: socket.socket) -> int:
    """The user id of the process at the other end."""
    _, uid, _ = CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(uid)


def send(line: socket.socket, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
    """One message; `files` are descriptors that go with it. Raises OSError."""
    body = json.dumps(message).encode()
    data = _LENGTH.pack(len(body)) + body
    if files:
        sent = line.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
        data = data[sent:]
    line.sendall(data)


class Inbox:
    """What has come over one connection and is not taken yet."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.files: list[int] = []
        self._data = b""

    def fill(self) -> bool:
        """Read once; False at the end of the connection. Raises OSError."""
        data, files, _, _ = socket.recv_fds(self.line, 1 << 16, _MOST_FILES, socket.MSG_CMSG_CLOEXEC)
        self.files += files
        self._data += data
        return bool(data)

    def take(self) -> dict[str, Any] | None:
        """The next whole message, or None. Raises ValueError for what is none."""
        if len(self._data) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._data)
        if len(self._data) < _LENGTH.size + length:
            return None
        body = self._data[_LENGTH.size : _LENGTH.size + length]
        self._data = self._data[_LENGTH.size + length :]
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError("a message is an object")  # noqa: TRY004  what came is wrong, not who called
        return message

    def take_files(self) -> list[int]:
        """The descriptors that have come so far; the caller closes them."""
        files, self.files = self.files, []
        return files

    def wait(self) -> dict[str, Any] | None:
        """The next message; None at the end of the connection. Raises OSError and ValueError."""
        while (message := self.take()) is None:
            if not self.fill():
                return None
        return message
