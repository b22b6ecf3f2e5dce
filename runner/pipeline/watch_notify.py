"""What the kernel tells of directories (inotify), and where it tells nothing."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import EnvironmentFault

_SILENT = frozenset(
    {"9p", "afs", "ceph", "cifs", "fakeowner", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "prl_fs"}
    | {"smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"}
)
"""File systems on which other machines write, of which this machine's kernel hears nothing; so do all of FUSE."""
_REMEDY = "pip install inotify_simple, or let the files be looked at from time to time: --poll 1"


@dataclass(slots=True)
class Heard:
    """What happened since the last reading, as directory and name; the name of a directory itself is empty."""

    changed: set[tuple[Path, str]] = field(default_factory=set)
    written: set[tuple[Path, str]] = field(default_factory=set)
    """Written to, and not closed yet."""
    lost: bool = False
    """The kernel had to drop events: anything may have changed."""


class Notifier:
    """Hears of what changes in directories, each by itself: what lies in its directories does not count.

    Raises EnvironmentFault where this machine has no inotify.
    """

    def __init__(self) -> None:
        try:
            from inotify_simple import INotify, flags
        except (ImportError, AttributeError, OSError) as error:  # the latter two where the C library has none
            raise EnvironmentFault(f"cannot be told of saves: {error}", remedy=_REMEDY) from error
        try:
            self._inotify = INotify()
        except OSError as error:
            raise EnvironmentFault(
                f"cannot be told of saves: {error.strerror}",
                remedy="raise fs.inotify.max_user_instances, or let the files be looked at: --poll 1",
            ) from error
        self._flags = flags
        own = flags.DELETE_SELF | flags.MOVE_SELF | flags.ATTRIB
        names = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
        self._mask = own | names | flags.MODIFY | flags.CLOSE_WRITE | flags.ONLYDIR
        self._paths: dict[int, set[Path]] = {}
        self._silent: dict[int, str] = {}

    def fileno(self) -> int:
        """Ready to be read when something happened."""
        return int(self._inotify.fileno())

    def add(self, directory: Path) -> str:
        """Hear of a directory from now on; returns why that cannot be, or an empty text. One that is not there is no
        fault: the one above tells when it comes."""
        try:
            device = directory.stat().st_dev
            if device not in self._silent:
                self._silent[device] = _silent(directory)
            if kind := self._silent[device]:
                return f"on {kind}, of which the kernel does not tell everything"
            number = self._inotify.add_watch(directory, self._mask)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            if error.errno == errno.ENOSPC:
                return "too many directories for the kernel to tell of: raise fs.inotify.max_user_watches"
            return f"the kernel tells nothing of it: {error.strerror}"
        self._paths.setdefault(number, set()).add(directory)
        return ""

    def keep(self, directories: set[Path]) -> None:
        """Hear of no others."""
        for number, paths in list(self._paths.items()):
            self._paths[number] = paths & directories
            if not self._paths[number]:
                del self._paths[number]
                try:
                    self._inotify.rm_watch(number)
                except OSError:
                    continue  # it was removed with its directory

    def read(self) -> Heard:
        """What happened since the last time; does not wait."""
        heard, flags = Heard(), self._flags
        for number, mask, _, name in self._inotify.read(timeout=0):
            heard.lost = heard.lost or bool(mask & flags.Q_OVERFLOW)
            places = {(path, name) for path in self._paths.get(number, ())}
            if mask & flags.IGNORED:
                self._paths.pop(number, None)
            if mask & flags.MODIFY or (mask & flags.CREATE and not mask & flags.ISDIR):
                heard.written |= {place for place in places if mask & flags.MODIFY or _is_empty(place)}
            elif not mask & flags.ATTRIB:
                heard.written -= places
            heard.changed |= places
        return heard

    def close(self) -> None:
        self._inotify.close()


def _is_empty(place: tuple[Path, str]) -> bool:
    """Of what has just been made: a file whose writer has not begun yet, unlike a link to another one."""
    try:
        status = place[0].joinpath(place[1]).lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _silent(path: Path) -> str:
    """The type of the file system of `path`, where the kernel does not hear of everything that changes; else empty."""
    kind = _file_system(path)
    return kind if kind in _SILENT or kind.startswith("fuse") else ""


def _file_system(path: Path) -> str:
    """By the longest mount point above it; empty where the system does not say."""
    real, best, kind = os.path.realpath(path), "", ""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, after.split(" ")[0]
    return kind
