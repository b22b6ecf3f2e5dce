"""A user's pandera schema in a process of its own: what it finds, and what it cannot do to this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from data.tables import column, table

from runner.data.expectations import unmet
from runner.data.pandera_check import Failure, failures
from runner.data.reading import Stopped, never
from runner.data.tables import Format
from runner.spec.expects import Expects

pytest.importorskip("pandera")
SCHEMA = """
import pandera.pandas as pa
print("noise " * 1000)
Rows = pa.DataFrameSchema({"id": pa.Column(int, unique=True), "amount": pa.Column(float, pa.Check.gt(0))}, strict=True)
class Model(pa.DataFrameModel):
    amount: float = pa.Field(ge=0, nullable=True)
Number = 5
"""


def checked(
    tmp_path: Path,
    module: str,
    text: str = "id,amount\n1,1.5\n2,2.5\n",
    *,
    name: str = "checks:Rows",
    seconds: float = 60.0,
    memory: int = 4 << 30,
    stopped: Callable[[], bool] = never,
) -> list[Failure]:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "checks.py").write_text(dedent(module))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text(text)
    files = [table("rows.csv", column("id"))]
    root, code = tmp_path / "data", tmp_path / "code"
    return failures(name, files, root, code, stopped, seconds=seconds, memory=memory)


def test_a_schema_that_passes(tmp_path: Path) -> None:
    assert checked(tmp_path, SCHEMA) == []
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == ["checks.py"]  # no __pycache__ left there


def test_a_model_counts_as_its_schema(tmp_path: Path) -> None:
    (one,) = checked(tmp_path, SCHEMA, "amount\n1.5\n-2.5\n", name="checks:Model")
    assert one[:2] == ("rows.csv", "amount")
    assert one[2] == (
        "needs column 'amount' of 'rows.csv' to pass greater_than_or_equal_to(0) of schema checks:Model; "
        "1 row fails: row 1 is -2.5"
    )


def test_failures_are_told_by_column_and_check(tmp_path: Path) -> None:
    rows = "".join(f"{n % 3},{-1.0 if n % 2 else 1.0},x\n" for n in range(10))
    found = checked(tmp_path, SCHEMA, f"id,amount,more\n{rows}")
    by_column = {column: message for _, column, message in found}
    assert "to pass field_uniqueness of schema checks:Rows; 10 rows fail: row 0 is 0" in by_column["id"]
    assert "greater_than(0) of schema checks:Rows; 5 rows fail: row 1 is -1.0, row 3 is -1.0" in by_column["amount"]
    assert "column_in_schema of schema checks:Rows; it fails: 'more'" in str(by_column)


def test_a_missing_column(tmp_path: Path) -> None:
    found = checked(tmp_path, SCHEMA, "id\n1\n")
    assert any("column_in_dataframe" in message and "'amount'" in message for _, _, message in found)


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        ("import sys; sys.exit(0)\n", "checks:Rows", "needs schema checks:Rows to pass; SystemExit: 0"),
        ("raise ValueError('not\\nready')\n", "checks:Rows", "ValueError: not ready"),
        ("import nowhere_at_all\n", "checks:Rows", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (SCHEMA, "checks:Row", "LookupError: checks has no 'Row' (did you mean 'Rows'?)"),
        (SCHEMA, "checks:Number", "TypeError: 'Number' is int, not a DataFrameSchema or DataFrameModel"),
        ("import os; os._exit(9)\n", "checks:Rows", "it ended with exit 9 and without an answer"),
        ("import ctypes; ctypes.string_at(0)\n", "checks:Rows", "it was ended by SIGSEGV without an answer"),
        (
            "import pandera.pandas as pa\n"
            "Rows = pa.DataFrameSchema(checks=pa.Check(lambda frame: 1 / 0))\n",
            "checks:Rows",
            "ZeroDivisionError",
        ),
    ],
)  # fmt: skip
def test_code_that_fails_is_told_in_words(tmp_path: Path, module: str, name: str, words: str) -> None:
    found = checked(tmp_path, module, name=name)
    assert len(found) == 1
    assert words in found[0][2]


def test_code_that_never_ends_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    module = f"""
    import subprocess, time
    child = subprocess.Popen(["sleep", "600"])
    open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
    time.sleep(600)
    """
    began = time.monotonic()
    (one,) = checked(tmp_path, module, seconds=5.0)
    assert time.monotonic() - began < 30
    assert one[2] == "needs schema checks:Rows to pass; it was ended after 5 s without an answer"
    assert _gone(int((tmp_path / "pid").read_text()))


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_code_that_takes_all_memory_is_refused_it(tmp_path: Path) -> None:
    module = SCHEMA + "Rows = Rows.add_columns({'x': pa.Column(checks=pa.Check(lambda c: bytearray(8 << 30)))})\n"
    (one,) = checked(tmp_path, module, "id,amount,x\n1,1.5,1\n", memory=3 << 30)
    assert "MemoryError" in one[2] or "needs more than 3 GiB of memory" in one[2]


def test_a_stop_ends_it(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Stopped):
        checked(tmp_path, "import time; time.sleep(600)\n", stopped=lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 20


def test_as_part_of_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(SCHEMA)
    (tmp_path / "rows.csv").write_text("id,amount\n1,-1.5\n")
    wanted = Expects.model_validate({"required": "id", "schema": "checks:Rows"})
    (one,) = unmet(wanted, [table("rows.csv", column("id"))], tmp_path, modules=tmp_path)
    assert (one.impact, one.file, one.column) == ("breaking", "rows.csv", "amount")
    missing = Expects.model_validate({"required": "other", "schema": "checks:Rows"})
    assert len(unmet(missing, [table("rows.csv", column("id"))], tmp_path)) == 2


def test_what_is_no_table_of_pandas(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(SCHEMA)
    files = [table("x.svm", column("0"), format=Format.LIBSVM)]
    (one,) = failures("checks:Rows", files, tmp_path, tmp_path)
    assert "held against csv, tsv, json, jsonl and parquet; this is libsvm" in one[2]
    assert [path.name for path in tmp_path.iterdir()] == ["checks.py"]
