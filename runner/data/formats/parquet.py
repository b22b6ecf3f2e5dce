"""Parquet by its footer alone: schema, rows, row groups, and what the statistics say of nulls and ranges.

No data page is read, so a damaged page goes unseen. The marks at both ends, and whether the columns' places lie within
the file, tell a file that was written by half or cut.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from runner.data.formats.contents import INSTALL, DataFile
from runner.data.formats.rows import MOST_COLUMNS
from runner.data.tables import Column, Family, FileSchema, Format

MAGIC = b"PAR1"
ENCRYPTED = b"PARE"
_TAIL = 8
_LARGEST_FOOTER = 64 << 20
_MOST_CHUNKS = 400_000
"""Column chunks whose statistics are looked at."""


def read_parquet(file: DataFile) -> FileSchema:
    """What the footer tells; half-written files are told also without pyarrow. Raises OSError."""
    base = replace(file.base, format=Format.PARQUET)
    fault = _footer_fault(file)
    if fault:
        return replace(base, fault=fault)
    try:
        import pyarrow.parquet as pq
    except ImportError:
        return replace(base, fault=INSTALL)
    from pyarrow import ArrowException

    try:
        opened = pq.ParquetFile(file.raw())
        return _told(base, opened.metadata, opened.schema_arrow)
    except (ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        return replace(base, fault=f"its footer is broken: {str(error).splitlines()[0]}")


def _footer_fault(file: DataFile) -> str | None:
    """From the last eight bytes: the footer's length, and the magic again."""
    end = file.at(max(0, file.size - _TAIL), _TAIL)
    if file.head.startswith(ENCRYPTED) or end[4:] == ENCRYPTED:
        return "is encrypted: cannot be looked into"
    if file.size < _TAIL + len(MAGIC) or end[4:] != MAGIC:
        return "half-written: parquet ends with the mark PAR1, and this ends without it"
    length = int.from_bytes(end[:4], "little")
    if length + _TAIL + len(MAGIC) > file.size:
        return f"half-written: its footer should have {length:,} bytes, and the file has {file.size:,} in all"
    return f"has a footer of {length:,} bytes: not looked into" if length > _LARGEST_FOOTER else None


def _told(base: FileSchema, metadata: Any, schema: Any) -> FileSchema:
    if len(schema) > MOST_COLUMNS:
        return replace(base, rows=metadata.num_rows, fault=f"has {len(schema):,} columns: not looked into")
    details = {"row groups": f"{metadata.num_row_groups:,}"}
    if metadata.created_by:
        details["written by"] = str(metadata.created_by)
    index = _pandas_index(schema)
    if index:
        details["pandas index"] = index
    facts, fault = _statistics(base.size, metadata)
    columns, leaf = [], 0
    for field in schema:
        leaves = _leaves(field.type)
        fact = facts.get(leaf) if leaves == 1 and not _nested(field.type) else None
        if _family(field.type) is Family.NULL:
            fact = _Facts(nulls=metadata.num_rows)
        columns.append(_column(field, fact, details))
        leaf += leaves
    codecs = {metadata.row_group(0).column(place).compression.lower() for place in _few(metadata)}
    codecs.discard("uncompressed")
    return replace(
        base,
        compression=", ".join(sorted(codecs)) or None,
        columns=tuple(columns),
        rows=metadata.num_rows,
        complete=fault is None,
        fault=fault,
        details=details,
    )


def _few(metadata: Any) -> range:
    return range(min(metadata.num_columns, 100) if metadata.num_row_groups else 0)


@dataclass
class _Facts:
    """Of one leaf, over all row groups; None: a row group does not tell."""

    nulls: int | None = 0
    low: Any = None
    high: Any = None
    ranged: bool = True


