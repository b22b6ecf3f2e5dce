"""Plain text: cleaning what a stranger wrote, measuring it, and putting numbers into words."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement, clearing
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC and the other strings: titles, links, clipboard
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one character
    r"|\x1b[ -/]*[0-~]?"  # every other sequence, and a lone ESC
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# C0 but tab and newline, DEL, C1, and the controls that reorder text so that it reads as something else.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WORDS = re.compile(r"( *)([^ ]+)")

TAB = 4


def clean(text: str) -> str:
    """`text` without anything that moves a cursor, colours, or rings; tabs become spaces, newlines stay."""
    if text.isprintable():  # nearly every line of a log
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text)).expandtabs(TAB)


def clean_keep_colour(text: str) -> str:
    """As `clean`, but colour sequences stay, and a line that sets a colour ends by resetting it."""
    if text.isprintable():
        return text
    parts: list[str] = []
    at = 0
    for match in _COLOUR.finditer(text):
        parts += [clean(text[at : match.start()]), match.group()]
        at = match.end()
    parts.append(clean(text[at:]))
    return "".join(parts) + ("\x1b[0m" if at else "")


def one_line(text: str) -> str:
    """`text`, cleaned, on one line."""
    return " ".join(clean(text).split())


def quoted(text: str) -> str:
    """`text` as one word for bash, on one line: plain where it can be, else in quotes, else as `$'...'`."""
    if text.isprintable():
        return shlex.quote(text)
    named = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "$'" + "".join(named.get(c) or (c if c.isprintable() else _escaped(c)) for c in text) + "'"


def _escaped(character: str) -> str:
    # Bytes, not code points: `\\u` in bash depends on the locale.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def width(text: str) -> int:
    """Terminal columns that `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def shorten(text: str, columns: int, mark: str = "…") -> str:
    """`text` in at most `columns` columns; what does not fit at its end is replaced by `mark`."""
    if width(text) <= columns:
        return text
    if columns <= width(mark):
        return mark[: max(columns, 0)]
    kept: list[str] = []
    room = columns - width(mark)
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + mark


def shorten_middle(text: str, columns: int, mark: str = "…") -> str:
    """As `shorten`, but both ends stay: step names often differ in their ends only. Counts characters."""
    if len(text) <= columns:
        return text
    room = columns - len(mark)
    if room < 2:
        return shorten(text, columns, mark)
    return text[: room - room // 2] + mark + text[-(room // 2) :]


def wrap(text: str, columns: int) -> str:
    """`text` with its lines broken between words; a word longer than `columns`, as a path, stays whole. Colours are
    no columns."""
    return "\n".join(_broken(line, columns) for line in text.split("\n"))


def _broken(line: str, columns: int) -> str:
    kept, room = "", columns
    for gap, word in _WORDS.findall(line):
        taken = len(gap) + width(_COLOUR.sub("", word))
        if taken > room and kept:
            kept, room = f"{kept}\n{word}", columns - (taken - len(gap))
        else:
            kept, room = f"{kept}{gap}{word}", room - taken
    return kept


def seconds(value: float) -> str:
    """A duration: `0.4 s`, `12.3 s`, `2:05`, `1:02:05`."""
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(value: int) -> str:
    """A number of bytes in binary units, as the engine counts memory: `512 MiB`, `1.5 GiB`, `17 bytes`."""
    if abs(value) < 1024:
        return count(value, "byte")
    amount = float(value)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if amount < 1023.95 or unit == "TiB":
            break
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Sequence[str], limit: int = 0) -> str:
    """`a`, `a and b`, `a, b and c`; with `limit`, the first ones and how many more."""
    if limit and len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def table(rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset(), gap: str = "  ") -> list[str]:
    """Aligned lines; the columns in `right` are aligned to the right. Ragged rows are allowed."""
    cells = [list(row) for row in rows]
    columns = max(map(len, cells), default=0)
    widths = [max((width(row[i]) for row in cells if i < len(row)), default=0) for i in range(columns)]
    lines = []
    for row in cells:
        parts = [
            " " * (widths[i] - width(cell)) + cell if i in right else pad(cell, widths[i]) for i, cell in enumerate(row)
        ]
        lines.append(gap.join(parts).rstrip())
    return lines
