"""Made-up data: the same from the same seed, as its columns are expected to be, and never passed off as real."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from runner.data.synthetic import default_sample, generate, marker, synthetic_record
from runner.errors import UsageError
from runner.spec.expects import Expects

COLUMNS: dict[str, Any] = {
    "id": {"family": "int", "unique": True},
    "amount": {"family": "float", "min": -1.5, "max": 2},
    "flag": "bool",
    "name": {"family": "string", "nullable": True},
    "kind": {"values": ["x", "y", "long, one"]},
    "at": {"family": "datetime", "min": "2024-02-01", "max": "2024-02-29"},
    "label": {"family": "int", "values": [0, 1]},
    "small": {"min": 3, "max": 5},
}


def frame(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, parse_dates=["at"] if "at" in path.read_text().partition("\n")[0].split(",") else None)


def rows_of(path: Path, column: str) -> list[str]:
    return [row[column] for row in csv.DictReader(io.StringIO(path.read_text()))]


def made(tmp_path: Path, kind: str, columns: Any = None, **options: Any) -> Path:
    (path,) = generate(
        Expects.model_validate({"format": kind, "columns": columns or COLUMNS}), tmp_path / kind, **options
    )
    return path


def test_every_value_is_as_expected(tmp_path: Path) -> None:
    (path,) = generate(COLUMNS, tmp_path / "in", rows=500)
    assert path == tmp_path / "in" / "data.csv"
    found = frame(path)
    assert list(found.columns) == list(COLUMNS)
    assert len(found) == 500
    assert found["id"].is_unique
    assert found["amount"].between(-1.5, 2).all()
    assert found["amount"].nunique() > 400
    assert set(found["flag"]) == {True, False}
    assert 20 < found["name"].isna().sum() < 90
    assert found.drop(columns="name").notna().all(axis=None)
    assert set(found["kind"]) == {"x", "y", "long, one"}
    assert found["at"].between("2024-02-01", "2024-02-29").all()
    assert set(found["label"]) == {0, 1}
    assert set(found["small"]) == {3, 4, 5}


def test_a_column_does_not_depend_on_the_others_and_does_on_the_seed(tmp_path: Path) -> None:
    (whole,) = generate(COLUMNS, tmp_path / "a", seed=7)
    (alone,) = generate({"name": COLUMNS["name"]}, tmp_path / "b", seed=7)
    (other,) = generate({"name": COLUMNS["name"]}, tmp_path / "c", seed=8)
    assert rows_of(whole, "name") == rows_of(alone, "name")
    assert rows_of(alone, "name") != rows_of(other, "name")


def test_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    """The digest was taken once: another one is another promise."""
    found = {kind: hashlib.sha256(made(tmp_path, kind).read_bytes()).hexdigest()[:16] for kind in ("csv", "json")}
    assert found == {"csv": "dbde146856558ad8", "json": "36a9023fdaf866aa"}
    numbers = {"label": COLUMNS["label"], "1": {"family": "float", "nullable": True}, "2": "int"}
    assert hashlib.sha256(made(tmp_path, "libsvm", numbers).read_bytes()).hexdigest()[:16] == "453f3bfb9fc74595"


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet", "npy", "libsvm"])
def test_two_runs_are_equal(tmp_path: Path, kind: str) -> None:
    numbers = {"label": COLUMNS["label"], "1": {"family": "float", "nullable": True}, "2": {"family": "int"}}
    columns = numbers if kind in ("npy", "libsvm") else COLUMNS
    first = made(tmp_path / "1", kind, columns).read_bytes()
    assert first
    assert first == made(tmp_path / "2", kind, columns).read_bytes()


def test_the_other_formats_hold_the_same_values(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    base = made(tmp_path, "csv")
    for kind, read in {
        "tsv": lambda path: pd.read_csv(path, sep="\t", parse_dates=["at"]),
        "json": lambda path: pd.read_json(path, precise_float=True),
        "jsonl": lambda path: pd.read_json(path, lines=True, precise_float=True),
        "parquet": lambda path: pd.read_parquet(path),
    }.items():
        found = read(made(tmp_path, kind))
        assert list(found.columns) == list(COLUMNS), kind
        for name in COLUMNS:
            ours, theirs = frame(base)[name], pd.to_datetime(found[name]) if name == "at" else found[name]
            assert ours.isna().tolist() == theirs.isna().tolist(), (kind, name)
            assert ours.dropna().astype(str).tolist() == theirs.dropna().astype(str).tolist(), (kind, name)


def test_parquet_has_types_of_its_own(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    path = made(tmp_path, "parquet", {**COLUMNS, "v": "nested", "b": "binary", "c": "category"})
    types = {field.name: str(field.type) for field in pq.read_schema(path)}
    assert types["at"] == "timestamp[us]"
    assert types["v"].startswith("list")
    assert types["b"] == "binary"
    assert types["c"].startswith("dictionary")
    assert pq.read_schema(path).field("name").nullable
    assert not pq.read_schema(path).field("id").nullable


def test_arrays(tmp_path: Path) -> None:
    matrix = np.load(made(tmp_path / "m", "npy", {"0": "int", "1": {"family": "float", "max": 0.5}}, rows=9))
    assert (matrix.shape, matrix.dtype) == ((9, 2), np.float64)
    assert (matrix[:, 1] <= 0.5).all()
    whole = np.load(made(tmp_path / "w", "npy", {"0": "int", "1": "int"}, rows=9))
    assert whole.dtype == np.int64
    records = np.load(made(tmp_path / "r", "npy", {"a": "int", "b": "string", "c": "datetime", "d": "bool"}, rows=9))
    assert records.dtype.names == ("a", "b", "c", "d")
    assert records.shape == (9,)


def test_libsvm_has_the_label_first_and_leaves_missing_features_out(tmp_path: Path) -> None:
    from sklearn.datasets import load_svmlight_file

    columns = {
        "2": {"family": "float", "nullable": True},
        "7": {"family": "int", "min": 1},
        "label": {"values": [0, 1]},
    }
    path = made(tmp_path, "libsvm", columns, rows=40)
    features, labels = load_svmlight_file(str(path))
    large = made(tmp_path / "large", "libsvm", {"label": {"values": [1]}, "1": {"values": [123456789]}}, rows=1)
    assert large.read_text() == "1 1:123456789\n"
    assert set(labels) == {0.0, 1.0}
    assert features.shape == (40, 7)
    assert any("2:" not in line for line in path.read_text().splitlines())


def test_columns_without_names_get_no_line_of_names(tmp_path: Path) -> None:
    text = made(tmp_path, "csv", {"0": {"values": [5]}, "1": {"values": ["x"]}}, rows=2).read_text()
    assert text == "5,x\n5,x\n"


def test_the_marker_lies_beside_the_data(tmp_path: Path) -> None:
    assert synthetic_record(tmp_path / "in") is None
    generate({"a": "int"}, tmp_path / "in", seed=3, rows=5)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["data.csv"]
    record = synthetic_record(tmp_path / "in")
    assert record is not None
    assert (record["synthetic"], record["seed"], record["rows"], record["files"]) == (True, 3, 5, ["data.csv"])
    assert json.loads(marker(tmp_path / "in").read_text()) == record
    generate({"a": "int"}, tmp_path / "in", seed=4)  # what was made here may be made again


@pytest.mark.parametrize(
    ("expects", "path", "rows"),
    [
        ({"files": "part-*.jsonl"}, "part-0.jsonl", 100),
        ({"files": "**/x-??.tsv"}, "x-00.tsv", 100),
        ({"files": "sub/rows.csv"}, "sub/rows.csv", 100),
        ({"format": "parquet"}, "data.parquet", 100),
        ({"rows": 7}, "data.csv", 7),
        ({"rows": {"min": 150}}, "data.csv", 150),
        ({"rows": {"max": 50}}, "data.csv", 50),
        ({"rows": 0}, "data.csv", 0),
    ],
)
def test_names_and_rows(tmp_path: Path, expects: dict[str, Any], path: str, rows: int) -> None:
    pytest.importorskip("pyarrow")
    wanted = Expects.model_validate({"columns": {"a": "int"}, **expects})
    assert generate(wanted, tmp_path / "in") == [tmp_path / "in" / path]
    record = synthetic_record(tmp_path / "in")
    assert record is not None
    assert record["rows"] == rows


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": {"family": "int", "unique": True, "min": 1, "max": 10}}, "and there are only 10 values for it"),
        ({"a": {"unique": True, "values": ["x", "y"]}}, "there are only 2 values for it"),
        ({"a": {"family": "bool", "unique": True}}, "there are only 2 values for it"),
        ({"a": {"family": "float", "unique": True, "min": 1, "max": 1}}, "there are only 1 values for it"),
        ({"a": {"family": "int", "min": 0.2, "max": 0.8}}, "column 'a': there is no int from 0.2 to 0.8"),
        ({"a": {"min": "2024-01-01T00:00:00.2", "max": "2024-01-01T00:00:00.8"}}, "there is no datetime from 2024"),
        ({"a": None}, "nothing says what column 'a' holds"),
        ({"a": "flaot"}, "columns that cannot be made: a.family: Value error, expected int, float"),
        ({"a": "nested"}, "text with delimiters cannot hold the columns 'a (nested)'"),
        ({}, "nothing says which columns to make"),
    ],
)  # fmt: skip
def test_what_cannot_be_made(tmp_path: Path, columns: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        generate(columns, tmp_path / "in")
    assert words in str(caught.value), str(caught.value)
    assert not (tmp_path / "in").exists()
    assert synthetic_record(tmp_path / "in") is None


@pytest.mark.parametrize(
    ("expects", "words"),
    [
        ({"required": ["x"], "columns": {"a": "int"}}, "nothing but the name is known of 'x'"),
        ({"format": "npz"}, "no npz file can be made"),
        ({"format": "libsvm", "columns": {"a": "string"}}, "libsvm cannot hold the columns 'a (string)'"),
        ({"format": "libsvm", "columns": {"label": {"family": "int", "nullable": True}}}, "label of libsvm cannot"),
        ({"format": "libsvm", "columns": {"label": "int", "x": "int"}}, "libsvm has no names as 'x'"),
        ({"format": "libsvm", "columns": {"1": "int"}}, "libsvm has always a label"),
        ({"format": "npy", "columns": {"a": {"family": "bool", "nullable": True}}}, "no word for a missing bool"),
        ({"format": "json", "columns": {"a": "binary"}}, "JSON cannot hold"),
        ({"files": "[ab].csv", "columns": {"a": "int"}}, "no file name can be made for '[ab].csv'"),
    ],
)  # fmt: skip
def test_what_no_file_can_hold(tmp_path: Path, expects: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        generate(Expects.model_validate(expects), tmp_path / "in")
    assert words in str(caught.value), str(caught.value)


def test_a_file_of_the_user_s_stays(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("mine")
    with pytest.raises(UsageError, match="is there already, and was not made here"):
        generate({"a": "int"}, tmp_path)
    assert (tmp_path / "data.csv").read_text() == "mine"


def test_the_sample_is_that_of_the_documents() -> None:
    assert default_sample() == {
        "feature1": [1, 2, 3, 4, 5],
        "feature2": [0.1, 0.2, 0.3, 0.4, 0.5],
        "label": [0, 1, 0, 1, 0],
    }
    assert default_sample() is not default_sample()
