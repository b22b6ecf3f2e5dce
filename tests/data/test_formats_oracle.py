"""Tables of random values, written by pandas or pyarrow and read back by them: the schema must agree."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import re
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.data.formats import describe
from runner.data.tables import Column, Family, Format

MISSING = ["", "NA", "null", "NaN", "None", "n/a", "<NA>"]
NEAR = [
    " NA",
    "NAN",
    "True",
    "inf",
    "-Infinity",
    "1e5",
    "1.",
    ".5",
    "+1",
    " 2 ",
    "2024-01-01",
    "1_0",
    "--1",
    "1 2",
    "0x1",
]
VALUES = {
    "int": st.integers().map(str),
    "small": st.integers(-3, 3).map(str),
    "float": st.floats(allow_nan=False).map(repr),
    "bool": st.sampled_from(["True", "False", "true", "FALSE"]),
    "date": st.dates(dt.date(1900, 1, 1)).map(str),
    "time": st.datetimes(dt.datetime(1900, 1, 1)).map(lambda moment: moment.isoformat(sep=" ")),
    "text": st.text("ab 019.-+eEnN,\"'\n;\té", max_size=6),
    "near": st.sampled_from(NEAR),
    "few": st.sampled_from(["red", "green"]),
}
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T][\d:.]+)?")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    cell = [VALUES[kind] | st.sampled_from(MISSING) if draw(st.booleans()) else VALUES[kind] for kind in kinds]
    rows = draw(st.lists(st.tuples(*cell).map(list), min_size=1, max_size=30))
    return [f"column {kind} {place}" for place, kind in enumerate(kinds)], rows


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables(), delimiter=st.sampled_from(",;|\t"))
def test_a_random_table_is_what_pandas_reads(table: tuple[list[str], list[list[str]]], delimiter: str) -> None:
    names, rows = table
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        schema = describe(path, root=Path(folder), whole=True)
        if len(names) > 1:
            assert schema.delimiter == delimiter
        read = pd.read_csv(path, sep=delimiter)
    assert schema.fault is None
    assert (schema.format, schema.header, schema.complete) == (
        Format.TSV if schema.delimiter == "\t" else Format.CSV,
        True,
        True,
    )
    assert list(schema.names) == list(read.columns)
    assert schema.rows == len(read)
    for place, column in enumerate(schema.columns or ()):
        agree(column, read.iloc[:, place], [row[place] for row in rows])


def agree(column: Column, read: pd.Series, texts: list[str]) -> None:
    """What pandas made of a column, and what its texts say where pandas has no word for it."""
    present = [text for text, lacking in zip(texts, read.isna(), strict=True) if not lacking]
    assert column.nulls == int(read.isna().sum())
    assert column.nullable == (column.nulls > 0)
    expected = family(read.dropna(), present)
    assert column.family is expected, (present, read.dtype)
    if expected in (Family.INT, Family.FLOAT):
        numbers = [int(text) if re.fullmatch(r" *[+-]?\d+ *", text) else float(text) for text in present]
        assert (column.minimum, column.maximum) == (min(numbers), max(numbers))
        assert column.unique == (len(set(numbers)) == len(numbers))
    elif expected is Family.DATETIME:
        moments = list(map(dt.datetime.fromisoformat, present))
        assert (column.minimum, column.maximum) == (min(moments).isoformat(), max(moments).isoformat())
        assert column.unique == (len(set(moments)) == len(moments))
    elif expected in (Family.STRING, Family.CATEGORY):
        assert column.unique == (len(set(present)) == len(present))
    if expected is Family.CATEGORY:
        assert column.values == tuple(sorted(set(present)))


def family(read: pd.Series, texts: list[str]) -> Family:
    if not texts:
        return Family.NULL
    whole = all(re.fullmatch(r" *[+-]?(0|[1-9]\d*) *", text) for text in texts)
    padded = any(re.match(r" *[+-]?0\d", text) for text in texts)
    if pd.api.types.is_bool_dtype(read) or all(isinstance(value, bool) for value in read):
        return Family.BOOL
    if whole:
        return Family.INT
    if pd.api.types.is_numeric_dtype(read) and not padded:
        return Family.FLOAT
    if all(ISO.fullmatch(text) for text in texts):
        return Family.DATETIME
    mixed = any(re.fullmatch(r" *[+-]?[\d.].*|.*inf.*|True|False|true|FALSE", text, re.S) for text in texts)
    return Family.CATEGORY if not mixed and len(texts) >= 5 * len(set(texts)) else Family.STRING


def test_a_table_of_many_blocks_is_what_pandas_reads(tmp_path: Path) -> None:
    rng = random.Random(7)
    rows = [
        [number, rng.gauss(0, 1), rng.choice(["a", "b", ""]), rng.randrange(1000), f"n{number}" * (number % 9)]
        for number in range(40_000)
    ]
    frame = pd.DataFrame(rows, columns=["id", "x", "kind", "few", "text"])
    frame.to_csv(tmp_path / "a.csv", index=False)
    schema = describe(tmp_path / "a.csv", root=tmp_path, whole=True)
    read = pd.read_csv(tmp_path / "a.csv")
    assert schema.rows == len(read)
    found = {column.name: column for column in schema.columns or ()}
    assert [str(column.family) for column in found.values()] == ["int", "float", "category", "int", "string"]
    for name, column in found.items():
        assert column.nulls == int(read[name].isna().sum())
        if column.family in (Family.INT, Family.FLOAT):
            assert (column.minimum, column.maximum) == (read[name].min(), read[name].max())
        assert column.unique == read[name].dropna().is_unique


TYPES: dict[str, tuple[Any, Any, Family]] = {
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1), Family.INT),
    "uint": (pa.uint64(), st.integers(0, 2**64 - 1), Family.INT),
    "float": (pa.float64(), st.floats(allow_nan=False), Family.FLOAT),
    "bool": (pa.bool_(), st.booleans(), Family.BOOL),
    "string": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5), Family.STRING),
    "binary": (pa.binary(), st.binary(max_size=5), Family.BINARY),
    "date": (pa.date32(), st.dates(), Family.DATETIME),
    "time": (pa.timestamp("us"), st.datetimes(), Family.DATETIME),
    "list": (pa.list_(pa.int64()), st.lists(st.integers(0, 9), max_size=3), Family.NESTED),
    "struct": (pa.struct({"a": pa.int64(), "b": pa.string()}), st.just({"a": 1, "b": "x"}), Family.NESTED),
    "map": (pa.map_(pa.string(), pa.int64()), st.just([("k", 1)]), Family.NESTED),
    "decimal": (pa.decimal128(10, 2), st.decimals(-99, 99, places=2), Family.FLOAT),
    "category": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["a", "b"]), Family.CATEGORY),
    "null": (pa.null(), st.none(), Family.NULL),
}


@st.composite
def arrow_tables(draw: st.DrawFn) -> pa.Table:
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5))
    count = draw(st.integers(0, 12))
    arrays = []
    for kind in kinds:
        values = st.lists(st.none() | TYPES[kind][1], min_size=count, max_size=count)
        arrays.append(pa.array(draw(values), TYPES[kind][0]))
    return pa.table(arrays, names=[f"{kind}.{place}" for place, kind in enumerate(kinds)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=arrow_tables(), group=st.integers(1, 12), codec=st.sampled_from(["snappy", "zstd", "none"]))
def test_a_random_parquet_file_is_what_pyarrow_wrote(table: pa.Table, group: int, codec: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        pq.write_table(table, path, row_group_size=group, compression=codec)
        schema = describe(path, root=Path(folder))
        groups = pq.ParquetFile(path).num_row_groups
    assert (schema.format, schema.fault, schema.complete) == (Format.PARQUET, None, True)
    assert (schema.rows, schema.details["row groups"]) == (len(table), str(groups))
    assert schema.compression == (codec if codec != "none" and groups else None)
    assert list(schema.names) == table.column_names
    for column in schema.columns or ():
        kind, array = column.name.split(".")[0], table[column.name]
        assert (column.family, column.nullable) == (TYPES[kind][2], True)
        if column.family is Family.NESTED:
            continue
        assert column.nulls == array.null_count
        values = [value for value in array.to_pylist() if value is not None]
        if values and kind in ("int", "uint", "float", "decimal"):
            assert (column.minimum, column.maximum) == (float(min(values)), float(max(values))) or (
                kind in ("int", "uint") and (column.minimum, column.maximum) == (min(values), max(values))
            )
        elif values and kind in ("date", "time"):
            moments = [dt.datetime(value.year, value.month, value.day) if kind == "date" else value for value in values]
            assert (column.minimum, column.maximum) == (min(moments).isoformat(), max(moments).isoformat())


@pytest.mark.parametrize("index", [False, True])
def test_a_frame_is_the_same_as_csv_and_as_parquet(tmp_path: Path, index: bool) -> None:
    frame = pd.DataFrame(
        {"id": [1, 5, 3], "x": [0.5, None, 2], "when": pd.to_datetime(["2024-01-01"] * 3), "ok": [True] * 3}
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.set_index("id").to_parquet(tmp_path / "a.parquet") if index else frame.to_parquet(tmp_path / "a.parquet")
    text, columns = (describe(tmp_path / name, root=tmp_path) for name in ("a.csv", "a.parquet"))
    assert columns.details.get("pandas index") == ("id" if index else None)

    def known(schema: Any) -> dict[str, tuple[Any, ...]]:
        return {each.name: (each.family, each.nulls, each.minimum, each.maximum) for each in schema.columns}

    assert known(text) == known(columns)
