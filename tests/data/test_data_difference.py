"""What changed between two looks at data, each difference in its class."""

from __future__ import annotations

from typing import Any

import pytest
from data.tables import column, other, table

from runner.data.difference import differences
from runner.data.impact import Impact
from runner.data.tables import Column, FileSchema, Format


def told(old: FileSchema, new: FileSchema) -> list[tuple[str, str]]:
    return [(str(each.impact), each.message) for each in differences([old], [new])]


def test_the_same_is_no_difference() -> None:
    whole = [table("a.csv", column("x", unique=True, nulls=1, nullable=True)), other("m.tar", "tar", members=("a",))]
    assert differences(whole, whole) == ()


def test_files_gone_and_new() -> None:
    found = differences([table("train.csv"), table("keep.csv")], [table("training.csv"), table("keep.csv")])
    assert [(each.impact, each.file, each.message) for each in found] == [
        (Impact.BREAKING, "train.csv", "'train.csv' is no longer there; 'training.csv' is new: was it renamed?"),
        (Impact.SAFE, "training.csv", "'training.csv' is new"),
    ]


def test_a_renamed_column() -> None:
    (gone, new) = differences([table("t.csv", column("label"))], [table("t.csv", column("labels"))])
    assert (gone.impact, gone.column) == (Impact.BREAKING, "label")
    assert gone.message == "'t.csv' no longer has the column 'label' (int); 'labels' is new: was it renamed?"
    assert (new.impact, new.column, new.message) == (Impact.SAFE, "labels", "'t.csv' has a new column 'labels' (int)")


COLUMNS: list[tuple[Column, Column, list[tuple[str, str]]]] = [
    (column("a"), column("a", "float"), [("risky", "column 'a' of 't.csv' was int and is float")]),
    (column("a", "float"), column("a"), [("safe", "every whole number is a number")]),
    (column("a", "float"), column("a", "string"), [("breaking", "arithmetic on it fails")]),
    (column("a", "bool"), column("a"), [("risky", "was bool and is int")]),
    (
        column("a"),
        column("a", nulls=2, nullable=True),
        [("risky", "may have missing values now, 2 of them in the rows")],
    ),
    (column("a", nullable=True), column("a"), [("safe", "has no missing values any more")]),
    (column("a", unique=True), column("a", unique=False), [("risky", "was unique, and has values twice")]),
    (column("a", unique=True), column("a", unique=None), []),
    (
        column("a", "category", values=("x", "y")),
        column("a", "category", values=("x", "z")),
        [("risky", "has new values 'z'; before: 'x', 'y'"), ("safe", "no longer has the values 'y'")],
    ),
    (column("a"), column("a", "null", nulls=9, nullable=True), [("risky", "was int and is null")]),
]


@pytest.mark.parametrize(("old", "new", "expected"), COLUMNS)
def test_a_column(old: Column, new: Column, expected: list[tuple[str, str]]) -> None:
    found = told(table("t.csv", old), table("t.csv", new))
    assert [each[0] for each in found] == [each[0] for each in expected]
    assert all(words in each[1] for each, (_, words) in zip(found, expected, strict=True)), found


PARQUET: dict[str, Any] = {"format": Format.PARQUET}
FILES: list[tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ({}, {"delimiter": ";"}, [("breaking", "'t.csv' had the delimiter ',' and has ';'")]),
    ({}, {"delimiter": "\t"}, [("breaking", r"has '\t': a reader with the old one")]),
    ({}, {"header": False}, [("breaking", "had the header line of names and has none")]),
    ({}, {"encoding": "latin-1"}, [("risky", "had the encoding 'utf-8' and has 'latin-1'")]),
    ({}, {"encoding": None}, []),
    ({}, {"compression": "gzip"}, [("breaking", "had the compression none and has 'gzip'")]),
    ({**PARQUET, "compression": "snappy"}, {**PARQUET, "compression": "zstd"}, [("safe", "every reader")]),
    ({}, {"format": Format.PARQUET}, [("breaking", "'t.csv' was csv and is parquet: a reader of the one cannot")]),
    ({}, {"format": Format.UNKNOWN}, [("risky", "'t.csv' was csv and is unknown: a guess")]),
    ({}, {"format": Format.EMPTY}, [("breaking", "'t.csv' was csv and is empty")]),
    ({"format": Format.EMPTY}, {}, [("safe", "was empty and is csv")]),
    ({}, {"fault": "cut off"}, [("breaking", "'t.csv' can no longer be read as csv: cut off")]),
    ({"fault": "cut off"}, {}, [("safe", "can be read now")]),
    ({}, {"rows": 0}, [("breaking", "'t.csv' had 100 rows and has none")]),
    ({}, {"rows": 49}, [("risky", "'t.csv' had 100 rows and has 49: less than 50% of them")]),
    ({}, {"rows": 49, "complete": False}, [("risky", "had about 100 rows and has about 49")]),
    ({}, {"rows": 51}, []),
    ({}, {"rows": None}, []),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), FILES)
def test_a_file(old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = told(table("t.csv", column("a"), **old), table("t.csv", column("a"), **new))
    assert [each[0] for each in found] == [each[0] for each in expected], found
    assert all(words in each[1] for each, (_, words) in zip(found, expected, strict=True)), found


def test_a_table_that_is_none_any_more() -> None:
    (one,) = told(table("x.json", column("a"), format=Format.JSON), other("x.json", "json"))
    assert one == ("breaking", "'x.json' had the columns 'a', and is no table any more")


def test_the_order_of_columns_matters_to_those_that_count_them() -> None:
    (one,) = told(table("t.csv", column("a"), column("b")), table("t.csv", column("b"), column("a")))
    assert one[0] == "risky"
    assert "another order, 'b', 'a'; before: 'a', 'b'" in one[1]


def test_arrays_archives_and_pickles() -> None:
    assert told(other("x.npy", "npy", shape=(9, 3)), other("x.npy", "npy", shape=(5, 3))) == []
    assert told(other("x.npy", "npy", shape=(9, 3)), other("x.npy", "npy", shape=(9, 4))) == [
        ("breaking", "'x.npy' had the shape 9 x 3 and has 9 x 4")
    ]
    assert told(other("m.tar", "tar", members=("a", "b")), other("m.tar", "tar", members=("b", "c"))) == [
        ("breaking", "'m.tar' no longer holds 'a'"),
        ("safe", "'m.tar' also holds 'c'"),
    ]
    assert told(other("m.pkl", "pickle", members=("a", "b")), other("m.pkl", "pickle", members=("b", "c"))) == [
        ("safe", "'m.pkl' no longer needs 'a'"),
        ("risky", "'m.pkl' needs 'c'"),
    ]
