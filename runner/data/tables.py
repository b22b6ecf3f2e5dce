"""What is known of a file without running anything: its format, and for a table its columns.

The words for formats and for the types of columns are `runner.spec.families`, since people write them, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.spec.families import Family as Family
from runner.spec.families import Format as Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table, as far as it was read."""

    name: str
    family: Family
    nulls: int = 0
    """Missing values in the rows that were read."""
    nullable: bool = False
    """Whether a value may be missing: one is, or the file's own schema says so."""
    minimum: float | str | None = None
    maximum: float | str | None = None
    """Of numbers, and (as ISO 8601) of times."""
    unique: bool | None = None
    """Whether no value came twice; None where that was not counted."""
    values: tuple[str, ...] = ()
    """The different values, sorted, where they are few (a category or bool); else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSchema:
    """One file. `fault` is why it cannot be read as what it claims to be, in words; then the rest is what is known."""

    path: str
    """Relative to the directory that was looked at, with `/`."""
    size: int
    """Bytes on the disk."""
    format: Format
    compression: str | None = None
    """`gzip`, `bz2`, `xz`, `zstd`, or for parquet that of its column chunks; None: none."""
    encoding: str | None = None
    """Of a text: `utf-8`, `utf-8-sig`, `utf-16`, `latin-1` (a guess), ..."""
    delimiter: str | None = None
    header: bool | None = None
    """Of a delimited text: whether its first line names the columns; without, names are `0`, `1`, ..."""
    columns: tuple[Column, ...] | None = None
    """None: not a table."""
    rows: int | None = None
    """Rows of the table; None: not a table, or not counted. An estimate unless `complete`."""
    complete: bool = False
    """Whether the whole file was read, so that `rows`, `nulls`, ranges and `unique` hold for all of it."""
    shape: tuple[int, ...] | None = None
    """Of an array, or an image (height, width)."""
    members: tuple[str, ...] = ()
    """Names in an archive (the first thousand), arrays of an npz, modules and classes that a pickle names."""
    fault: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    """What else a person may want to know, as `{"row groups": "3"}`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names; none for what is no table."""
        return tuple(column.name for column in self.columns or ())
