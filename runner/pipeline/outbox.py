"""What steps write, on its way to the log files and, in pieces, to the reporters."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

LIMIT = 256 * 1024
"""Bytes of one stream that wait for the reporters before its script is held up."""
PATIENCE = 5.0
"""Seconds for which slow reporters may hold up a script; from then on they miss what does not fit, and are told."""


class Outbox:
    """Bytes that wait for the main thread, by step and stream: at most about twice `LIMIT` each.

    A reporter that is slower than a script slows it down, as a slow reader of any pipe does. One that stands still must
    not make a script time out, so it misses bytes after `PATIENCE`, and a line says how many. Log files miss none.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._room = threading.Condition()
        self._waiting: dict[tuple[str, str], bytearray] = {}
        self._missed: dict[tuple[str, str], int] = {}
        self._awake = self._stalled = self._released = False

    def put(self, step: str, stream: str, data: bytes) -> None:
        """From any thread. `wake` is called when something waits that did not before."""
        key = (step, stream)
        with self._room:
            if not self._fits(key) and not (self._stalled or self._released):
                self._stalled = not self._room.wait_for(lambda: self._fits(key) or self._released, PATIENCE)
            if self._fits(key):
                self._waiting.setdefault(key, bytearray()).extend(data)
            else:
                self._missed[key] = self._missed.get(key, 0) + len(data)
            wake, self._awake = not self._awake, True
        if wake:
            self._wake()

    def take(self) -> list[tuple[str, str, bytes]]:
        """All that waits, as (step, stream, bytes)."""
        with self._room:
            waiting, missed = self._waiting, self._missed
            self._waiting, self._missed = {}, {}
            self._awake = self._stalled = False
            self._room.notify_all()
        for key, count in missed.items():
            waiting.setdefault(key, bytearray()).extend(b"\n[%d bytes are in the log file only]\n" % count)
        return [(step, stream, bytes(data)) for (step, stream), data in waiting.items()]

    def release(self) -> None:
        """Hold up no script any more: the run is being stopped."""
        with self._room:
            self._released = True
            self._room.notify_all()

    def _fits(self, key: tuple[str, str]) -> bool:
        return len(self._waiting.get(key, b"")) < LIMIT


class Log:
    """One stream of one step: a sink that writes every byte to its file, then to the outbox.

    The first OSError of the file is kept in `fault` and raised from every write on.
    """

    def __init__(self, path: Path, forward: Callable[[bytes], None]) -> None:
        self.path = path
        self.fault: OSError | None = None
        self._forward = forward
        self._file = path.open("wb", buffering=0)

    def __call__(self, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.fault = error
            raise
        self._forward(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as fault:  # network file systems report a full disk here
            self.fault = self.fault or fault
