"""Which encoding a text has, and reading it although the guess was wrong."""

from __future__ import annotations

import codecs

from runner.data.formats.contents import Damaged

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b\b\0")) + b"\x7f"
_MOST_CONTROLS = 0.01
_MOST_NULS = 0.1
SINGLE = ("utf-8", "utf-8-sig", "latin-1")
"""Encodings in which a line ends with the byte 10, so that one may start to read anywhere."""


def encoding_of(head: bytes) -> str | None:
    """The encoding of a text by its first bytes; None: this is no text.

    A byte order mark decides; then UTF-16 without one, by where its zeros stand; then UTF-8; then, for what has hardly
    a control character, the guess `latin-1`.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if not head:
        return "utf-8"
    nuls = head.count(0)
    if nuls > len(head) * _MOST_NULS:
        return _utf_16(head)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls > len(head) * _MOST_CONTROLS:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        plain = sum(map(head.count, range(32, 127))) + head.count(10) + head.count(9)
        return "latin-1" if plain > len(head) / 2 else None
    return "utf-8"


def _utf_16(head: bytes) -> str | None:
    """By the zeros of the letters that ASCII has too."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > len(head) * 0.3 and even < len(head) * 0.02:
        return "utf-16-le"
    if even > len(head) * 0.3 and odd < len(head) * 0.02:
        return "utf-16-be"
    return None


class Decoder:
    """Decodes piece after piece. Where a text turns out not to be UTF-8, it goes on as latin-1 and says so."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.odd: str | None = None
        """Why the encoding is a guess."""
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._given = 0

    def decode(self, data: bytes, *, last: bool = False) -> str:
        """Raises Damaged where the text ends within a character, or is not in the encoding that its mark tells."""
        try:
            text = self._decoder.decode(data, last)
        except UnicodeDecodeError as error:
            text = self._otherwise(error, len(data), last=last)
        self._given += len(data)
        return text

    def _otherwise(self, error: UnicodeDecodeError, size: int, *, last: bool) -> str:
        if last and ("unexpected end" in error.reason or "truncated" in error.reason):
            raise Damaged(f"half-written: ends in the middle of a character ({self.encoding})") from error
        if self.encoding not in SINGLE:
            raise Damaged(f"is not {self.encoding}, as its first bytes say: {error.reason}") from error
        wrong = error.object[error.start]
        offset = self._given + size - len(error.object) + error.start
        self.odd = f"latin-1 is a guess: byte 0x{wrong:02x} at offset {offset:,} is not UTF-8"
        self.encoding = "latin-1"
        self._decoder = codecs.getincrementaldecoder("latin-1")()
        return error.object.decode("latin-1")
