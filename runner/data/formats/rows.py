"""Tables that grow row by row: of delimited texts (every row has all columns) and of records (a row may lack some)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.data.formats.contents import Damaged
from runner.data.formats.families import Room, Tally
from runner.data.tables import Column

MOST_COLUMNS = 200_000
_MIXTURES = 20
_CHUNK = 1000


class Grid:
    """Rows of texts under fixed names. Rows that are longer or shorter are counted and told."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.rows = 0
        self.long: list[str] = []
        self.short: list[str] = []
        """In words, the first only; and how many there are:"""
        self.uneven = [0, 0]
        room = Room()
        self.tallies = [Tally(room) for _ in names]

    def add(self, rows: Sequence[list[str]], *, numbered: bool = True) -> None:
        """Rows of the table; not numbered where they come from the middle of the file."""
        first = self.rows + 1
        if set(map(len, rows)) - {len(self.names)}:
            rows = [self._fitted(row, first + index if numbered else None) for index, row in enumerate(rows)]
        self.rows += len(rows)
        for tally, values in zip(self.tallies, zip(*rows, strict=True), strict=True) if rows else ():
            tally.add_texts(values, first if numbered else None)

    def _fitted(self, row: list[str], number: int | None) -> list[str]:
        """As pandas does with a short row; a long one it refuses."""
        wanted = len(self.names)
        if len(row) == wanted:
            return row
        told, which = (self.long, 0) if len(row) > wanted else (self.short, 1)
        self.uneven[which] += 1
        if not told:
            where = "a row further on" if number is None else f"row {number:,}"
            told.append(f"{where} has {len(row):,} fields, {wanted:,} were expected")
        return row[:wanted] + [""] * (wanted - len(row))

    def columns(self) -> tuple[Column, ...]:
        """What is known of each."""
        return tuple(tally.column(name, self.rows) for name, tally in zip(self.names, self.tallies, strict=True))

    def mixtures(self) -> dict[str, str]:
        """Mixed columns, for `details`."""
        return mixtures(zip(self.names, self.tallies, strict=True))


class Records:
    """Rows that name their own values: objects of JSON, or arrays, whose names are `0`, `1`, ..."""

    def __init__(self) -> None:
        self.rows = 0
        self.other: str | None = None
        """The first row that is neither, in words."""
        self._room = Room()
        self._tallies: dict[str, Tally] = {}
        self._waiting: dict[str, list[tuple[object, int | None]]] = {}

    def add(self, row: object, *, numbered: bool = True) -> None:
        """One row. Raises Damaged where there are too many columns to look into."""
        self.rows += 1
        number = self.rows if numbered else None
        named: Mapping[str, Any] = {}
        if isinstance(row, dict):
            named = row
        elif isinstance(row, list):
            named = {str(index): value for index, value in enumerate(row)}
        elif self.other is None:
            self.other = f"row {self.rows:,} is neither an object nor an array, but {type(row).__name__}"
        for name, value in named.items():
            self._waiting.setdefault(name, []).append((value, number))
        if self.rows % _CHUNK == 0 or len(self._waiting) > _CHUNK:
            self._count()

    def _count(self) -> None:
        for name, values in self._waiting.items():
            if name not in self._tallies:
                if len(self._tallies) >= MOST_COLUMNS:
                    raise Damaged(f"has more than {MOST_COLUMNS:,} different keys: not looked into further")
                self._tallies[name] = Tally(self._room)
            self._tallies[name].add_values(values)
        self._waiting.clear()

    def columns(self) -> tuple[Column, ...]:
        """What is known of each, in the order in which they first came."""
        self._count()
        return tuple(tally.column(name, self.rows) for name, tally in self._tallies.items())

    def mixtures(self) -> dict[str, str]:
        """Mixed columns, for `details`."""
        return mixtures(self._tallies.items())


def mixtures(tallies: Iterable[tuple[str, Tally]]) -> dict[str, str]:
    """What the mixed columns are made of, by `column NAME`; the first twenty."""
    found: dict[str, str] = {}
    for name, tally in tallies:
        mixture = tally.mixture()
        if mixture is not None:
            found[f"mixed column {name}"] = mixture
            if len(found) == _MIXTURES:
                break
    return found
