"""Docker's multiplexed attach stream: an 8-byte header (stream, length), then that many bytes.

https://docs.docker.com/engine/api/ "Attach to a container", stream format.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.engine.base import Sink

HEADER = 8
STDERR = 2


class Demultiplexer:
    """Feeds each stream's bytes to its sink as they come; holds at most one header, never a frame."""

    def __init__(self, stdout: Callable[[bytes], None], stderr: Callable[[bytes], None]) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._header = b""
        self._left = 0
        self._to = stdout

    def feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._left == 0:
                need = HEADER - len(self._header)
                self._header += bytes(view[:need])
                view = view[need:]
                if len(self._header) < HEADER:
                    return
                self._to = self._stderr if self._header[0] == STDERR else self._stdout
                self._left = int.from_bytes(self._header[4:], "big")
                self._header = b""
                continue
            part = view[: self._left]
            self._left -= len(part)
            view = view[len(part) :]
            self._to(bytes(part))

    @property
    def complete(self) -> bool:
        """Whether the stream ended between two frames."""
        return self._left == 0 and not self._header


class Sinks:
    """The step's two sinks, guarded: the first failed write is kept, and what follows is dropped."""

    def __init__(self, stdout: Sink, stderr: Sink, failed: Callable[[], None]) -> None:
        self.error = ""
        self._failed = failed
        self.demultiplexer = Demultiplexer(self._guard(stdout), self._guard(stderr))

    def _guard(self, sink: Sink) -> Sink:
        def write(data: bytes) -> None:
            if self.error:
                return
            try:
                sink(data)
            except OSError as error:
                self.error = str(error)
                self._failed()

        return write
