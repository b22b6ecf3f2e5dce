"""Columns of values as the bytes of a file, in each format that can be written."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from runner.errors import UsageError
from runner.spec.families import Family, Format
from runner.spec.names import listed

_LABEL = "label"


@dataclass(frozen=True, slots=True)
class Made:
    """A column and its values; None is a missing one."""

    name: str
    family: Family
    values: list[Any]


Writer = Callable[[Sequence[Made], int], bytes]
"""Takes the columns, and how many rows they have."""


def _csv(delimiter: str) -> Writer:
    """With a line of names, unless the columns are called `0`, `1`, ..., as those without such a line are."""

    def write(columns: Sequence[Made], rows: int) -> bytes:
        _refuse(columns, (Family.NESTED, Family.BINARY), "text with delimiters")
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        if not _counted(columns):
            writer.writerow([column.name for column in columns])
        writer.writerows([_plain(value, "") for value in row] for row in _rows(columns, rows))
        return text.getvalue().encode()

    return write


def _json(columns: Sequence[Made], rows: int) -> bytes:
    """A list of objects, one on a line."""
    lines = ",\n".join(_objects(columns, rows))
    return f"[\n{lines}\n]\n".encode() if lines else b"[]\n"


def _jsonl(columns: Sequence[Made], rows: int) -> bytes:
    return "".join(f"{line}\n" for line in _objects(columns, rows)).encode()


def _objects(columns: Sequence[Made], rows: int) -> Iterator[str]:
    _refuse(columns, (Family.BINARY,), "JSON")
    names = [column.name for column in columns]
    for row in _rows(columns, rows):
        values = (_plain(value, None) for value in row)
        yield json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False)


def _parquet(columns: Sequence[Made], rows: int) -> bytes:  # noqa: ARG001
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("a parquet file needs pyarrow", remedy="pip install 'run-pipeline[parquet]'") from None
    types = {
        Family.INT: pa.int64(),
        Family.FLOAT: pa.float64(),
        Family.BOOL: pa.bool_(),
        Family.STRING: pa.string(),
        Family.CATEGORY: pa.dictionary(pa.int32(), pa.string()),
        Family.DATETIME: pa.timestamp("us"),
        Family.NESTED: pa.list_(pa.float64()),
        Family.BINARY: pa.binary(),
    }
    arrays = [pa.array(column.values, types[column.family]) for column in columns]
    fields = [
        pa.field(column.name, array.type, nullable=None in column.values)
        for column, array in zip(columns, arrays, strict=True)
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sink, compression="none")
    return sink.getvalue()


def _npy(columns: Sequence[Made], rows: int) -> bytes:
    """Columns called `0`, `1`, ... are a matrix of numbers; others, which have names, an array of records."""
    import numpy as np

    if _counted(columns):
        _only_numbers(columns, "a matrix")
        whole = all(column.family in (Family.INT, Family.BOOL) and None not in column.values for column in columns)
        matrix = [[_number(value) for value in row] for row in _rows(columns, rows)]
        array = np.array(matrix, dtype="<i8" if whole else "<f8").reshape(rows, len(columns))
    else:
        _refuse(columns, (Family.NESTED, Family.BINARY), "an array of records")
        types = [(column.name, _record_type(column)) for column in columns]
        records = [tuple(_number(value) for value in row) for row in _rows(columns, rows)]
        array = np.array(records, dtype=types)
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    return sink.getvalue()


def _record_type(column: Made) -> str:
    if column.family is Family.INT and None not in column.values:
        return "<i8"
    if column.family in (Family.INT, Family.FLOAT):
        return "<f8"
    if None in column.values:
        message = f"column '{column.name}': an array of records has no word for a missing {column.family}"
        raise UsageError(message, remedy="leave out `nullable`, or ask for another format")
    longest = max((len(str(value)) for value in column.values), default=1)
    return {Family.BOOL: "?", Family.DATETIME: "<M8[s]"}.get(column.family, f"<U{longest}")


def _libsvm(columns: Sequence[Made], rows: int) -> bytes:
    """The column `label`, and features by the numbers that they are called by: it has no other names."""
    _only_numbers(columns, "libsvm")
    other = [column.name for column in columns if column.name != _LABEL and not column.name.isdecimal()]
    label = next((column for column in columns if column.name == _LABEL), None)
    if other or label is None:
        lacks = f"no names as {listed(other)}" if other else "always a label"
        raise UsageError(f"libsvm has {lacks}", remedy="call its columns label, 1, 2, ...")
    if None in label.values:
        raise UsageError(f"column '{label.name}': a label of libsvm cannot be missing", remedy="leave out `nullable`")
    features = sorted((column for column in columns if column is not label), key=lambda column: int(column.name))
    lines = []
    for row in range(rows):
        cells = [f"{int(column.name)}:{value}" for column in features if (value := _value(column, row)) is not None]
        lines.append(" ".join([str(_number(label.values[row])), *cells]))
    return "".join(f"{line}\n" for line in lines).encode()


def _value(column: Made, row: int) -> Any:
    value = column.values[row]
    return None if value is None else _number(value)


def _rows(columns: Sequence[Made], rows: int) -> Iterator[tuple[Any, ...]]:
    for row in range(rows):
        yield tuple(column.values[row] for column in columns)


def _counted(columns: Sequence[Made]) -> bool:
    return [column.name for column in columns] == [str(n) for n in range(len(columns))]


def _plain(value: Any, missing: Any) -> Any:
    if value is None:
        return missing
    return value.isoformat() if isinstance(value, datetime) else value


def _number(value: Any) -> Any:
    if value is None:
        return float("nan")
    return int(value) if isinstance(value, bool) else value


def _only_numbers(columns: Sequence[Made], what: str) -> None:
    _refuse(columns, tuple(set(Family) - {Family.INT, Family.FLOAT, Family.BOOL}), what)


def _refuse(columns: Sequence[Made], families: Sequence[Family], what: str) -> None:
    found = [f"{column.name} ({column.family})" for column in columns if column.family in families]
    if found:
        raise UsageError(f"{what} cannot hold the columns {listed(found)}", remedy="ask for another format, as parquet")


WRITERS: Mapping[Format, Writer] = MappingProxyType(
    {
        Format.CSV: _csv(","),
        Format.TSV: _csv("\t"),
        Format.JSON: _json,
        Format.JSONL: _jsonl,
        Format.PARQUET: _parquet,
        Format.NPY: _npy,
        Format.LIBSVM: _libsvm,
    }
)
