"""The keeper's socket: where it is, who may be behind it, and how messages and open files travel over it.

A run that is handed on imports this and little else, so it does with what costs nothing: `_socket` and `marshal`, whose
reader trusts its input. The other end is a process of the same user, which is checked.
"""

from __future__ import annotations

import _socket
import array
import binascii
import marshal
import os
import stat
import sys

TYPE_CHECKING = False  # a run that is handed on loads this: see `runner.cli.delegate`
if TYPE_CHECKING:
    import socket
    from typing import Any

VARIABLE = "RUN_PIPELINE_POOL"
"""`off`, `on` (also in CI), or the directory in which the keeper's socket is."""
PROTOCOL = 1
"""Goes up with every change of what is said here, so that a keeper of another version is never spoken to."""
SHAPING = ("PYTHON", "LC_", "LANG", "TZ", "LD_")
"""Beginnings of variables that a Python has taken in when it starts: a fork cannot take them in again."""
own = ""
"""The socket of the keeper that this process is, or is a fork of."""
_LENGTH = 4
"""Bytes of the number before each message, which says how many follow."""
_LONGEST = 16 << 20
_MOST_FILES = 8


def directory() -> str:
    """Where the keeper of this user has its socket: `$RUN_PIPELINE_POOL`, or a directory of the user's own in /tmp,
    since a socket's path may not be long."""
    own = os.environ.get(VARIABLE, "")
    return own if own.startswith("/") else f"/tmp/run-pipeline-{os.getuid()}"  # noqa: S108  it is checked


def wanted() -> bool:
    """Whether containers may be kept at all."""
    return os.environ.get(VARIABLE, "").lower() != "off"


def enabled() -> bool:
    """Whether runs use the pool without being asked: not in CI, where nothing comes after, unless the variable says
    so."""
    in_ci = os.environ.get("CI", "").lower() in ("true", "1")
    return wanted() and not (in_ci and not os.environ.get(VARIABLE))


def socket_path() -> str:
    """Of the keeper that can stand in for this process: see `shape`. In a keeper and its forks, its own."""
    return own or f"{directory()}/keeper-{binascii.crc32(repr(shape()).encode()):08x}.sock"


def socket_paths() -> list[str]:
    """Of all keepers of this user."""
    try:
        names = sorted(os.listdir(directory()))  # noqa: PTH208  no pathlib here
    except OSError:
        return []
    return [f"{directory()}/{name}" for name in names if name.startswith("keeper-") and name.endswith(".sock")]


def shape() -> list[object]:
    """What a process cannot change any more once it runs, or must not: only one with the same may stand in for it.

    The protocol, this Python and this program, the variables that a Python takes in when it starts, user, groups, and
    the views of files and network.
    """
    spaces = [os.stat(f"/proc/self/ns/{kind}").st_ino for kind in ("mnt", "net", "pid")]  # noqa: PTH116
    variables = sorted(pair for pair in os.environ.items() if pair[0].startswith(SHAPING))
    flags = [name for name in ("optimize", "dev_mode", "utf8_mode") if getattr(sys.flags, name, 0)]
    ids = [os.getuid(), os.getgid(), *sorted(os.getgroups())]
    return [PROTOCOL, sys.executable, sys.version, __file__, flags, sys.warnoptions, variables, ids, spaces]


def own_directory(path: str) -> bool:
    """Whether a directory is this user's alone. Raises FileNotFoundError."""
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def connect(path: str = "", timeout: float = 5.0) -> Any:
    """A connected socket to this user's keeper; None when there is none. `path`: to a certain one."""
    try:
        if not own_directory(directory()):
            return None
        line: Any = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        line.settimeout(timeout)
        line.connect(path or socket_path())
        if peer(line) != os.getuid():
            raise PermissionError("the keeper is another user's")
    except OSError:
        line.close()
        return None
    return line


def peer(line: socket.socket) -> int:
    """The user id of the process at the other end."""
    found = array.array("i")  # pid, uid, gid
    found.frombytes(line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 3 * found.itemsize))
    return found[1]


def send(line: socket.socket, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
    """One message; `files` are descriptors that go with it. Raises OSError."""
    body = marshal.dumps(message)
    data = len(body).to_bytes(_LENGTH, "big") + body
    if files:
        sent = line.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", files))])
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
        files = array.array("i")
        space = _socket.CMSG_SPACE(_MOST_FILES * files.itemsize)
        data, extra, _, _ = self.line.recvmsg(1 << 16, space, _socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in extra:
            if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                files.frombytes(content[: len(content) - len(content) % files.itemsize])
        self.files += files
        self._data += data
        return bool(data)

    def take(self) -> dict[str, Any] | None:
        """The next whole message, or None. Raises ValueError for what is none."""
        end = _LENGTH + int.from_bytes(self._data[:_LENGTH], "big")
        if end > _LONGEST:
            raise ValueError(f"a message of {end} bytes")
        if len(self._data) < _LENGTH or len(self._data) < end:
            return None
        body, self._data = self._data[_LENGTH:end], self._data[end:]
        try:
            message = marshal.loads(body)  # noqa: S302  of this user's own processes
        except (EOFError, TypeError) as error:
            raise ValueError(f"not a message: {error}") from error
        if not isinstance(message, dict):
            raise ValueError("a message is a dictionary")  # noqa: TRY004  what came is wrong, not who called
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