def _statistics(size: int, metadata: Any) -> tuple[dict[int, _Facts], str | None]:
    """By leaf; and what is wrong with the places of the columns."""
    facts: dict[int, _Facts] = {}
    if metadata.num_row_groups * metadata.num_columns > _MOST_CHUNKS:
        return facts, None
    for leaf, chunk in _chunks(metadata):
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        if start + chunk.total_compressed_size > size:
            return facts, f"is cut: its column {chunk.path_in_schema!r} should end beyond the end of the file"
        _add(facts.setdefault(leaf, _Facts()), chunk)
    return facts, None


def _chunks(metadata: Any) -> Iterator[tuple[int, Any]]:
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for leaf in range(metadata.num_columns):
            yield leaf, row_group.column(leaf)


def _add(fact: _Facts, chunk: Any) -> None:
    told = chunk.statistics if chunk.is_stats_set else None
    nulls = told.null_count if told is not None and told.has_null_count else None
    fact.nulls = None if nulls is None or fact.nulls is None else fact.nulls + nulls
    if nulls is not None and nulls == chunk.num_values:
        return  # no value, no range
    if told is None or not told.has_min_max:
        fact.ranged = False
        return
    fact.low = told.min if fact.low is None else min(fact.low, told.min)
    fact.high = told.max if fact.high is None else max(fact.high, told.max)


def _column(field: Any, fact: _Facts | None, details: dict[str, str]) -> Column:
    family = _family(field.type)
    ranged = fact is not None and fact.ranged and family in (Family.INT, Family.FLOAT, Family.DATETIME)
    if fact is not None and fact.nulls is None:
        details.setdefault("nulls", "not in the statistics of every column")
    nulls = (fact.nulls or 0) if fact is not None else 0
    return Column(
        name=field.name,
        family=family,
        nulls=nulls,
        nullable=field.nullable,
        minimum=_bound(fact.low) if ranged and fact is not None else None,
        maximum=_bound(fact.high) if ranged and fact is not None else None,
    )


def _bound(value: Any) -> float | str | None:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return f"{value.isoformat()}T00:00:00"  # as of a text
    if isinstance(value, dt.datetime | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _tests() -> list[tuple[Callable[[Any], bool], Family]]:
    from pyarrow import types

    return [
        (types.is_dictionary, Family.CATEGORY),
        (types.is_null, Family.NULL),
        (types.is_boolean, Family.BOOL),
        (types.is_integer, Family.INT),
        (types.is_floating, Family.FLOAT),
        (types.is_decimal, Family.FLOAT),
        (types.is_duration, Family.INT),
        (types.is_temporal, Family.DATETIME),
        (types.is_string, Family.STRING),
        (types.is_large_string, Family.STRING),
        (types.is_string_view, Family.STRING),
        (types.is_nested, Family.NESTED),
    ]


def _family(kind: Any) -> Family:
    """Decimals are floats, durations ints, times of day datetimes; extensions what they are stored as."""
    storage = getattr(kind, "storage_type", None)
    if storage is not None:
        return _family(storage)
    return next((family for test, family in _tests() if test(kind)), Family.BINARY)


def _nested(kind: Any) -> bool:
    return _family(kind) is Family.NESTED


def _leaves(kind: Any) -> int:
    """How many of the file's columns hold it."""
    from pyarrow import types

    storage = getattr(kind, "storage_type", None)
    if storage is not None:
        return _leaves(storage)
    if types.is_map(kind):
        return _leaves(kind.key_type) + _leaves(kind.item_type)
    if types.is_struct(kind):
        return sum(_leaves(kind.field(place).type) for place in range(kind.num_fields))
    return _leaves(kind.value_type) if types.is_nested(kind) and hasattr(kind, "value_type") else 1


def _pandas_index(schema: Any) -> str:
    """What pandas wrote as its index, and takes for that again; a range of numbers is no column of the file."""
    known = (schema.pandas_metadata or {}).get("index_columns") or []
    names = [each if isinstance(each, str) else each.get("name") and f"{each['name']} (a range)" for each in known]
    return ", ".join(filter(None, names))
