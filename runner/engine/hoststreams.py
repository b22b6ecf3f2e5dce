"""What several instances write: each to files of its own as it is, and all to one stream, each line with its host."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from runner.engine.base import Launch, Sink

LONGEST = 64 * 1024
"""Bytes of a line that are held back for its end; a longer one comes in pieces, each with the name before it."""


class Merged:
    """One stream of the step, which lines of all hosts share. Any thread."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Whole lines only."""
        with self._lock:
            self._sink(data)


class HostSink:
    """One stream of one host. An OSError of its own file, or of the merged stream, is the container's to handle."""

    def __init__(self, launch: Launch, stream: str, merged: Merged) -> None:
        self._name = f"{launch.job.hostname} | ".encode()
        self._file = (launch.logs / stream).open("wb", buffering=0) if launch.logs is not None else None
        self._merged = merged
        self._rest = bytearray()

    def __call__(self, data: bytes) -> None:
        if self._file is not None:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
        self._rest += data
        end = self._rest.rfind(b"\n") + 1
        if end == 0 and len(self._rest) < LONGEST:
            return
        end = end or len(self._rest)
        lines, self._rest = bytes(self._rest[:end]), self._rest[end:]
        self._emit(lines)

    def _emit(self, lines: bytes) -> None:
        whole = lines if lines.endswith(b"\n") else lines + b"\n"
        self._merged.write(b"".join(self._name + line + b"\n" for line in whole[:-1].split(b"\n")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._rest and kind is None:
                self._emit(bytes(self._rest))
        finally:
            if self._file is not None:
                self._file.close()
