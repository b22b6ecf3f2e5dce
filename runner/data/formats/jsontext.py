"""Reads a JSON document of any size value by value, without holding more than one value of it."""

from __future__ import annotations

import json
import re
from typing import Any

from runner.data.formats.contents import Content, Damaged
from runner.data.formats.encoding import Decoder

_BLOCK = 1 << 16
_LONGEST = 2 << 20
"""Characters of one value, such as a record."""
_SPACE = re.compile(r"[ \t\r\n]*+")


class JsonText:
    """A position in a document. Everything here raises Damaged for what is no JSON, and OSError."""

    def __init__(self, content: Content, encoding: str) -> None:
        self.decoder = Decoder(encoding)
        self._content, self._text, self._at, self._ended = content, "", 0, False
        self._line, self._gone = 1, 0
        self._decode = json.JSONDecoder().raw_decode

    @property
    def given(self) -> int:
        """Characters that were passed."""
        return self._gone + self._at

    def in_all(self) -> float:
        """An estimate of the characters of the whole text."""
        return self._content.total() * (self._gone + len(self._text)) / max(1, self._content.position)

    def next(self) -> str:
        """The next character that is no blank, which stays; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(_BLOCK):
                return ""

    def take(self, wanted: str) -> str:
        """The next character that is no blank, one of `wanted`."""
        found = self.next()
        if not found:
            raise Damaged(f"half-written: ends in the middle, in line {self._line_at(self._at):,}")
        if found not in wanted:
            raise self._broken(f"{found!r} where {' or '.join(map(repr, wanted))} was expected", self._at)
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value."""
        self.next()
        size = _BLOCK
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended:
                    raise self._wrong(error) from error
            except RecursionError as error:
                raise Damaged(f"is nested too deeply to be looked into, in line {self._line_at(self._at):,}") from error
            except ValueError as error:  # an integer of more than 4,300 digits
                raise self._broken(str(error).split(";")[0], self._at) from error
            else:
                if end < len(self._text) or self._ended:
                    self._at = end
                    return value
            if len(self._text) - self._at > _LONGEST:
                raise Damaged(
                    f"the value that begins in line {self._line_at(self._at):,} has more than {_LONGEST:,} "
                    "characters, or is no JSON: not looked into further"
                )
            self._more(size)
            size *= 2

    def _more(self, size: int) -> bool:
        if self._ended:
            return False
        self._line += self._text.count("\n", 0, self._at)
        self._gone += self._at
        self._text = self._text[self._at :]
        self._at = 0
        pieces = [self._text]
        before = len(self._text)
        while size > 0 and not self._ended:
            data = self._content.read(min(size, _BLOCK))
            pieces.append(self.decoder.decode(data, last=not data))
            self._ended = not data
            size -= len(data)
        self._text = "".join(pieces)
        return len(self._text) > before

    def _wrong(self, error: json.JSONDecodeError) -> Damaged:
        rest = self._text[error.pos :].strip()
        if not rest or "Unterminated string" in error.msg:
            return Damaged(f"half-written: ends in the middle, in line {self._line_at(len(self._text)):,}")
        return self._broken(error.msg, error.pos)

    def _broken(self, what: str, place: int) -> Damaged:
        column = place - self._text.rfind("\n", 0, place)
        return Damaged(f"is no JSON: {what}, in line {self._line_at(place):,}, column {column:,}")

    def _line_at(self, place: int) -> int:
        return self._line + self._text.count("\n", 0, place)
