"""What an input must be, in real containers: the script starts when it is met, and only then."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.docker
PIPELINE: dict[str, Any] = {
    "name": "expecting",
    "image": "python",
    "steps": {
        "make": {"script": "make.py", "outputs": ["table"]},
        "use": {"script": "use.py", "inputs": {"table": {"from": "make.table"}}, "outputs": ["report"]},
        "after": {"script": "use.py", "inputs": {"table": {"from": "use.report"}}, "outputs": ["report"]},
    },
}
MAKE = """\
with open("/opt/ml/processing/output/table/rows.csv", "w") as table:
    print("id,labels,amount", file=table)
    for n in range(100):
        print(n, n % 2, n / 8, sep=",", file=table)
"""
USE = """\
import pathlib
for path in pathlib.Path("/opt/ml/processing/input/table").iterdir():
    path.read_bytes()
open("/opt/ml/processing/output/report/started.txt", "w").write("it ran")
"""
CHECKS = """\
import pandera.pandas as pa
Rows = pa.DataFrameSchema({"amount": pa.Column(float, pa.Check.lt(12))})
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("RUN_PIPELINE_RUNS_DIR", raising=False)
    (tmp_path / "make.py").write_text(MAKE)
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "checks.py").write_text(CHECKS)
    return tmp_path


def ran(here: Path, expects: Any, *options: str, **step: Any) -> tuple[int, dict[str, Any], str]:
    """Exit code, result by step, and what was printed."""
    whole = json.loads(json.dumps(PIPELINE))
    whole["steps"]["use"]["inputs"]["table"]["expects"] = expects
    whole["steps"]["use"] |= step
    (here / "pipeline.json").write_text(json.dumps(whole))
    argv = [sys.executable, "-m", "runner.cli.main", "run", "pipeline.json", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    run = json.loads((here / "runs" / "latest" / "run.json").read_text())
    return done.returncode, {each["step"]: each for each in run["results"]}, done.stdout + done.stderr


def containers(run: Path) -> str:
    label = f"label=run-pipeline.run={run.resolve().name}"
    return subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True, check=True).stdout


def test_a_missing_column_stops_the_script_before_it_starts(here: Path) -> None:
    expects = {"format": "csv", "columns": {"label": {"family": "int", "values": [0, 1]}}, "rows": {"min": 100}}
    code, results, text = ran(here, expects, "--junit", "report.xml")
    assert code == 1, text
    assert (results["use"]["verdict"], results["use"]["state"]) == ("invalid-input", "failed")
    assert results["use"]["mode"] in ("staged", "plain")
    assert results["use"]["reason"] == (
        "input 'table' needs column 'label'; 'rows.csv' has 'id', 'labels', 'amount' (nearest: 'labels')"
    )
    assert results["after"]["state"] == "blocked"
    assert results["use"]["reason"] in text
    assert "It never ran: there is no output." in text
    assert 'type="invalid-input"' in (here / "report.xml").read_text()
    step = here / "runs/latest/steps/use"
    assert not (step / "outputs").exists()
    assert not list((step / "attempt").rglob("started.txt"))
    assert not (step / "scratch").exists()
    assert containers(here / "runs/latest") == ""


def test_what_is_met_runs(here: Path) -> None:
    columns = {"labels": {"family": "int", "values": [0, 1]}, "amount": "float", "id": {"unique": True, "min": 0}}
    code, results, text = ran(here, {"columns": columns, "rows": 100, "exact": True})
    assert code == 0, text
    assert {each["verdict"] for each in results.values()} == {"passed"}
    assert results["use"]["warnings"] == []


def test_what_is_risky_is_a_note(here: Path) -> None:
    code, results, text = ran(here, {"columns": {"amount": "int"}})
    assert code == 0, text
    (warning,) = results["use"]["warnings"]
    assert warning.startswith("input 'table' needs column 'amount' of 'rows.csv' to be int; it is float")
    assert warning in text


def test_several_instances_all_wait_for_it(here: Path) -> None:
    code, results, text = ran(here, {"required": "label"}, instance_count=2)
    assert (code, results["use"]["verdict"]) == (1, "invalid-input"), text
    assert containers(here / "runs/latest") == ""


def test_a_schema_of_the_user_s(here: Path) -> None:
    pytest.importorskip("pandera")
    code, results, text = ran(here, {"schema": "checks:Rows"})
    assert (code, results["use"]["verdict"]) == (1, "invalid-input"), text
    assert results["use"]["reason"] == (
        "input 'table' needs column 'amount' of 'rows.csv' to pass less_than(12) of schema checks:Rows; "
        "4 rows fail: row 96 is 12.0, row 97 is 12.125, row 98 is 12.25, ..."
    )
