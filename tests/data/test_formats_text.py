"""Delimited texts, JSON, JSON lines, libsvm and plain texts, told by their content."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pandas as pd
import pytest

from runner.data.formats import describe
from runner.data.tables import Family, FileSchema, Format

TABLE = "id,name,x\n1,Bob,0.5\n2,Al,\n3,NA,2\n"


def told(folder: Path, name: str, content: str | bytes, **how: object) -> FileSchema:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return describe(path, root=folder, **how)  # type: ignore[arg-type]


def families(schema: FileSchema) -> dict[str, str]:
    return {column.name: str(column.family) for column in schema.columns or ()}


def test_a_table_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", TABLE)
    assert (schema.path, schema.size, schema.format) == ("a.csv", len(TABLE), Format.CSV)
    assert (schema.delimiter, schema.header, schema.encoding, schema.compression) == (",", True, "utf-8", None)
    assert (schema.rows, schema.complete, schema.fault, schema.details) == (3, True, None, {})
    identity, name, x = schema.columns or ()
    assert (identity.family, identity.minimum, identity.maximum, identity.unique) == (Family.INT, 1, 3, True)
    assert (name.family, name.nulls, name.nullable, name.minimum) == (Family.STRING, 1, True, None)
    assert (x.family, x.nulls, x.minimum, x.maximum) == (Family.FLOAT, 1, 0.5, 2.0)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("a;é\n1;x\n".encode(), "utf-8"),
        ("a;é\n1;x\n".encode("utf-8-sig"), "utf-8-sig"),
        ("a;é\n1;x\n".encode("utf-16"), "utf-16"),
        (("a;é\n" + "1;x\n" * 9).encode("utf-16-le"), "utf-16-le"),
        (("a;é\n" + "1;x\n" * 9).encode("utf-16-be"), "utf-16-be"),
        ("a;é\n1;x\n".encode("utf-32"), "utf-32"),
        ("a;é\n1;x\n".encode("latin-1"), "latin-1"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str) -> None:
    schema = told(tmp_path, "a.csv", content)
    assert (schema.encoding, schema.names, schema.fault) == (encoding, ("a", "é"), None)


def test_a_text_that_turns_out_not_to_be_utf_8_is_read_on_and_says_where(tmp_path: Path) -> None:
    start = b"a,b\n" + b"1,x\n" * 40_000
    schema = told(tmp_path, "a.csv", start + "2,é\n".encode("latin-1") + b"3,z\n", whole=True)
    assert (schema.encoding, schema.rows, schema.fault) == ("latin-1", 40_002, None)
    assert schema.details["encoding"] == f"latin-1 is a guess: byte 0xe9 at offset {len(start) + 2:,} is not UTF-8"


def test_a_text_that_was_cut_in_a_character(tmp_path: Path) -> None:
    assert "ends in the middle of a character" in str(told(tmp_path, "a.csv", "a,b\n1,é".encode()[:-1]).fault)


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    schema = told(tmp_path, "a.csv", f"a{delimiter}b\n1{delimiter}x\n2{delimiter}y\n")
    assert (schema.delimiter, schema.names, schema.fault) == (delimiter, ("a", "b"), None)
    assert schema.format is (Format.TSV if delimiter == "\t" else Format.CSV)


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", "x;y\n1,5;2,5\n3,5;4,5\n")
    assert (schema.delimiter, families(schema)) == (";", {"x": "string", "y": "string"})


@pytest.mark.parametrize(
    ("content", "header", "names"),
    [
        ("1,2\n3,4\n", False, ("0", "1")),
        ("a,b\n1,2\n", True, ("a", "b")),
        ("a,b\n", True, ("a", "b")),
        ("0,1,2\n5,6,7\n", True, ("0", "1", "2")),  # as pandas names columns that have no names
        (",a\n0,x\n1,y\n", True, ("Unnamed: 0", "a")),
        ("a,a\n1,2\n", True, ("a", "a.1")),
        ("x,1\ny,2\nx,3\n", False, ("0", "1")),
        ("name,city\nBob,Paris\nAl,Rome\n", True, ("name", "city")),
        ("Bob,Paris\nAl,Rome\nBob,Rome\n", False, ("0", "1")),
        ("?,1,2\n3,4,5\n", False, ("0", "1", "2")),
        ("a,b\n0,1,2\n1,3,4\n", True, ("Unnamed: 0", "a", "b")),
        ("y\n1\n", True, ("y",)),
        ("a,b\n1,2\na,b\n3,4\n", True, ("a", "b")),
    ],
)
def test_headers(tmp_path: Path, content: str, header: bool, names: tuple[str, ...]) -> None:
    schema = told(tmp_path, "a.csv", content)
    assert (schema.header, schema.names, schema.fault) == (header, names, None)


@pytest.mark.parametrize(
    ("values", "family", "low", "high"),
    [
        ("1 2", "int", 1, 2),
        ("007 008", "string", None, None),
        ("0 -0 10", "int", 0, 10),
        (f"1 {10**30}", "int", 1, 10**30),
        (f"1 {'9' * 5000}", "float", 1, float("inf")),
        ("1 2.5", "float", 1, 2.5),
        ("1e3 .5 inf", "float", 0.5, float("inf")),
        ("1_0 2", "string", None, None),
        ("true False", "bool", None, None),
        ("true 1", "string", None, None),
        ("2024-01-02 2024-01-01", "datetime", "2024-01-01T00:00:00", "2024-01-02T00:00:00"),
        (
            "2024-01-02T10:00Z 2024-01-02T10:00+01:00",
            "datetime",
            "2024-01-02T10:00:00+01:00",
            "2024-01-02T10:00:00+00:00",
        ),
        ("2024-01-02T10:00Z 2024-01-02", "string", None, None),
        ("2024-13-01 2024-01-01", "string", None, None),
        ("NA null", "null", None, None),
        ("a b c", "string", None, None),
        ("a b " * 5, "category", None, None),
    ],
)
def test_families(tmp_path: Path, values: str, family: str, low: object, high: object) -> None:
    schema = told(tmp_path, "a.csv", "v,w\n" + "".join(f"{value},1\n" for value in values.split()))
    column = (schema.columns or ())[0]
    assert (str(column.family), column.minimum, column.maximum) == (family, low, high)


def test_few_values_are_listed(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", "c,b\n" + "x,True\ny,false\n" * 5)
    assert [column.values for column in schema.columns or ()] == [("x", "y"), ("false", "true")]


def test_a_mixed_column_shows_an_example_of_each_kind(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", "age,n\n31,1\n44,2\nunknown,3\n")
    assert schema.details["mixed column age"] == "int: '31' in row 1; string: 'unknown' in row 3"


def test_minus_one_and_minus_two_are_two_values(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", "a,b\n-1,-1\n-2,-1\n")
    assert [column.unique for column in schema.columns or ()] == [True, False]


def test_quoted_line_ends(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", 'a,b\r\n1,"x\r\ny"\r\n2,"say ""hi"""\r\n')
    assert (schema.rows, schema.fault, schema.details) == (2, None, {"line ends": "CRLF"})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a,b\n1,2\n1,2,3\n", "row 2 has 3 fields, 2 were expected (such rows that were read: 1)"),
        ("a,b\n1,2\n3", "half-written: the last row has 1 of 2 fields and no line end"),
        ('a,b\n1,2\n3,"4\n5,6\n', "a quoted value in the row of line 3 is never closed"),
        ("a,b\n1,\0\n2,some text\n", "has NUL bytes (the first in line 2), which no text holds"),
        ("\n\n", "has only blank lines"),
        ("", "is empty: no csv"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, content: str, fault: str) -> None:
    assert told(tmp_path, "a.csv", content).fault == fault


