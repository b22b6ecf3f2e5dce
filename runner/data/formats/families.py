"""What the values of one column are, told from the values, chunk by chunk.

Of the texts of a delimited file these are missing, as for pandas' `read_csv`: the empty text, `#N/A`, `#N/A N/A`,
`#NA`, `-1.#IND`, `-1.#QNAN`, `-NaN`, `-nan`, `1.#IND`, `1.#QNAN`, `<NA>`, `N/A`, `NA`, `NULL`, `NaN`, `None`, `n/a`,
`nan`, `null`; nothing else is, not even ` NA`. Of JSON, null and NaN are missing, and a key that a record lacks.

A number is what pandas takes for one (also with blanks around it, `inf`, `.5`), but for one thing: what starts with a
zero and another digit (`007`, a code) is text here, since as a number it would lose its zeros. Integers may have any
size. A bool is `true`, `True`, `TRUE` and the like. A time is ISO 8601: a date, or a date and a time of day, with or
without an offset; all of a column with one or all without. Values of several kinds make a column of strings, but for
integers among floats.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from runner.data.tables import Column, Family

MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
BOOLS = {text: text.lower() for word in ("true", "false") for text in (word, word.title(), word.upper())}
FEW = 50
"""A text column of at most so many different values, each there `OFTEN` times on average, is a category."""
OFTEN = 5
_SHORT = 64
"""Characters of a category's value at most."""
# Possessive (`++`), so that a text of any length is read once.
_INT = r" *+[+-]?+(?:0|[1-9][0-9]{0,3999}+) *+"
_NUMBER = (
    r" *+[+-]?+(?:(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+"
    r"|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?+) *+"
)
_INTS, _NUMBERS = re.compile(f"(?:{_INT}\n)*+"), re.compile(f"(?:{_NUMBER}\n)*+")
_ONE_INT, _ONE_NUMBER = re.compile(_INT), re.compile(_NUMBER)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_LONG = 1 << 63
Group = tuple[Family, Collection[str], Collection[Any]]
"""Different values of one kind: as texts, and as what can be compared."""


class Room:
    """How many values all columns of a table may remember together, to tell whether one came twice."""

    def __init__(self, entries: int = 250_000) -> None:
        self.left = entries


class Tally:
    """One column, as far as it was read."""

    __slots__ = (
        "_few",
        "_high",
        "_low",
        "_many",
        "_mixed",
        "_room",
        "_samples",
        "_seen",
        "_unique",
        "_zones",
        "present",
    )

    def __init__(self, room: Room) -> None:
        self.present = 0
        """Values that are not missing."""
        self._room = room
        self._samples: dict[Family, tuple[object, int | None]] = {}
        """The first value of each kind, and its row."""
        self._mixed = False
        self._low: Any = None
        self._high: Any = None
        self._zones = 0
        """Of times: bit 1 if one has an offset, bit 2 if one has none."""
        self._few: set[str] | None = None
        """Different texts; with `_many` no longer kept. Both sets are made late: there may be 100,000 columns."""
        self._many = False
        self._seen: set[float] | None = None
        """What may not come again, as long as `_unique` is True."""
        self._unique: bool | None = True

    def add_texts(self, values: Sequence[str], row: int | None) -> None:
        """Values of a delimited text; `row` is the number of the first, where it is known."""
        distinct = set(values)
        lacking = distinct & MISSING
        present = len(values) - sum(map(values.count, lacking))
        distinct -= lacking
        self.present += present
        if not distinct:
            return
        if self._mixed or Family.STRING in self._samples:  # text it is and stays
            self._as_text(distinct, present)
            return
        groups = _kinds(distinct)
        for family, texts, _ in groups:
            if family not in self._samples:
                first = next(index for index, value in enumerate(values) if value in texts)
                self._samples[family] = (values[first], None if row is None else row + first)
        self._take(groups, present)

    def add_values(self, values: Iterable[tuple[object, int | None]]) -> None:
        """Values of JSON, each with its row; missing ones count as if they were not there."""
        by_family: dict[Family, list[Any]] = {}
        for value, row in values:
            family = _family(value)
            if family is not None:
                by_family.setdefault(family, []).append(value)
                self._samples.setdefault(family, (value, row))
        present = sum(map(len, by_family.values()))
        self.present += present
        if Family.NESTED in self._samples:
            self._mixed = len(self._samples) > 1
            self._unique = None
            self._forget()
        elif by_family:
            self._take([_json_group(family, found) for family, found in by_family.items()], present)

    def _take(self, groups: Iterable[Group], present: int) -> None:
        """A chunk's different values, of one or more kinds; the first of each kind is noted already."""
        kinds = set(self._samples)
        for family, _, keys in groups:
            for key in keys if family is Family.DATETIME else ():
                self._zones |= 1 if key.tzinfo else 2
        if self._zones == 3 or (len(kinds) > 1 and kinds != {Family.INT, Family.FLOAT}):
            if not self._mixed and self.present > present:  # what is remembered is no text
                self._unique = None
                self._forget()
            self._mixed, self._many, self._few = True, True, None
            self._as_text({text for _, texts, _ in groups for text in texts}, present)
            return
        if kinds == {Family.STRING}:
            self._as_text({text for _, texts, _ in groups for text in texts}, present)
            return
        for family, _, keys in groups:
            if family is Family.BOOL:
                self._label(set(keys))
            else:
                self._low = min(keys) if self._low is None else min(self._low, *_ends(keys))
                self._high = max(keys) if self._high is None else max(self._high, *_ends(keys))
        if self._unique:
            self._remember(_memos(groups), present)

    def _as_text(self, distinct: set[str], present: int) -> None:
        self._label(distinct)
        if self._unique:
            self._remember(set(map(hash, distinct)), present)

    def _label(self, texts: set[str]) -> None:
        if self._many:
            return
        self._few = texts | (self._few or set())
        if len(self._few) > FEW or any(len(text) > _SHORT for text in texts):
            self._many, self._few = True, None

    def _remember(self, memos: set[float], present: int) -> None:
        """Of texts the hash only: of 250,000 no two of the same hash are to be expected in a lifetime."""
        if len(memos) < present or (self._seen and not self._seen.isdisjoint(memos)):
            self._unique = False
            self._forget()
        elif len(memos) > self._room.left:
            self._unique = None
            self._forget()
        else:
            if self._seen is None:
                self._seen = memos
            else:
                self._seen |= memos
            self._room.left -= len(memos)

    def _forget(self) -> None:
        if self._seen is not None:
            self._room.left += len(self._seen)
            self._seen = None

    def family(self) -> Family:
        """As far as the values tell."""
        kinds = set(self._samples)
        if not kinds:
            return Family.NULL
        if self._mixed:
            return Family.STRING
        if len(kinds) > 1:
            return Family.FLOAT
        (only,) = kinds
        often = self._few is not None and self.present >= OFTEN * len(self._few)
        return Family.CATEGORY if only is Family.STRING and often else only

    def column(self, name: str, rows: int) -> Column:
        """What is known, of so many rows."""
        family = self.family()
        ranged = family in (Family.INT, Family.FLOAT, Family.DATETIME)
        listed = family in (Family.CATEGORY, Family.BOOL)
        return Column(
            name=name,
            family=family,
            nulls=rows - self.present,
            nullable=rows > self.present,
            minimum=_bound(self._low) if ranged else None,
            maximum=_bound(self._high) if ranged else None,
            unique=self._unique if self.present else None,
            values=tuple(sorted(self._few or ())) if listed else (),
        )

    def mixture(self) -> str | None:
        """Of which kinds a mixed column is, with an example of each; None: of one."""
        if not self._mixed:
            return None
        examples = [
            f"{family}: {_shown(value)}" + ("" if row is None else f" in row {row:,}")
            for family, (value, row) in sorted(self._samples.items())
        ]
        return "; ".join(examples) if len(examples) > 1 else f"{examples[0]}; times with an offset and without"


