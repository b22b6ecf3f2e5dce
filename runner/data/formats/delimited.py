"""Comma-, tab-, semicolon- or bar-separated text.

Rows are numbered from 1, the header not counted. Blank lines are none, and a row that is too short has missing values,
as for pandas; a row that is too long is a fault, as for pandas.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.data.formats.contents import DataFile, Limits
from runner.data.formats.dialect import Dialect, column_names, has_header
from runner.data.formats.lines import LONGEST, Lines
from runner.data.formats.rows import MOST_COLUMNS, Grid
from runner.data.tables import FileSchema, Format

_CHUNK = 1 << 18
"""Characters that are counted together."""
_LONGEST_ROW = 8 << 20
_FIRST, _FEWEST = 200, 5
"""Rows that tell the header; and those that are read of however wide a table."""
_END = "\0end of the text\0"
"""Comes back as a row of its own if and only if no quoted value is open before it."""


@dataclass
class _Rows:
    """Rows of the whole text, in order, as many at a time as come; and how their reading ended."""

    lines: Lines
    delimiter: str
    fault: str | None = None
    stopped: str | None = None
    broken_lines: bool = False
    """Whether a value has a line end in it, so that no place in the middle is sure to be a row's beginning."""
    closed: bool = False
    """Whether the text came to its end outside of a quoted value."""
    width: int = 0
    """Of the last row."""
    _line: int = 0
    """Lines whose rows were given."""

    def __iter__(self) -> Iterator[list[list[str]]]:
        waiting: list[str] = []
        for batch in self.lines.batches():
            waiting += batch
            self._check(waiting)
            rows = [] if self.fault else self._parsed(waiting)
            if rows:
                self.width = len(rows[-1])
                yield rows
            if self.fault or self.stopped:
                return
        self.closed = not waiting and self.lines.fault is None
        if waiting and self.lines.ended:
            self.fault = f"a quoted value in the row of line {self._line + self._open_at(waiting):,} is never closed"
            yield self._parsed(waiting, to_the_end=True)

    def _open_at(self, lines: list[str]) -> int:
        """The line, from 1, in which the last row of these begins."""
        reader = csv.reader(lines, delimiter=self.delimiter)
        ends = [0, *(reader.line_num for _ in reader)]
        return ends[-2] + 1

    def _check(self, lines: list[str]) -> None:
        if sum(map(len, lines)) > _LONGEST_ROW:
            self.fault = f"a row in or after line {self._line + 1:,} has more than {_LONGEST_ROW:,} characters"
        for line in lines:
            if len(line) > MOST_COLUMNS and line.count(self.delimiter) >= MOST_COLUMNS:
                self.fault = f"a line after {self._line:,} has more than {MOST_COLUMNS:,} fields: not looked into"

    def _parsed(self, lines: list[str], *, to_the_end: bool = False) -> list[list[str]]:
        """The rows of these lines, which are cleared; none yet if the last one is still open."""
        rows: list[list[str]] = []
        reader = csv.reader(itertools.chain(lines, (_END,)), delimiter=self.delimiter)
        try:
            rows.extend(reader)
        except csv.Error as error:  # of what came before it `extend` has kept all
            self.stopped = f"in line {self._line + reader.line_num:,}: {error}"
        else:
            last = rows.pop()
            if last != [_END] and not to_the_end:
                return []
            self.broken_lines = self.broken_lines or len(rows) != len(lines)
        self._line += len(lines)
        lines.clear()
        return [row for row in rows if row]


