"""One holder for each key, among all processes: the others wait until it has ended, however it ends.

A lock is a file that is `flock`ed, so a holder's death frees it. Waiting takes a thread that the kernel wakes; nobody
polls, and who no longer wants the lock leaves at once: the thread then lets go of it when it comes.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path


class Lock:
    """The lock of one key; `free` more than once is fine."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._guard = threading.Lock()

    def free(self) -> None:
        with self._guard:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Waiting:
    """Waits for a lock in a thread of its own, and calls `came` with it from there, unless `leave` was called first."""

    def __init__(self, path: Path, came: Callable[[Lock | OSError], None]) -> None:
        self._path, self._came = path, came
        self._guard = threading.Lock()
        self._left = False
        threading.Thread(target=self._wait, name="cache-lock", daemon=True).start()

    def leave(self) -> None:
        """Returns at once."""
        with self._guard:
            self._left = True

    def _wait(self) -> None:
        found: Lock | OSError
        try:
            descriptor = _open(self._path, 0)
            assert descriptor is not None, "who waits gets it"  # noqa: S101
            found = Lock(self._path, descriptor)
        except OSError as error:
            found = error
        with self._guard:
            left = self._left
        if not left:
            self._came(found)
        elif isinstance(found, Lock):
            found.free()


def try_lock(path: Path) -> Lock | None:
    """The lock, or None while another has it. Raises OSError."""
    descriptor = _open(path, fcntl.LOCK_NB)
    return Lock(path, descriptor) if descriptor is not None else None


def remove_unheld(path: Path) -> bool:
    """Remove the file of a lock that nobody holds; whether it was so. Raises OSError."""
    descriptor = _open(path, fcntl.LOCK_NB)
    if descriptor is None:
        return False
    try:
        path.unlink(missing_ok=True)  # who has it open finds that it is not the one in place, and opens anew
    finally:
        os.close(descriptor)
    return True


def _open(path: Path, flags: int) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
            if _in_place(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _in_place(descriptor: int, path: Path) -> bool:
    ours = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
