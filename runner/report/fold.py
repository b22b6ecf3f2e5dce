"""Bytes of a step's output as lines for a person: bounded, decoded, progress bars folded."""

from __future__ import annotations

LIMIT = 8192
"""Bytes of one line that are shown; the byte-exact stream is in the run directory."""


class Folder:
    """Turns chunks of one stream into lines. Holds at most `limit` bytes, however long a line is.

    Of a line rewritten by carriage returns, as progress bars do, the last version stays.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held = b""
        self._lost = 0
        self._returned = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        *complete, rest = data.split(b"\n")
        lines = []
        for piece in complete:
            self._hold(piece)
            lines.append(self._take())
        self._hold(rest)
        return lines

    def flush(self) -> list[str]:
        """The last line, when the stream did not end with a newline."""
        return [self._take()] if self._held or self._lost else []

    def _hold(self, piece: bytes) -> None:
        body = piece.rstrip(b"\r")
        if body:
            _, back, last = body.rpartition(b"\r")
            if back or self._returned:
                self._held, self._lost = b"", 0
            room = self._limit - len(self._held)
            self._held += last[:room]
            self._lost += max(len(last) - room, 0)
            self._returned = False
        # A trailing return either ends the line or starts it anew: the next byte tells.
        self._returned |= len(body) < len(piece)

    def _take(self) -> str:
        text = self._held.decode("utf-8", "replace")
        if self._lost:
            text += f" … [{self._lost:,} more bytes in this line]"
        self._held, self._lost, self._returned = b"", 0, False
        return text