def test_a_short_row_has_missing_values_as_for_pandas(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", "a,b\n1,2\n3\n")
    assert (schema.fault, schema.columns and schema.columns[1].nulls) == (None, 1)
    assert schema.details["short rows"] == "1: row 2 has 1 fields, 2 were expected; the rest counts as missing"


@pytest.mark.parametrize(
    ("ending", "pack", "compression"),
    [("gz", gzip.compress, "gzip"), ("bz2", bz2.compress, "bz2"), ("xz", lzma.compress, "xz")],
)
def test_packed_tables(tmp_path: Path, ending: str, pack: object, compression: str) -> None:
    whole = pack(TABLE.encode())  # type: ignore[operator]
    schema = told(tmp_path, f"a.csv.{ending}", whole)
    assert (schema.compression, schema.rows, schema.complete, schema.fault) == (compression, 3, True, None)
    two = told(tmp_path, f"b.csv.{ending}", whole + pack(b"4,X,1\n"))  # type: ignore[operator]
    assert (two.rows, two.fault) == (4, None)
    cut = told(tmp_path, f"c.csv.{ending}", whole[:-4])
    assert cut.fault == f"half-written: its {compression} stream ends in the middle"
    assert not cut.complete


def test_zstd_through_pyarrow(tmp_path: Path) -> None:
    import pyarrow as pa

    packed = pa.compress(TABLE.encode(), "zstd", asbytes=True)
    schema = told(tmp_path, "a.csv.zst", packed)
    assert (schema.compression, schema.rows, schema.fault) == ("zstd", 3, None)
    assert told(tmp_path, "b.csv.zst", packed[:-4]).fault == "half-written: its zstd stream ends in the middle"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", gzip.compress(TABLE.encode(), mtime=0), "is compressed with gzip, which its name does not say"),
        ("a.csv.gz", TABLE, "its name says gzip, but it is not compressed"),
        ("a.csv.gz", bz2.compress(TABLE.encode()), "its name says gzip, but it is bz2"),
        ("a.csv", '[{"a": 1}]', "its name says csv, its content is json"),
        ("a.json", TABLE, "its name says json, its content is csv"),
        ("a.parquet", TABLE, "its name says parquet, its content is csv"),
        ("a.npy", "hello\n", "its name says npy, its content is text"),
        ("a.pkl", "hello\n", "its name says pickle, its content is text"),
    ],
)
def test_a_name_that_promises_something_else(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    assert words in str(told(tmp_path, name, content).fault)


def test_a_name_that_is_only_inexact_is_no_fault(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", "a\tb\n1\t2\n")
    assert (schema.fault, schema.details["name"]) == (None, "its name says csv, its content is tsv")
    lines = told(tmp_path, "a.json", '{"a": 1}\n{"a": 2}\n')
    assert (lines.format, lines.fault) == (Format.JSONL, None)
    assert told(tmp_path, "part.csv.out", TABLE).fault is None
    assert told(tmp_path, "_SUCCESS", "").fault is None


def test_a_table_without_an_ending_is_told_from_prose(tmp_path: Path) -> None:
    assert told(tmp_path, "part-00000", TABLE).format is Format.CSV
    prose = told(tmp_path, "notes", "Dear all,\nthis is, as you see,\nno table\n")
    assert (prose.format, prose.details["lines"], prose.columns) == (Format.TEXT, "3", None)


@pytest.mark.parametrize("orient", ["records", "columns", "values"])
def test_json_as_pandas_writes_it(tmp_path: Path, orient: str) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "y"]})
    schema = told(tmp_path, "a.json", frame.to_json(orient=orient))  # type: ignore[call-overload]
    names = ("0", "1") if orient == "values" else ("a", "b")
    assert (schema.names, schema.rows, schema.complete, schema.fault) == (names, 3, True, None)
    one, two = schema.columns or ()
    assert (one.family, one.minimum, one.maximum, one.unique) == (Family.INT, 1, 3, True)
    assert (two.family, two.nulls) == (Family.STRING, 1)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_records(tmp_path: Path, name: str) -> None:
    rows = [{"a": 1, "t": "2024-01-01", "n": [1]}, {"a": 2.5, "t": None, "b": True}, {"a": float("nan"), "n": {}}]
    text = json.dumps(rows) if name.endswith("json") else "\n".join(map(json.dumps, rows))
    schema = told(tmp_path, name, text)
    assert families(schema) == {"a": "float", "t": "datetime", "n": "nested", "b": "bool"}
    assert [column.nulls for column in schema.columns or ()] == [1, 2, 1, 2]
    assert (schema.rows, schema.fault, schema.format) == (3, None, name.split(".")[1])


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        ('{"auc": 0.9, "parameters": {"depth": 3}}', "object"),
        ('{"a": [1], "b": [1, 2]}', "object"),
        ('{"model": {"depth": 3}, "data": {"rows": 1}}', "object"),
        ('{"a": [1], "b": [2]}', "mapping of columns"),
        ("[]", "empty array"),
        ("[1, 2]", "array of values"),
        ("0.5", "a single float"),
    ],
)
def test_other_json(tmp_path: Path, content: str, layout: str) -> None:
    schema = told(tmp_path, "a.json", content)
    assert (schema.format, schema.details["layout"], schema.fault) == (Format.JSON, layout, None)
    assert (schema.columns is not None) == (layout == "mapping of columns")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('[{"a": 1}, {"a"', "half-written: ends in the middle, in line 1"),
        ('{"a": [1, 2', "half-written: ends in the middle, in line 1"),
        ('{"a":\n "x', "half-written: ends in the middle, in line 2"),
        ("[{}\n x", "is no JSON: 'x' where ',' or ']' was expected, in line 2, column 2"),
        ('{"a": tru}', "is no JSON: Expecting value, in line 1, column 7"),
        ('{"a": 1} {"b": 2}', "goes on after its end: two documents in one file, or JSON lines under another name"),
        ("[" * 100_000, "is nested too deeply to be looked into, in line 1"),
        (f"[{'9' * 5000}]", "is no JSON: Exceeds the limit (4300 digits) for integer string conversion"),
    ],
)
def test_what_is_wrong_with_json_is_named(tmp_path: Path, content: str, fault: str) -> None:
    schema = told(tmp_path, "a.json", content)
    assert str(schema.fault).startswith(fault)
    assert not schema.complete


