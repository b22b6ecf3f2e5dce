"""What data does not meet, in which class, and in which words."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from data.tables import column, other, table

from runner.data.choice import pattern, spoken_of
from runner.data.expectations import look, needs_whole, unmet
from runner.data.impact import FAMILIES, Impact
from runner.data.tables import Family, FileSchema
from runner.spec.expects import Expects


def expects(**written: Any) -> Expects:
    return Expects.model_validate(written)


def told(wanted: Expects, *files: FileSchema) -> list[tuple[str, str]]:
    return [(str(each.impact), each.message) for each in unmet(wanted, files, Path("/nowhere"))]


def of_column(written: Any, family: str, **facts: Any) -> list[tuple[str, str]]:
    """What is told of a column `a` that holds what `facts` say."""
    complete = facts.pop("complete", True)
    return told(expects(columns={"a": written}), table("t.csv", column("a", family, **facts), complete=complete))


def test_a_missing_column_names_those_that_are_there_and_the_nearest() -> None:
    found = unmet(expects(columns={"label": "int"}), [table("train.csv", column("id"), column("labels"))], Path())
    (one,) = found
    assert (one.impact, one.file, one.column) == (Impact.BREAKING, "train.csv", "label")
    assert str(one) == "needs column 'label'; 'train.csv' has 'id', 'labels' (nearest: 'labels')"


def test_columns_without_names() -> None:
    (one,) = told(expects(required="label"), table("t.csv", column("0"), column("1"), header=False))
    assert (
        one[1] == "needs column 'label'; 't.csv' has '0', '1'; its first line names no columns, they are counted from 0"
    )


def test_what_is_met_is_not_told() -> None:
    wanted = expects(
        format="csv",
        files="*.csv",
        columns={
            "a": {"family": "int", "min": 0, "max": 5, "nullable": False, "unique": True},
            "b": {"family": "float", "min": 0.5},
            "c": {"family": "category", "values": ["x", "y"]},
            "d": {"family": "datetime", "min": "2024-01-01", "max": "2024-12-31T00:00:00Z"},
            "e": None,
        },
        required=["f"],
        exact=True,
        order=True,
        rows={"min": 100, "max": 100},
    )
    columns = [
        column("a", minimum=0.0, maximum=5.0, unique=True),
        column("b", minimum=1.0, maximum=2.0),
        column("c", "category", values=("x",)),
        column("d", "datetime", minimum="2024-01-01T00:00:00", maximum="2024-06-01"),
        column("e", "null", nullable=True, nulls=100),
        column("f", "nested"),
    ]
    assert told(wanted, table("t.csv", *columns), other("notes.txt", "text")) == []


@pytest.mark.parametrize(
    ("written", "family", "facts", "impact", "words"),
    [
        ("float", "int", {}, None, ""),
        ("int", "float", {}, "risky", "needs column 'a' of 't.csv' to be int; it is float: sums and models go on, but"),
        ("int", "string", {}, "breaking", "to be int; it is string: arithmetic on it fails"),
        ("string", "int", {}, "risky", "leading zeros are gone"),
        ("datetime", "string", {}, "breaking", "no longer read as a time"),
        ("string", "category", {}, None, ""),
        ("int", "null", {}, "risky", "not one value is there"),
        ({"nullable": False}, "int", {"nulls": 3}, "breaking", "; 3 of 100 are missing"),
        ({"nullable": True}, "int", {"nulls": 3, "nullable": True}, None, ""),
        ({"nullable": False}, "int", {"nullable": True}, None, ""),  # parquet says so of every column
        ({"nullable": False}, "int", {"complete": False}, "risky", "to be 'no nulls'; not all of its"),
        ({"min": 0}, "int", {"minimum": -2.0, "maximum": 5.0}, "breaking", "to be at least 0; it is -2 to 5"),
        ({"min": 0}, "int", {"minimum": -2.0, "maximum": 5.0, "complete": False}, "breaking", "it is -2 to 5"),
        ({"max": 4}, "int", {"minimum": 5.0, "maximum": 5.0}, "breaking", "to be at most 4; it is 5"),
        ({"max": 4}, "datetime", {"minimum": "2024-01-01", "maximum": "2024-01-02"}, "breaking", "it holds 2024-01-01"),
        ({"max": 4}, "string", {}, "risky", "of string no range is known"),
        ({"max": "2024-01-01"}, "datetime", {"minimum": "2023", "maximum": "2024-01-02"}, "breaking", "at most"),
        ({"unique": True}, "int", {"unique": False}, "breaking", "to be unique; a value comes twice"),
        ({"unique": True}, "int", {"unique": None}, "risky", "its values were not counted"),
        ({"unique": True}, "int", {"unique": None, "complete": False}, "risky", "not all of its values"),
        ({"values": ["x"]}, "category", {"values": ("x", "z")}, "breaking", "to be one of 'x'; it also holds 'z'"),
        ({"values": [True]}, "bool", {"values": ("True",)}, None, ""),
        ({"values": [1, 2]}, "float", {"values": ("1.0",)}, None, ""),
        ({"family": "int", "values": [0, 1]}, "int", {"minimum": 0.0, "maximum": 1.0}, None, ""),
        ({"family": "int", "values": [0, 1]}, "int", {"minimum": 0.0, "maximum": 2.0}, "breaking", "it is 0 to 2"),
        ({"family": "int", "values": [0, 9]}, "int", {"minimum": 0.0, "maximum": 9.0}, "risky", "not all of its"),
        ({"values": ["x"]}, "string", {}, "risky", "not all of its different values are known"),
    ],
)  # fmt: skip
def test_a_column(written: Any, family: str, facts: dict[str, Any], impact: str | None, words: str) -> None:
    found = of_column(written, family, **facts)
    assert [each[0] for each in found] == ([impact] if impact else [])
    assert all(words in each[1] for each in found), found


def test_a_break_in_the_family_is_told_alone() -> None:
    found = of_column({"family": "int", "min": 0, "nullable": False}, "nested", nulls=2)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("wanted", "files", "words"),
    [
        ({"format": "csv"}, [], "needs a table; there is no file at all"),
        ({"files": "part-*"}, [other("x", "text")], "needs files as 'part-*'; there are 'x'"),
        ({"required": "a"}, [other("x.txt", "text")], "needs a table; there are 'x.txt'"),
        ({"required": "a"}, [other("x.csv", "empty")], "needs data; 'x.csv' is empty"),
        ({"required": "a", "files": "x*"}, [other("x.bin", "unknown")], "needs a table; 'x.bin' is none (unknown)"),
        (
            {"format": "parquet"},
            [table("x.csv")],
            "needs parquet; 'x.csv' is csv; where it is not meant, name the others",
        ),
        ({"format": "tar"}, [other("m.tar.gz", "text")], "needs tar; 'm.tar.gz' is text"),
        (
            {"format": "csv"},
            [other("x.csv", "csv", fault="a NUL byte in line 2")],
            "needs csv; 'x.csv' cannot be read as csv: a NUL byte in line 2",
        ),
        (
            {"required": ["a"], "exact": True},
            [table("x.csv", column("a"), column("b"))],
            "needs no columns but 'a'; 'x.csv' also has 'b'",
        ),
        (
            {"required": ["a", "b"], "order": True},
            [table("x.csv", column("b"), column("c"), column("a"))],
            "needs its columns in the order 'a', 'b'; 'x.csv' has 'b', 'a'",
        ),
        ({"rows": 5}, [table("x.csv", rows=4)], "needs 5 rows; 'x.csv' has 4"),
        ({"rows": {"max": 5}}, [table("x.csv"), table("y.csv")], "needs at most 5 rows; 2 files have 200"),
    ],
)
def test_files_and_rows(wanted: dict[str, Any], files: list[FileSchema], words: str) -> None:
    (one,) = told(expects(**wanted), *files)
    assert one[0] == "breaking"
    assert one[1].startswith(words), one[1]


def test_a_table_that_is_not_even_its_format_is_no_less_a_table() -> None:
    for path in ("x.csv", "x.csv.gz", "x.parquet"):
        (one,) = told(expects(required="a"), table("y.csv", column("a")), other(path, "unknown", fault="cut off"))
        assert one == ("breaking", f"needs a file that can be read; '{path}' cannot be read as unknown: cut off")


def test_files_that_were_not_looked_at_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    more = other(".", "unknown", fault="holds 5 more files, which were not looked at", details={"files": "9"})
    assert told(expects(required="a"), table("y.csv", column("a")), more) == [
        ("risky", "the directory holds 5 more files, which were not looked at")
    ]
    assert len(told(expects(required="a"), more)) == 2
    reader = ModuleType("runner.data.formats")
    reader.describe_tree = lambda root, *, whole: (other(".", "unknown", fault="cannot be looked into: no"),)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "runner.data.formats", reader)
    with pytest.raises(OSError, match="cannot be looked into: no"):
        look(tmp_path, whole=False)


def test_rows_of_all_files_count_together_and_an_estimate_is_no_proof() -> None:
    assert told(expects(rows={"min": 150}), table("x.csv"), table("y.csv")) == []
    (one,) = told(expects(rows=5), table("x.csv", complete=False))
    assert one == ("risky", "needs 5 rows; 'x.csv' has about 100, read in part only")
    assert told(expects(rows=5), table("x.json", rows=None))[0][0] == "risky"


def test_which_files_it_is_about() -> None:
    files = [table("a.csv"), table("sub/b.csv"), other("_SUCCESS", "empty"), other("m.bin", "unknown"), table("_x.csv")]
    paths = {
        name: [each.path for each in spoken_of(wanted, files)]
        for name, wanted in {
            "tables": expects(required="a"),
            "any depth": expects(files="*.csv"),
            "top": expects(files="./a.csv".removeprefix("./")),
            "below": expects(files="sub/*"),
            "every": expects(format="npz"),
        }.items()
    }
    assert paths == {
        "tables": ["a.csv", "sub/b.csv"],
        "any depth": ["a.csv", "sub/b.csv", "_x.csv"],
        "top": ["a.csv"],
        "below": ["sub/b.csv"],
        "every": ["a.csv", "sub/b.csv", "m.bin"],
    }


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("*.csv", "a/b/c.csv", True),
        ("a/*.csv", "a/b/c.csv", False),
        ("a/**/*.csv", "a/c.csv", True),
        ("a/**/*.csv", "a/b/d/c.csv", True),
        ("p-[0-9].csv", "p-3.csv", True),
        ("p-[!0-9].csv", "p-3.csv", False),
        ("p-?.csv", "p-33.csv", False),
        ("a.csv", "axcsv", False),
        ("[", "[", True),
        ("a+(b).csv", "a+(b).csv", True),
    ],
)
def test_patterns(glob: str, path: str, fits: bool) -> None:
    assert (pattern(glob).fullmatch(path) is not None) is fits


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ({"columns": {"a": "int"}, "required": ["b"], "exact": True, "format": "csv"}, False),
        ({"columns": {"a": {"nullable": True}}}, False),
        ({"schema": "m:S"}, False),
        ({"columns": {"a": {"nullable": False}}}, True),
        ({"columns": {"a": {"min": 0}}}, True),
        ({"columns": {"a": {"values": [1]}}}, True),
        ({"columns": {"a": {"unique": True}}}, True),
        ({"rows": 1}, True),
    ],
)
def test_what_only_the_whole_file_tells(written: dict[str, Any], whole: bool) -> None:
    assert needs_whole(expects(**written)) is whole


def test_every_pair_of_families_has_a_class_and_a_reason() -> None:
    pairs = [(one, two) for one in Family for two in Family]
    assert all(FAMILIES[pair][1] for pair in pairs)
    assert {pair for pair in pairs if FAMILIES[pair][0] is Impact.SAFE} == {
        *((family, family) for family in Family),
        (Family.FLOAT, Family.INT),
        (Family.STRING, Family.CATEGORY),
    }


def test_looking_asks_the_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[object] = []
    reader = ModuleType("runner.data.formats")
    reader.describe_tree = lambda root, *, whole: asked.append((root, whole)) or (table("x.csv"),)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "runner.data.formats", reader)
    assert look(tmp_path, whole=True) == (table("x.csv"),)
    assert asked == [(tmp_path, True)]
