"""What one column is, told from its values, chunk by chunk; of the values little is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from runner.data.formats.values import MISSING, Group, json_family, json_group, kinds_of
from runner.data.tables import Column, Family

FEW = 50
"""A text column of at most so many different values, each there `OFTEN` times on average, is a category."""
OFTEN = 5
_SHORT = 64
"""Characters of a category's value at most."""
_LONG = 1 << 63


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
        groups = kinds_of(distinct)
        for family, texts, _ in groups:
            if family not in self._samples:
                first = next(index for index, value in enumerate(values) if value in texts)
                self._samples[family] = (values[first], None if row is None else row + first)
        self._take(groups, present)

    def add_values(self, values: Iterable[tuple[object, int | None]]) -> None:
        """Values of JSON, each with its row; missing ones count as if they were not there."""
        by_family: dict[Family, list[Any]] = {}
        for value, row in values:
            family = json_family(value)
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
            self._take([json_group(family, found) for family, found in by_family.items()], present)

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


def _bound(value: Any) -> float | str | None:
    if not isinstance(value, dt.datetime):
        return value  # type: ignore[no-any-return]  # an int or float
    return value.isoformat()


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."
