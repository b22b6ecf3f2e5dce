"""Docker's multiplexed attach stream: an 8-byte header (stream, length), then that many bytes.

https://docs.docker.com/engine/api/ "Attach to a container", stream format.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.engine.base import Sink

HEADER = 8
LONGEST_REPORT = 1 << 20
"""Bytes; the agent's reports are far below."""
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


class Trailer:
    """Takes the agent's trailer off the end of one stream, and passes everything before it on.

    The trailer is a zero byte, the secret nonce, a colon, a body, and a line end. Only what could be its beginning is
    ever held back.
    """

    def __init__(self, nonce: str, sink: Sink) -> None:
        self._mark = b"\0" + nonce.encode() + b":"
        self._sink = sink
        self._held = b""
        self._found = False
        self._collected = bytearray()
        self.body: bytes | None = None
        """None until the whole trailer has arrived; empty when it was too long to be one."""

    def feed(self, data: bytes) -> None:
        if self.body is not None:
            return
        data = self._held + data
        self._held = b""
        if not self._found:
            data = self._pass_on(data)
        if self._found:
            self._collect(data)

    def _collect(self, data: bytes) -> None:
        """The body is all up to the first line end; nothing that follows it is looked at."""
        text, end, _ = data.partition(b"\n")
        self._collected += text
        if end:
            self.body = bytes(self._collected)
        elif len(self._collected) > LONGEST_REPORT:
            self.body = b""

    def _pass_on(self, data: bytes) -> bytes:
        """Everything that is not the trailer; returns what follows the mark."""
        at = data.find(self._mark)
        if at >= 0:
            self._found = True
            if at:
                self._sink(data[:at])
            return data[at + len(self._mark) :]
        keep = self._prefix_at_end(data)
        if len(data) > keep:
            self._sink(data[: len(data) - keep])
        self._held = data[len(data) - keep :]
        return b""

    def _prefix_at_end(self, data: bytes) -> int:
        """How many bytes at the end could be the beginning of the mark."""
        start = data.rfind(b"\0", max(0, len(data) - len(self._mark) + 1))
        while start >= 0:
            if self._mark.startswith(data[start:]):
                return len(data) - start
            start = data.rfind(b"\0", max(0, len(data) - len(self._mark) + 1), start)
        return 0

    def end(self) -> None:
        """The stream has ended without a trailer: what was held back belongs to the script."""
        if not self._found and self._held:
            self._sink(self._held)
            self._held = b""


class Sinks:
    """The step's two sinks, guarded: the first failed write is kept, and what follows is dropped."""

    def __init__(self, nonce: str, stdout: Sink, stderr: Sink, failed: Callable[[], None]) -> None:
        self.error = ""
        self._failed = failed
        self.trailers = Trailer(nonce, self._guard(stdout)), Trailer(nonce, self._guard(stderr))
        self.demultiplexer = Demultiplexer(self.trailers[0].feed, self.trailers[1].feed)

    @property
    def arrived(self) -> bool:
        """Whether both streams have come to their trailers: then every byte of the script is here."""
        return all(trailer.body is not None for trailer in self.trailers)

    def end(self) -> None:
        for trailer in self.trailers:
            trailer.end()

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
