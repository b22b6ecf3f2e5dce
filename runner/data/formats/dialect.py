"""How a delimited text is written: its delimiter, and whether its first line names the columns."""

from __future__ import annotations

import collections
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from runner.data.formats.values import text_family
from runner.data.tables import Family

_DELIMITERS = "\t;|,"
"""The rarer one in prose and numbers first: where two would do, the second is part of the values."""
_LOOKED_AT = 200
_MOSTLY = 0.8
_NUMBERS = {Family.INT, Family.FLOAT}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A delimiter, and how well the first rows obey it."""

    delimiter: str
    width: int
    even: bool
    """Whether every row that was looked at has that many fields."""
    rows: int


def dialect_of(text: str, *, ended: bool) -> Dialect | None:
    """The delimiter by the first rows of a text; None where it has no row. A single column gets a comma.

    `ended`: the text is all there is; otherwise its last row, which may be cut, does not count.
    """
    found = [dialect for each in _DELIMITERS if (dialect := _tried(text, each, ended=ended)) is not None]
    if not found:
        return None
    even = [dialect for dialect in found if dialect.even and dialect.width > 1]
    if even:
        return even[0]
    mostly = [dialect for dialect in found if dialect.width > 1]
    comma = found[-1]
    return max(mostly, key=lambda dialect: dialect.width) if mostly else Dialect(",", 1, comma.width == 1, comma.rows)


def _tried(text: str, delimiter: str, *, ended: bool) -> Dialect | None:
    widths: list[int] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                widths.append(len(row))
            if len(widths) > _LOOKED_AT:
                break
    except csv.Error:  # a field that is too long: what came before it counts
        pass
    if not ended and len(widths) > 1 and len(widths) <= _LOOKED_AT:
        widths.pop()
    if not widths:
        return None
    width, often = collections.Counter(widths).most_common(1)[0]
    return Dialect(delimiter, width if often >= _MOSTLY * len(widths) else 1, often == len(widths), len(widths))


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these rows names the columns.

    It does where more of its texts stand above a column of another kind (`age` above numbers) than of its values fit
    in with what is below (a number above numbers); where nothing tells, also, as pandas assumes, unless a value of it
    comes again in its column. `0,1,2` (and `,0,1,2`) are the names that pandas gives to columns without any.
    """
    first, rest = rows[0], rows[1 : _LOOKED_AT + 1]
    rest = [row for row in rest if row != first] or rest  # several files in one, each with its header
    counted = first[1:] if first and first[0] == "" else first
    if len(counted) > 2 and list(counted) == [str(number) for number in range(len(counted))]:
        return True
    names, values, again = 0, 0, False
    for place, text in enumerate(first):
        below = [row[place] for row in rest if len(row) > place]
        own, kind = text_family(text), _common({text_family(each) for each in set(below)})
        if own is Family.NULL:
            values += place > 0
        elif own is Family.STRING:
            names += kind not in (Family.NULL, Family.STRING)
            again = again or text in below
        else:
            values += not below or own is kind or kind is Family.NULL or {own, kind} <= _NUMBERS
    if names or values:
        return names >= max(values, 1)
    return not again


def _common(kinds: set[Family]) -> Family:
    kinds.discard(Family.NULL)
    if not kinds:
        return Family.NULL
    if kinds == _NUMBERS:
        return Family.FLOAT
    return kinds.pop() if len(kinds) == 1 else Family.STRING


def column_names(first: Sequence[str]) -> list[str]:
    """As pandas calls them: `Unnamed: 0` for an empty name, and `a.1` for the second `a`."""
    names: list[str] = []
    taken: set[str] = set()
    for place, text in enumerate(first):
        name = base = text or f"Unnamed: {place}"
        count = 0
        while name in taken:
            count += 1
            name = f"{base}.{count}"
        taken.add(name)
        names.append(name)
    return names
