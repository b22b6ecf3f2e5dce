"""What an edge says of its data beyond the verdict: differences from what the consumer was made for, made-up data."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import RuntimeTester, ScriptExecutionSpec

pytestmark = pytest.mark.docker

PRODUCER = """
from pathlib import Path

def main(input_paths, output_paths, environ_vars, job_args):
    rows = Path(input_paths["raw"], "data.csv").read_text().splitlines()
    Path(output_paths["table"], "data.csv").write_text("\\n".join(rows).replace("label", "labels") + "\\n")
"""
CONSUMER = """
import csv
from pathlib import Path

def main(input_paths, output_paths, environ_vars, job_args):
    with Path(input_paths["table"], "data.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    Path(output_paths["count"], "count.txt").write_text(str(len(rows)))
"""
CONTRACT = """
entry_point: produce.py
expected_input_paths: {raw: /opt/ml/processing/input/raw}
expected_output_paths: {table: /opt/ml/processing/output/table}
expects:
  raw:
    columns: {id: {family: int, unique: true}, label: {family: category, values: [a, b]}}
    files: data.csv
    rows: 20
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "produce.py").write_text(PRODUCER)
    (tmp_path / "consume.py").write_text(CONSUMER)
    return tmp_path


def specs(workspace: Path, *, raw: bool) -> tuple[ScriptExecutionSpec, ScriptExecutionSpec]:
    if raw:
        (workspace / "raw").mkdir()
        (workspace / "raw" / "data.csv").write_text("id,label\n1,a\n2,b\n")
    return (
        ScriptExecutionSpec(script_name="produce", input_paths={"raw": "raw"}, output_paths={"table": "out/table"}),
        ScriptExecutionSpec(script_name="consume", input_paths={"table": "known"}, output_paths={"count": "out/count"}),
    )


def test_a_difference_from_the_consumers_own_data_is_told_with_its_class(workspace: Path) -> None:
    producer, consumer = specs(workspace, raw=True)
    (workspace / "known").mkdir()
    (workspace / "known" / "data.csv").write_text("id,label\n1,a\n2,b\n")
    result = RuntimeTester(workspace / "ws").test_data_compatibility_with_specs(producer, consumer)
    assert result.compatible, str(result)  # it runs today: the consumer counts rows
    assert (result.data_format_a, result.data_format_b) == ("CSV", "CSV")
    assert next((each["impact"].value, each["column"]) for each in result.differences) == ("breaking", "label")
    assert any("'label'" in risk and "'labels'" in risk and risk.endswith("(breaking)") for risk in result.risks)


def test_equal_data_has_no_difference(workspace: Path) -> None:
    producer, consumer = specs(workspace, raw=True)
    (workspace / "produce.py").write_text(PRODUCER.replace('.replace("label", "labels")', ""))
    (workspace / "known").mkdir()
    (workspace / "known" / "data.csv").write_text("id,label\n1,a\n2,b\n")
    result = RuntimeTester(workspace / "ws").test_data_compatibility_with_specs(producer, consumer)
    assert result.compatible
    assert (result.differences, result.risks) == ((), ())


def test_missing_data_is_made_up_from_the_contract_and_said_to_be(workspace: Path) -> None:
    (workspace / "produce.step.yaml").write_text(CONTRACT)
    producer, consumer = specs(workspace, raw=False)
    tester = RuntimeTester(workspace / "ws")
    first = tester.test_data_compatibility_with_specs(producer, consumer)
    assert first.compatible, str(first)
    assert first.result_a is not None
    assert first.result_a.data_sources == {"raw": "synthetic"}
    assert "synthetic data: raw" in str(first.result_a)
    assert first.schemas[0]["rows"] == 20
    table = (workspace / "out" / "table" / "data.csv").read_bytes()
    tester.test_data_compatibility_with_specs(producer, consumer)
    assert (workspace / "out" / "table" / "data.csv").read_bytes() == table
    assert (workspace / "out" / "count" / "count.txt").read_text() == "20"


def test_what_says_too_little_is_a_failure_that_names_every_input(workspace: Path) -> None:
    producer, _ = specs(workspace, raw=False)
    spec = producer.model_copy(update={"input_paths": {"raw": "raw", "more": "more"}})
    result = RuntimeTester(workspace / "ws").test_script_with_spec(spec)
    assert (result.success, result.kind, result.verdict) == (False, "missing-input", None)
    assert result.error_message is not None
    assert "'raw' (raw: no such file or directory)" in result.error_message
    assert "'more' (more: no such file or directory)" in result.error_message


def test_a_contract_that_the_spec_names_is_used(workspace: Path) -> None:
    (workspace / "elsewhere.yaml").write_text(CONTRACT)
    producer, _ = specs(workspace, raw=False)
    result = RuntimeTester(workspace / "ws").test_script_with_spec(
        producer.model_copy(update={"contract": "elsewhere.yaml"})
    )
    assert result.success, str(result)
    assert result.data_sources == {"raw": "synthetic"}


def test_a_named_contract_of_another_script_is_refused(workspace: Path) -> None:
    (workspace / "elsewhere.yaml").write_text(CONTRACT.replace("produce.py", "other.py"))
    producer, _ = specs(workspace, raw=True)
    result = RuntimeTester(workspace / "ws").test_script_with_spec(
        producer.model_copy(update={"contract": "elsewhere.yaml"})
    )
    assert (result.success, result.kind, result.verdict) == (False, "contract", None)
    expected = "contract: elsewhere.yaml: has no contract with the entry point 'produce.py'; it has: 'other.py'"
    assert result.error_message == expected