def test_json_that_spans_blocks(tmp_path: Path) -> None:
    rows = [{"id": number, "text": "é" * (number % 50)} for number in range(20_000)]
    schema = told(tmp_path, "a.json", json.dumps(rows, ensure_ascii=False), whole=True)
    assert (schema.rows, schema.complete) == (20_000, True)
    assert schema.columns and (schema.columns[0].maximum, schema.columns[0].unique) == (19_999, True)


def test_json_lines_that_are_broken_or_cut(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.jsonl", '{"a": 1}\n{"a" 2}\n{"a": 3}\n')
    assert schema.fault == "line 2 is no JSON: Expecting ':' delimiter: '{\"a\" 2}'"
    assert schema.rows == 2
    assert told(tmp_path, "b.jsonl", '{"a": 1}\n{"a": 2}\n{"a"').fault == "half-written: line 3 is cut"


def test_libsvm(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.libsvm", "1 1:0.5 7:2\n0 qid:3 2:1e-3 # a remark\n-1\n")
    assert (schema.format, schema.rows, schema.shape, schema.fault) == (Format.LIBSVM, 3, (3, 7), None)
    assert schema.details == {"labels": "-1 to 1", "indices": "1 to 7"}
    lines = "1 0:1\n" * 30 + "1 x:1\n"
    broken = told(tmp_path, "b.txt", lines)
    assert broken.fault == "line 31 is no `label index:value ...`: '1 x:1\\n' (1 such lines)"


def test_a_sample_estimates_the_rows_and_looks_at_the_end(tmp_path: Path) -> None:
    text = "id,kind\n" + "".join(f"{number:06d}1,{'late' if number > 390_000 else 'a'}\n" for number in range(400_000))
    schema = told(tmp_path, "a.csv", text)
    assert not schema.complete
    assert schema.rows is not None and abs(schema.rows - 400_000) < 8_000
    assert int(schema.details["rows read"].replace(",", "")) < 100_000
    assert schema.columns and schema.columns[1].values == ("a", "late")
    cut = told(tmp_path, "b.csv", text + "99")
    assert cut.fault == "half-written: the last row has 1 of 2 fields and no line end"
    whole = told(tmp_path, "a.csv", text, whole=True)
    assert (whole.rows, whole.complete, whole.details) == (400_000, True, {})


def test_the_budget_bounds_the_sample(tmp_path: Path) -> None:
    packed = gzip.compress(("a,b\n" + f"1,{'x' * 500}\n" * 20_000).encode())
    rows = [told(tmp_path, "a.csv.gz", packed, budget=size).details["rows read"] for size in (1, 2 << 20)]
    few, many = (int(number.replace(",", "")) for number in rows)
    assert few < 200
    assert 4_000 < many < 4_500