def _ends(keys: Collection[Any]) -> tuple[Any, Any]:
    return min(keys), max(keys)


def _memos(groups: Iterable[Group]) -> set[float]:
    """Numbers themselves, as -1 and -2 have the same hash; what is long or no number by its hash."""
    found: set[float] = set()
    for family, _, keys in groups:
        if family is Family.FLOAT:
            found.update(keys)
        elif family is Family.INT:
            found.update(keys if min(keys) > -_LONG and max(keys) < _LONG else map(hash, map(str, keys)))
        else:
            found.update(map(hash, keys))
    return found


def _json_group(family: Family, found: list[Any]) -> Group:
    if family is Family.BOOL:
        texts = {str(value).lower() for value in found}
        return family, texts, texts
    different = set(found)
    texts = set(map(str, different))
    return family, texts, {_time(text) for text in texts} if family is Family.DATETIME else different


def _kinds(distinct: set[str]) -> list[Group]:
    """Texts by what they are, with the values to compare; all at once where all are of one kind."""
    joined = "\n".join(distinct) + "\n"
    if joined.count("\n") == len(distinct):
        if _INTS.fullmatch(joined):
            return [(Family.INT, distinct, set(map(int, distinct)))]
        if _NUMBERS.fullmatch(joined):
            return [(Family.FLOAT, distinct, set(map(float, distinct)))]
    found: dict[Family, dict[str, Any]] = {}
    for text in distinct:
        family, key = _kind(text)
        found.setdefault(family, {})[text] = key
    return [(family, texts.keys(), texts.values()) for family, texts in found.items()]


def _kind(text: str) -> tuple[Family, Any]:
    if _ONE_INT.fullmatch(text):
        return Family.INT, int(text)
    if _ONE_NUMBER.fullmatch(text):
        return Family.FLOAT, float(text)
    if text in BOOLS:
        return Family.BOOL, BOOLS[text]
    moment = _time(text)
    return (Family.STRING, text) if moment is None else (Family.DATETIME, moment)


def _family(value: object) -> Family | None:
    """Of a value of JSON; None: missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return Family.STRING if _time(value) is None else Family.DATETIME
    if isinstance(value, bool):
        return Family.BOOL
    if isinstance(value, int | float):
        return Family.INT if isinstance(value, int) else Family.FLOAT
    return Family.NESTED


def _time(text: str) -> dt.datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:  # a 13th month
        return None
    return moment


def _bound(value: Any) -> float | str | None:
    if not isinstance(value, dt.datetime):
        return value  # type: ignore[no-any-return]  # an int or float
    return value.isoformat()


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."


def text_family(text: str) -> Family:
    """What one text of a delimited file is; NULL: missing."""
    return Family.NULL if text in MISSING else _kind(text)[0]
