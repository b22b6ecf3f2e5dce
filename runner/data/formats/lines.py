"""The lines of a text, one after the other from its beginning, or of blocks further on."""

from __future__ import annotations

import io
from collections.abc import Iterator

from runner.data.formats.contents import Content, Damaged, DataFile
from runner.data.formats.encoding import SINGLE, Decoder

LONGEST = 4 << 20
"""Characters of a line. 100,000 columns of numbers take half of it."""
_BLOCK = 1 << 16
_BLOCKS = 8


class Lines:
    """Lines with their ends, as the `csv` module wants them; `\\n`, `\\r\\n` and `\\r` end a line.

    Reads no further than asked. What goes wrong ends the lines and is told in `fault`.
    """

    def __init__(self, content: Content, encoding: str) -> None:
        self.decoder = Decoder(encoding)
        self.fault: str | None = None
        self.ended = False
        """Whether the last line of the file was given."""
        self.cut = False
        """Whether that line has no end."""
        self.given = 0
        """Characters."""
        self.nuls: str | None = None
        self.ends: set[str] = set()
        self._content, self._decoded, self._number = content, 0, 0

    def __iter__(self) -> Iterator[str]:
        for batch in self._told():
            for line in batch:
                self.given += len(line)
                yield line

    def batches(self) -> Iterator[list[str]]:
        """Lines, some at a time: as many as a block of the file holds."""
        for batch in self._told():
            self.given += sum(map(len, batch))
            yield batch

    def _told(self) -> Iterator[list[str]]:
        try:
            yield from self._read()
        except Damaged as error:
            self.fault = str(error)
        except OSError as error:
            self.fault = f"cannot be read further: {error.strerror or error}"

    def _read(self) -> Iterator[list[str]]:
        rest = ""
        while data := self._content.read(_BLOCK):
            piece = self.decoder.decode(data)
            self._decoded += len(piece)
            rest += piece
            border = (rest.rfind("\n") + 1) or (rest.rfind("\r", 0, -1) + 1)
            if border:
                yield self._split(rest[:border])
                rest = rest[border:]
            if len(rest) > LONGEST:
                raise Damaged(f"line {self._number + 1:,} has more than {LONGEST:,} characters: not looked into")
        rest += self.decoder.decode(b"", last=True)
        self.cut = bool(rest) and not rest.endswith(("\n", "\r"))
        self.ended = True
        yield self._split(rest)

    def _split(self, text: str) -> list[str]:
        if "\0" in text and not self.nuls:
            number = self._number + text.count("\n", 0, text.index("\0")) + 1
            self.nuls = f"has NUL bytes (the first in line {number:,}), which no text holds"
        if text:
            self.ends.add("CRLF" if "\r\n" in text else "LF" if "\n" in text else "CR" if "\r" in text else "")
        lines = list(io.StringIO(text, newline=""))
        self._number += len(lines)
        return lines

    def later(self, file: DataFile) -> Iterator[tuple[str, bool]]:
        """Texts from behind the place where the lines were left, and whether one ends within a line.

        What goes wrong ends them and is told in `fault`.
        """
        try:
            yield from _later_blocks(file, self.decoder.encoding, self._content.position)
        except OSError as error:
            self.fault = f"cannot be read further: {error.strerror or error}"

    def in_all(self) -> float:
        """An estimate of the characters of the whole text."""
        return self._content.total() * self._decoded / max(1, self._content.position)

    @property
    def details(self) -> dict[str, str]:
        """What is worth telling of the text itself."""
        found = {"encoding": self.decoder.odd} if self.decoder.odd else {}
        ends = sorted(self.ends - {"", "LF"})
        return {**found, "line ends": ", ".join(ends)} if ends else found


def _later_blocks(file: DataFile, encoding: str, start: int) -> Iterator[tuple[str, bool]]:
    """Texts from places spread over the rest of the file, cut at line borders, the last from its end; and whether that
    one ends within a line. None of a packed file, which cannot be entered in the middle. Raises OSError.
    """
    rest = file.size - start
    if file.compression or encoding not in SINGLE or rest <= 0:
        return
    size = min(_BLOCK, rest)
    count = min(_BLOCKS, rest // size)
    for number in range(count):
        last = number == count - 1
        offset = file.size - size if last else start + number * (rest - size) // max(1, count - 1)
        data = file.at(offset - 1, size + 1)  # a byte before, to see whether a line starts right here
        first = data.find(b"\n") + 1
        end = len(data) if last else data.rfind(b"\n") + 1
        if 0 < first < end:
            block = data[first:end]
            yield _decoded(block, encoding), last and not block.endswith((b"\n", b"\r"))


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("latin-1")
