"""A column read to its end, where a file's schema leaves open what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from data.tables import column, other, table

from runner.data.counting import counted, unnamed
from runner.data.expectations import unmet
from runner.data.tables import Column, FileSchema, Format
from runner.spec.expects import Expects


def told(root: Path, written: Any, schema: FileSchema) -> list[tuple[str, str]]:
    wanted = Expects.model_validate({"columns": {"a": written}})
    return [(str(each.impact), each.message) for each in unmet(wanted, [schema], root)]


def test_values_of_numbers_in_a_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;x\n5;x\n9;x\n;x\n")
    schema = table("t.csv", column("a", nulls=1, minimum=1, maximum=9, nullable=True), delimiter=";")
    assert told(tmp_path, {"values": [1, 5, 9]}, schema) == []
    assert told(tmp_path, {"values": [1, 9]}, schema) == [
        ("breaking", "needs column 'a' of 't.csv' to be one of '1', '9'; it also holds '5'")
    ]


def test_a_column_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,x\n2,x\n2,x\n")
    found = counted(tmp_path, table("t.csv", column("0"), header=False), column("0"), 5)
    assert found == column("0", unique=False, values=("1", "2"), minimum=1, maximum=2)


def test_parquet_whose_footer_counts_nothing(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": ["x", "y", None], "n": [1, 2, 2], "at": pd.to_datetime(["2024-01-01"] * 3)})
    frame.to_parquet(tmp_path / "t.parquet")
    schema = table("t.parquet", column("a", "string"), column("n"), format=Format.PARQUET)
    assert told(tmp_path, {"values": ["x", "y"]}, schema) == []
    assert told(tmp_path, {"values": ["x"], "nullable": False}, schema) == [
        ("breaking", "needs every value of column 'a' of 't.parquet'; 1 of 100 is missing"),
        ("breaking", "needs column 'a' of 't.parquet' to be one of 'x'; it also holds 'y'"),
    ]
    assert counted(tmp_path, schema, column("n"), 0) == column(
        "n", unique=False, values=("1", "2"), minimum=1, maximum=2
    )
    at = counted(tmp_path, schema, column("at", "datetime"), 5)
    assert at is not None
    assert (at.minimum, at.values) == ("2024-01-01T00:00:00", ("2024-01-01T00:00:00",))


def test_an_array_whose_header_knows_no_value(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([[1.0, 2.0], [np.nan, 3.0]]))
    schema = other("m.npy", "npy", shape=(2, 2), details={"dtype": "float64"})
    assert [(each.name, str(each.family)) for each in unnamed(schema)] == [("0", "float"), ("1", "float")]
    wanted = Expects.model_validate({"columns": {"0": {"nullable": False}, "1": {"max": 2.5}, "2": "int"}, "rows": 2})
    assert [each.message for each in unmet(wanted, [schema], tmp_path)] == [
        "needs every value of column '0' of 'm.npy'; 1 of 2 is missing",
        "needs column '1' of 'm.npy' to be at most 2.5; it is 2 to 3",
        "needs column '2'; 'm.npy' has '0', '1'",
    ]


def test_libsvm_has_a_label_and_numbers() -> None:
    schema = other("x.svm", "libsvm", rows=3, shape=(3, 7), details={"indices": "2 to 4"})
    assert [each.name for each in unnamed(schema)] == ["label", "2", "3", "4"]
    wanted = Expects.model_validate({"columns": {"label": "int", "4": "float"}, "rows": 3})
    assert unmet(wanted, [schema], Path()) == ()
    missing = Expects.model_validate({"columns": {"9": {"family": "float", "min": 0}}, "format": "libsvm"})
    assert [each.column for each in unmet(missing, [schema], Path())] == ["9"]


def test_more_different_values_than_a_list_has(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n" + "".join(f"{n}\n" for n in range(120_000)))
    found = counted(tmp_path, table("t.csv", column("a")), column("a"), 3)
    assert found is not None
    assert (found.unique, found.minimum, found.maximum) == (True, 0, 119_999)
    assert len(found.values) > 3
    (one,) = told(tmp_path, {"values": [1, 2, 3]}, table("t.csv", column("a")))
    assert one[0] == "breaking"


@pytest.mark.parametrize(
    ("text", "one"),
    [("a\n1\nx\n", column("a")), ("b\n1\n", column("a")), ("a\n1\n", column("a", "nested"))],
)
def test_what_cannot_be_counted_is_not_claimed(tmp_path: Path, text: str, one: Column) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert counted(tmp_path, table("t.csv", one), one, 5) is None
    assert counted(tmp_path, other("t.json", "json"), one, 5) is None
    assert counted(tmp_path, table("t.csv", one), one, 5, stopped=lambda: True) is None


def test_a_file_that_holds_no_table_of_that_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([1, 2]))
    assert unnamed(other("v.npy", "npy", shape=(2,), details={"dtype": "int64"})) == ()