def read_delimited(file: DataFile, encoding: str, dialect: Dialect, limits: Limits) -> FileSchema:
    """Its columns, from the rows up to the budget and some blocks further on, or from all rows. Raises Damaged."""
    lines = Lines(file.content(), encoding)
    rows = _Rows(lines, dialect.delimiter)
    chunks = _chunks(rows, limits)
    first = next(chunks, [])
    header = bool(first) and has_header(first)
    details: dict[str, str] = {}
    grid = Grid(_names(first, dialect, details, header=header))
    grid.add(first[1:] if header else first)
    for chunk in chunks:
        grid.add(chunk)
    half = _half(grid, rows.width) if lines.cut else None
    complete = rows.closed and not rows.fault
    count: int | None = grid.rows
    if not complete:
        count, half = _further(file, rows, grid, details)
        details["rows read"] = f"{grid.rows:,}"
        count = None if lines.fault or rows.fault or rows.stopped else count
    if rows.stopped:
        details["not read further"] = rows.stopped
    return replace(
        file.base,
        format=Format.TSV if dialect.delimiter == "\t" else Format.CSV,
        encoding=lines.decoder.encoding,
        delimiter=dialect.delimiter,
        header=header,
        columns=grid.columns(),
        rows=count,
        complete=complete,
        fault=_fault(grid, rows, half, nothing=not first),
        details={**lines.details, **details, **_short(grid, half), **grid.mixtures()},
    )


def _chunks(rows: _Rows, limits: Limits) -> Iterator[list[list[str]]]:
    """Some rows at a time; those that tell the header first."""
    chunk: list[list[str]] = []
    begun, count, first = 0, 0, True
    for some in rows:
        chunk += some
        count += len(some)
        size = rows.lines.given - begun
        enough = len(chunk) >= _FIRST if first else size > _CHUNK and len(chunk) >= _FEWEST
        if enough or size > LONGEST:
            yield chunk
            chunk, begun, first = [], rows.lines.given, False
        beyond = count >= limits.rows or (count > _FEWEST and rows.lines.given > limits.budget)
        if not limits.whole and beyond and not rows.lines.ended:
            break
    if chunk:
        yield chunk


def _names(first: list[list[str]], dialect: Dialect, details: dict[str, str], *, header: bool) -> list[str]:
    if not header:
        return [str(place) for place in range(max(dialect.width, len(first[0])))] if first else []
    head = first[0]
    if len(first) > 1 and all(len(row) == len(head) + 1 for row in first[1:]):
        details["header"] = "one name fewer than the rows have fields: pandas takes the first as the index"
        head = ["", *head]
    names = column_names(head)
    renamed = [f"{new} (was {old!r})" for old, new in zip(head, names, strict=True) if old != new]
    if renamed:
        details["renamed columns"] = ", ".join(renamed[:20])
    return names


def _further(file: DataFile, rows: _Rows, grid: Grid, details: dict[str, str]) -> tuple[int, str | None]:
    """Look into blocks further on. Returns an estimate of all rows, and what is wrong with the last row."""
    seen, aside, half = rows.lines.given, 0, None
    known = not (rows.broken_lines or rows.fault or rows.stopped or rows.lines.fault)
    for text, cut in rows.lines.later(file) if known else ():
        try:
            found = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=rows.delimiter) if row]
        except csv.Error:
            aside += 1
            continue
        if found and cut:
            half = _half(grid, len(found[-1]))
            found = found[:-1] if half else found
        if '"' in text and any(len(row) != len(grid.names) for row in found):
            aside += 1  # it may begin within a quoted value
            continue
        grid.add(found, numbered=False)
        seen += len(text)
    if aside:
        details["blocks set aside"] = f"{aside}, whose rows did not fit: read the file whole"
    return max(grid.rows, round(grid.rows * rows.lines.in_all() / max(1, seen))), half


def _half(grid: Grid, width: int) -> str | None:
    """Of a text whose last line has no end: whether its last row was cut."""
    wanted = len(grid.names)
    return f"half-written: the last row has {width:,} of {wanted:,} fields and no line end" if width < wanted else None


def _fault(grid: Grid, rows: _Rows, half: str | None, *, nothing: bool) -> str | None:
    long = f"{grid.long[0]} (such rows that were read: {grid.uneven[0]:,})" if grid.long else None
    blank = "has only blank lines" if nothing and not rows.lines.fault and not rows.fault else None
    found = (rows.lines.fault, rows.fault, rows.lines.nuls, long, half, blank)
    return "; ".join(fault for fault in found if fault) or None


def _short(grid: Grid, half: str | None) -> dict[str, str]:
    if not grid.short or (half and grid.uneven[1] == 1):
        return {}
    return {"short rows": f"{grid.uneven[1]:,}: {grid.short[0]}; the rest counts as missing"}
