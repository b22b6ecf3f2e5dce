"""`expects:` of an input: what may be written, what it becomes, and what is said of what may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.spec.expects import Expects
from runner.spec.families import Family, Format
from runner.spec.models import Pipeline

Load = Callable[..., Pipeline]
Refuse = Callable[..., list[str]]
FILE = "image: python\nsteps:\n  s:\n    script: a.py\n    inputs: {x: {source: data/raw, expects: %s}}\n"


def test_every_key(load_text: Load, project: Path) -> None:
    (project / "checks.py").write_text("raise SystemExit('never imported here')\n")
    text = """
    image: python
    steps:
      p: {script: a.py, outputs: [o]}
      s:
        script: a.py
        inputs:
          x:
            from: p.o
            expects:
              format: csv
              files: "part-*.csv"
              columns:
                label: {family: int, nullable: false, values: [0, 1]}
                amount: {family: float, min: 0, max: 1.5}
                at: {family: datetime, min: 2024-01-01}
                id: {family: string, unique: true}
                name: string
                any:
              required: [id, other]
              exact: true
              order: true
              rows: {min: 1}
              schema: checks:Rows
    """
    found = load_text(text).spec.steps["s"].inputs["x"].expects
    assert found is not None
    assert (found.format, found.files, found.exact, found.order) == (Format.CSV, "part-*.csv", True, True)
    assert found.names == ("label", "amount", "at", "id", "name", "any", "other")
    assert found.columns["label"].values == ("0", "1")
    assert (found.columns["label"].nullable, found.columns["amount"].nullable) == (False, None)
    assert (found.columns["amount"].min, found.columns["amount"].max) == (0, 1.5)
    assert (found.columns["name"].family, found.columns["any"].family) == (Family.STRING, None)
    assert found.rows is not None
    assert (found.rows.min, found.rows.max, found.schema_) == (1, None, "checks:Rows")
    assert str(found) == (
        "csv; part-*.csv; label (int one of 0, 1 no nulls), amount (float 0 to 1.5), "
        "at (datetime at least 2024-01-01), id (string unique), name (string), any, other, no others, in this order; "
        "at least 1 row; schema checks:Rows"
    )


def test_short_forms(load_text: Load) -> None:
    found = load_text(FILE % "{required: id, rows: 5}").spec.steps["s"].inputs["x"].expects
    assert found == Expects.model_validate({"required": ["id"], "rows": {"min": 5, "max": 5}})
    assert load_text(FILE % "").spec.steps["s"].inputs["x"].expects is None


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("csv", "expects: expected a mapping, got 'csv'"),
        ("{}", "expects: says nothing; write at least one of: format, files, columns"),
        ("{requird: [x]}", "expects: unknown key 'requird' (did you mean 'required'?)"),
        ("{format: cvs}", "expects.format: expected csv, tsv, json"),
        ("{format: cvs}", "got 'cvs' (did you mean 'csv'?)"),
        ("{format: ndjson}", "(did you mean 'jsonl'?)"),
        (
            "{columns: [a]}",
            "expects.columns: expected a mapping of names to families; a list of names alone goes under",
        ),
        ("{columns: {x: flaot}}", "columns.x.family: expected int, float, bool"),
        ("{columns: {x: flaot}}", "got 'flaot' (did you mean 'float'?)"),
        ("{columns: {x: text}}", "got 'text' (did you mean 'string'?)"),
        ("{columns: {x: {famly: int}}}", "columns.x: unknown key 'famly' (did you mean 'family'?)"),
        ("{columns: {x: {min: 5, max: 3}}}", "columns.x.min: 5 is above max 3"),
        (
            "{columns: {x: {min: 2024-02-01, max: '2024-01-01T00:00:00Z'}}}",
            "columns.x.min: 2024-02-01 is above max 2024",
        ),
        ("{columns: {x: {min: 2024-02-01, max: 3}}}", "columns.x.max: one is a number and the other a time"),
        ("{columns: {x: {min: often}}}", "columns.x.min: expected a number, or a time as '2024-01-31'; got 'often'"),
        ("{columns: {x: {min: .inf}}}", "columns.x.min: expected a number"),
        ("{columns: {x: {family: string, max: 5}}}", "columns.x.max: is for numbers and times; this column is string"),
        ("{columns: {x: {family: int, min: 2024-01-01}}}", "columns.x.min: expected a number, got '2024-01-01'"),
        (
            "{columns: {x: {family: datetime, min: 2}}}",
            "columns.x.min: expected a time as '2024-01-31', got the number 2",
        ),
        ("{columns: {x: {family: int, values: [1, x]}}}", "columns.x.values.1: 'x' is no int"),
        ("{columns: {x: {min: 1, max: 5, values: [7]}}}", "columns.x.values.0: '7' is not 1 to 5"),
        ("{columns: {x: {values: []}}}", "columns.x.values: at least one is needed"),
        ("{columns: {x: {values: [a, a]}}}", "columns.x.values.1: 'a' is listed twice"),
        ("{columns: {x: {unique: 5}}}", "columns.x.unique: expected true or false, got the number 5"),
        ("{required: [a, a]}", "expects.required.1: 'a' is listed twice"),
        ("{exact: true}", "expects.exact: has no effect without 'columns' or 'required'"),
        ("{order: true, rows: 1}", "expects.order: has no effect without"),
        ("{format: tar, columns: {a: int}}", "expects.columns: is for tables, and a file of the format 'tar' is none"),
        ("{rows: many}", "expects.rows: expected a whole number of rows, got 'many'"),
        ("{rows: {min: 5, max: 3}}", "expects.rows.min: 5 is above max 3"),
        ("{rows: {}}", "expects.rows: says nothing"),
        ("{files: ../x}", "expects.files: expected a pattern of names below the input's directory"),
        ("{schema: checks}", "expects.schema: expected module:Schema, as checks.rows:Rows; got 'checks'"),
        ("{schema: 'maine:Rows'}", "expects.schema: no module 'maine' beside the pipeline file, nor installed here"),
        (
            "{schema: 'nowhere.rows:Rows'}",
            "expects.schema: no module 'nowhere' beside the pipeline file, nor installed",
        ),
    ],
)
def test_what_is_refused(refuse: Refuse, part: str, problem: str) -> None:
    (line,) = refuse(FILE % part)
    assert line.startswith("pipeline.yaml:5:")
    assert problem in line, line


def test_all_faults_are_told_at_once_and_do_not_hide_others(refuse: Refuse) -> None:
    lines = refuse(FILE.replace("a.py", "b.py") % "{columns: {x: flaot, y: strin}, rows: x}")
    assert len(lines) == 4
