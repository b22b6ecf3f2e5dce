"""One column of a file, read to its end: for what a file's schema leaves open.

A parquet file's footer knows nothing of the different values of a column, an array's header nothing of any value, and
of a column of numbers no different values are listed. Read in pieces; to tell whether a value came twice no more than
`MOST` are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from runner.data.reading import never
from runner.data.tables import Column, FileSchema
from runner.spec.families import NUMBERS, Family, Format
from runner.spec.values import parsed

MOST = 1_000_000
_PIECE = 50_000
"""Rows."""
_ORDERED = (*NUMBERS, Family.DATETIME)


def counted(
    root: Path, schema: FileSchema, column: Column, few: int, stopped: Callable[[], bool] = never
) -> Column | None:
    """The column with its missing values, ends, uniqueness and different values, of all of the file. Of more than `few`
    different values `few` and some are given, so that one is among them that no list of `few` has.

    None where this cannot be told: of other formats than parquet, npy, csv and tsv, of nested and binary values, of a
    file that cannot be read, or once `stopped` says so.
    """
    pieces = _READERS.get(schema.format)
    path = root / schema.path
    if pieces is None or column.family in (Family.NESTED, Family.BINARY) or not path.is_file():
        return None
    count = _Count(column.family, few)
    try:
        for piece in pieces(path, schema, column):
            if stopped():
                return None
            count.add(piece)
    except (OSError, ValueError, ImportError, KeyError):  # pandas, numpy and pyarrow say ValueError of bad bytes
        return None  # and the caller says that it is not known
    return count.column(column)


class _Count:
    def __init__(self, family: Family, few: int) -> None:
        self._family, self._most_values = family, few
        self._nulls = 0
        self._low: Any = None
        self._high: Any = None
        self._few: set[Any] = set()
        self._seen: set[Any] | None = set()
        self._unique: bool | None = True

    def add(self, piece: list[Any]) -> None:
        present = [value for value in piece if value is not None and value == value]  # NaN, NaT
        self._nulls += len(piece) - len(present)
        different = set(present)
        if present and self._family in _ORDERED:
            low, high = min(different), max(different)
            self._low = low if self._low is None else min(self._low, low)
            self._high = high if self._high is None else max(self._high, high)
        if len(self._few) <= self._most_values:
            self._few |= different
        if self._seen is not None:
            if len(different) < len(present) or not self._seen.isdisjoint(different):
                self._unique, self._seen = False, None
            elif len(self._seen) + len(different) > MOST:
                self._unique, self._seen = None, None
            else:
                self._seen |= different

    def column(self, column: Column) -> Column:
        texts = tuple(sorted(map(_text, self._few)))
        low, high = _end(self._low), _end(self._high)
        return replace(column, nulls=self._nulls, unique=self._unique, values=texts, minimum=low, maximum=high)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _end(value: Any) -> float | str | None:
    return value.isoformat() if isinstance(value, date) else value


def _parquet(path: Path, schema: FileSchema, column: Column) -> Iterator[list[Any]]:  # noqa: ARG001
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_PIECE, columns=[column.name]):
            yield batch.column(0).to_pylist()


def _npy(path: Path, schema: FileSchema, column: Column) -> Iterator[list[Any]]:  # noqa: ARG001
    import numpy as np

    whole = np.load(path, mmap_mode="r", allow_pickle=False)
    one = whole[column.name] if whole.dtype.names else whole[:, int(column.name)]
    for start in range(0, len(one), _PIECE):
        yield one[start : start + _PIECE].tolist()


def _delimited(path: Path, schema: FileSchema, column: Column) -> Iterator[list[Any]]:
    import pandas as pd

    named = schema.header is not False
    reader = pd.read_csv(
        path,
        sep=schema.delimiter or ("\t" if schema.format is Format.TSV else ","),
        header=0 if named else None,
        usecols=[column.name] if named else [int(column.name)],
        dtype=str,
        encoding=schema.encoding or "utf-8",
        compression=schema.compression,  # type: ignore[arg-type]
        chunksize=_PIECE,
    )
    with reader:
        for frame in reader:
            texts = frame.iloc[:, 0]
            yield [None if text != text else _value(text, column.family) for text in texts.tolist()]


def _value(text: str, family: Family) -> Any:
    if family not in (*NUMBERS, Family.DATETIME, Family.BOOL):
        return text
    found = parsed(text.strip(), family)
    if found is None:
        raise ValueError(text)
    return datetime.fromisoformat(str(found)) if family is Family.DATETIME else found


_READERS: dict[Format, Callable[[Path, FileSchema, Column], Iterator[list[Any]]]] = {
    Format.PARQUET: _parquet,
    Format.NPY: _npy,
    Format.CSV: _delimited,
    Format.TSV: _delimited,
}


def unnamed(schema: FileSchema) -> tuple[Column, ...]:
    """The columns of what has rows but names none: `0`, `1`, ... of a matrix, and of libsvm `label` and its features by
    their numbers. Their values are not known."""
    if schema.columns is not None or schema.shape is None or len(schema.shape) != 2:
        return schema.columns or ()
    if schema.format is Format.LIBSVM:
        first, _, last = schema.details.get("indices", f"1 to {schema.shape[1]}").partition(" to ")
        names = ["label", *(str(number) for number in range(int(first), int(last) + 1))]
        return tuple(Column(name=name, family=Family.FLOAT) for name in names)
    if schema.format is not Format.NPY:
        return ()
    kinds = {"b": Family.BOOL, "i": Family.INT, "u": Family.INT}
    family = kinds.get(schema.details.get("dtype", "").lstrip("<>|=")[:1], Family.FLOAT)
    return tuple(Column(name=str(number), family=family) for number in range(schema.shape[1]))
