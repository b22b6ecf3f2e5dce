"""Real files: what is made to meet an expectation is read as meeting it, and a change is told for what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from runner.data.difference import differences
from runner.data.expectations import look, needs_whole, unmet
from runner.data.synthetic import generate
from runner.spec.expects import Expects

COLUMNS: dict[str, Any] = {
    "id": {"family": "int", "unique": True, "nullable": False},
    "amount": {"family": "float", "min": -1.5, "max": 2, "nullable": True},
    "flag": "bool",
    "name": {"family": "string", "unique": True},
    "kind": {"family": "category", "values": ["x", "y"]},
    "at": {"family": "datetime", "min": "2024-02-01", "max": "2024-02-29"},
    "label": {"family": "int", "values": [0, 1]},
    "odd": {"family": "int", "values": [1, 5, 9]},
}
NUMBERS: dict[str, Any] = {
    "label": {"family": "int", "values": [0, 1]},
    "1": {"family": "float", "min": 0.5},
    "2": {"family": "int", "nullable": True},
}
MATRIX: dict[str, Any] = {"0": {"family": "float", "max": 1}, "1": {"family": "float", "unique": True}}


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("csv", COLUMNS),
        ("tsv", COLUMNS),
        ("jsonl", COLUMNS),
        ("json", COLUMNS),
        ("parquet", COLUMNS),
        ("npy", {name: {**each, "nullable": False} for name, each in NUMBERS.items()}),
        ("npy", MATRIX),
        ("libsvm", {name: each.get("family") for name, each in NUMBERS.items()}),
        ("csv", {"0": "int", "1": "string"}),
    ],
)
def test_what_is_made_meets_what_it_was_made_for(tmp_path: Path, kind: str, columns: dict[str, Any]) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    wanted = Expects.model_validate({"format": kind, "columns": columns, "exact": True, "order": True, "rows": 300})
    if kind == "libsvm":
        wanted = wanted.model_copy(update={"order": False})
    generate(wanted, tmp_path)
    found = unmet(wanted, look(tmp_path, needs_whole(wanted)), tmp_path)
    left_open = [each for each in found if kind in ("json", "jsonl") and each.column == "odd"]
    assert [str(each) for each in found if each not in left_open] == []
    assert all(each.impact == "risky" for each in left_open)


BREAKS: list[tuple[str, Any, str]] = [
    ("id", lambda c: c.where(c.index != 5, c[0]), "column 'id' of 'data.csv' to be unique; a value comes twice"),
    ("amount", lambda c: c + 5, "column 'amount' of 'data.csv' to be -1.5 to 2; it is"),
    ("name", lambda c: range(300), "column 'name' of 'data.csv' to be string; it is int"),
    ("kind", lambda c: c.replace("x", "z"), "it also holds 'z'"),
    ("label", lambda c: c * 2, "column 'label' of 'data.csv' to be one of '0', '1'; it also holds '2'"),
    ("odd", lambda c: c.replace(5, 6), "to be one of '1', '5', '9'; it also holds '6'"),
    ("at", lambda c: c.str.replace("2024-", "24."), "column 'at' of 'data.csv' to be datetime; it is"),
    ("flag", lambda c: "maybe", "column 'flag' of 'data.csv' to be bool; it is"),
]


@pytest.mark.parametrize(("column", "change", "words"), BREAKS, ids=[each[0] for each in BREAKS])
def test_each_break_is_seen(tmp_path: Path, column: str, change: Any, words: str) -> None:
    wanted = Expects.model_validate({"columns": COLUMNS})
    (path,) = generate(wanted, tmp_path, rows=300)
    frame = pd.read_csv(path)
    frame[column] = change(frame[column])
    frame.to_csv(path, index=False)
    (one,) = unmet(wanted, look(tmp_path, True), tmp_path)
    assert one.column == column
    assert words in str(one), str(one)


def test_a_break_far_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n" + "1\n" * 600_000 + "-7\n")
    wanted = Expects.model_validate({"columns": {"a": {"min": 0}}})
    (one,) = unmet(wanted, look(tmp_path, needs_whole(wanted)), tmp_path)
    assert str(one) == "needs column 'a' of 'x.csv' to be at least 0; it is -7 to 1"


def test_a_changed_directory(tmp_path: Path) -> None:
    generate(COLUMNS, tmp_path / "one", rows=300)
    before = look(tmp_path / "one", True)
    frame = pd.read_csv(tmp_path / "one" / "data.csv").rename(columns={"label": "labels"})
    frame["amount"] = "much"
    (tmp_path / "two").mkdir()
    frame.head(20).to_csv(tmp_path / "two" / "data.csv", index=False, sep=";")
    told = [f"{each.impact}: {each}" for each in differences(before, look(tmp_path / "two", True))]
    assert (
        "breaking: 'data.csv' had the delimiter ',' and has ';': a reader with the old one finds a single column"
        in told
    )
    assert any(
        each.startswith("breaking: 'data.csv' no longer has the column 'label' (int); 'labels' is") for each in told
    )
    assert any(each.startswith("breaking: column 'amount' of 'data.csv' was float and is ") for each in told)
    assert "risky: 'data.csv' had 300 rows and has 20: less than 50% of them" in told
    assert differences(before, look(tmp_path / "one", True)) == ()
