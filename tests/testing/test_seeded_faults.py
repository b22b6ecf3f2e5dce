"""The example workspace with seeded faults: each is found in a real container, and told in words that name the fix."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner import RuntimeTester
from runner.cli.main import entry
from runner.testing.results import ScriptTestResult

pytestmark = pytest.mark.docker

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "runtime-testing-faults"
CODE = "/opt/ml/processing/input"


@dataclass(frozen=True)
class Told:
    """What a person must read. `sentence` is a part of the message; `started`: whether a container ran."""

    kind: str
    sentence: str
    remedy: str
    place: str | None = None
    started: bool = True


SCRIPTS = {
    "unfinished_edit": Told(
        "syntax",
        "scripts/unfinished_edit.py:7:58: not valid Python: expected ':'\n"
        '    for file in Path(input_paths["orders"]).glob("*.csv")\n' + " " * 57 + "^",
        "Correct scripts/unfinished_edit.py there; nothing was run.",
        started=False,
    ),
    "old_signature": Told(
        "signature",
        "scripts/old_signature.py:6: main takes 2 of the 4 values that it is given: expected main(input_paths, "
        "output_paths, environ_vars, job_args), found main(input_dir, output_dir)",
        "Give main the four parameters, or the script a __main__ block of its own.",
        started=False,
    ),
    "no_entry": Told(
        "signature",
        "scripts/no_entry.py: neither a function 'main' nor an `if __name__ == '__main__':` block",
        "Write main(input_paths, output_paths, environ_vars, job_args), or a __main__ block that starts it.",
        started=False,
    ),
    "boosted_scores": Told(
        "import",
        "module 'xgboost' is not in image 'sklearn'",
        "use image 'xgboost', or add it to requirements.txt in a `source_dir`",
        "scripts/boosted_scores.py:6",
    ),
    "sample_rows": Told(
        "arguments",
        "the script does not know '--max_rows'; it knows '--row_limit'",
        "take `max_rows` out of the contract (contracts/sample_rows_contract.py:7)",
    ),
    "guess_label": Told(
        "arguments",
        "scripts/guess_label.py:9: the script requires the argument '--label', and the spec does not give it",
        "Add 'label' to 'job_args'.",
        started=False,
    ),
    "join_regions": Told(
        "missing-file",
        f"no input is mounted at {CODE}/regions; the step's inputs are: 'regions' at {CODE}/region",
        f"mount an input at {CODE}/regions in the contract (contracts/join_regions.step.yaml:2), or read {CODE}/region",
        "scripts/join_regions.py:6",
    ),
    "score_orders": Told(
        "environment",
        "contracts/score_orders_contract.py:7: the contract requires the environment variable 'SCORE_THRESHOLD', and "
        "the spec does not set it",
        "Set 'SCORE_THRESHOLD' in 'environ_vars'.",
        started=False,
    ),
    "read_threshold": Told(
        "arguments",
        "environment variable SCORE_THRESHOLD is not set",
        "add `SCORE_THRESHOLD: ...` to the spec's `environ_vars`",
        "scripts/read_threshold.py:10",
    ),
    "write_elsewhere": Told(
        "missing-output",
        "output 'result' is empty: the script wrote nothing to /opt/ml/processing/output/result",
        "write to /opt/ml/processing/output/result, in place of /opt/ml/processing/results/orders.csv",
    ),
    "read_lookup": Told(
        "missing-file",
        f"no input is mounted at {CODE}/lookup; the step's inputs are: 'orders' at {CODE}/orders",
        f"mount an input at {CODE}/lookup (the spec's `container_input_paths`)",
        "scripts/read_lookup.py:7",
    ),
    "read_history": Told(
        "encoding",
        "'history.parquet' of input 'history' is read as parquet, and is not or only in part (half-written: ",
        "get or write the file again: the one on the host is not whole",
        "scripts/read_history.py:9",
    ),
    "merge_sources": Told(
        "missing-input",
        "no data and no producer for inputs 'east' (data/east: no such file or directory), 'west' (data/west: no such "
        "file or directory)",
        "Put the data there, name another path in 'input_paths', or say in 'expects' what it looks like.",
        started=False,
    ),
    "wait_for_lock": Told(
        "time-out",
        "the script did not end within its time-out of 2 s",
        "raise the step's `timeout`, or give it less to do",
    ),
    "load_everything": Told(
        "memory",
        "the step was killed for memory at its limit of 96 MiB",
        "use less at a time, or raise `memory` in the step's `resources`",
    ),
    "fetch_rates": Told(
        "network",
        "the script tried to reach https://rates.example.com/eur.json, and the step has `network: none`",
        "write `network: bridge` if the step needs the network, else take the call out",
        "scripts/fetch_rates.py:8",
    ),
}
EDGES = {
    ("prepare_orders", "count_labels"): Told(
        "missing-column",
        "the consumer needs column 'label'; the producer 'prepare_orders' wrote 'id', 'city', 'year', 'amount', "
        "'labels' (nearest: 'labels')",
        "let 'prepare_orders' write 'label', or read 'labels' (count_labels.py, line 11)",
        "scripts/count_labels.py:11",
    ),
    ("format_amounts", "fit_amounts"): Told(
        "type",
        "the text '37.50 EUR' is no number",
        "convert, encode or drop that column before it is used as a number",
        "scripts/fit_amounts.py:12",
    ),
    ("export_semicolons", "sum_amounts"): Told(
        "missing-column",
        "column 'amount' is in orders.csv of the producer 'export_semicolons', which is separated by ';'; the script "
        "reads it as if by commas",
        "read it with sep=';', or let 'export_semicolons' write commas",
        "scripts/sum_amounts.py:10",
    ),
    ("export_cities", "list_cities"): Told(
        "encoding",
        "'cities.csv' of the producer 'export_cities' is read as UTF-8, and byte 0xfc at position 6 is not; it looks "
        "like latin-1",
        "read it with encoding='latin-1', or write it as UTF-8",
        "scripts/list_cities.py:9",
    ),
    ("filter_orders", "average_orders"): Told(
        "encoding",
        "'orders.csv' of the producer 'filter_orders' is read as a table and holds no columns",
        "let 'filter_orders' write the names of the columns also where there are no rows",
        "scripts/average_orders.py:9",
    ),
}
AMBIGUOUS = ("split_orders", "report_orders")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("faults") / "workspace"
    shutil.copytree(EXAMPLE, workspace, ignore=shutil.ignore_patterns("runs", "out", ".calls"))
    return workspace


@pytest.fixture
def workspace(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(copied)
    return copied


def assert_told(result: ScriptTestResult, told: Told) -> None:
    assert not result.success
    assert result.kind == told.kind
    assert (result.error_message or "").startswith(f"{told.kind}: ")
    assert told.sentence in (result.error_message or "")
    assert result.remedy == told.remedy
    assert result.place == told.place
    assert (result.verdict is not None) == told.started
    text = str(result)
    assert f"  remedy: {told.remedy}\n" in f"{text}\n"
    assert text.startswith(f"{result.script_name}: FAIL (")


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, workspace: Path, engine: object) -> None:
    result = RuntimeTester(workspace, engine=engine).test_script(name)  # type: ignore[arg-type]
    assert_told(result, SCRIPTS[name])


@pytest.mark.parametrize("pair", EDGES, ids="->".join)
def test_edge(pair: tuple[str, str], workspace: Path, engine: object) -> None:
    result = RuntimeTester(workspace, engine=engine).test_data_compatibility(*pair)  # type: ignore[arg-type]
    told = EDGES[pair]
    assert (result.compatible, result.tested) == (False, True)
    assert result.result_a is not None
    assert result.result_b is not None
    assert result.result_a.success
    assert_told(result.result_b, told)
    assert told.sentence in result.compatibility_issues[0]
    assert result.compatibility_issues[1] == f"remedy: {told.remedy}"
    assert f"\n  at: {told.place}\n" in str(result)


def test_text_where_a_number_is_needed_names_the_column(workspace: Path, engine: object) -> None:
    result = RuntimeTester(workspace, engine=engine).test_data_compatibility("format_amounts", "fit_amounts")  # type: ignore[arg-type]
    assert "column 'amount' of orders.csv in the producer 'format_amounts' holds text" in str(result)


def test_ambiguous_edge_shows_the_candidates_and_runs_nothing(workspace: Path, engine: object) -> None:
    result = RuntimeTester(workspace, engine=engine).test_data_compatibility(*AMBIGUOUS)  # type: ignore[arg-type]
    assert (result.compatible, result.tested) == (False, False)
    text = str(result)
    assert "outputs of 'split_orders': 'orders_part1', 'orders_part2'" in text
    assert "likeness: 'orders_part1' -> 'orders_part' 0.64, 'orders_part2' -> 'orders_part' 0.64" in text
    assert "remedy: Give both the same host path, or the input an alias" in text
    assert not any(each is None or each.verdict for each in (result.result_a, result.result_b))


def test_the_alias_of_the_remedy_mends_the_ambiguous_edge(workspace: Path, engine: object) -> None:
    tester = RuntimeTester(workspace, engine=engine)  # type: ignore[arg-type]
    path = {"path": "data/part", "aliases": ["orders_part2"]}
    spec = tester.builder.spec_for("report_orders").model_copy()
    mended = type(spec).model_validate({**spec.to_dict(), "input_path_specs": {"orders_part": path}})
    producer = tester.builder.spec_for("split_orders")
    result = tester.test_data_compatibility_with_specs(producer, mended)
    assert result.ports == {"orders_part2": "orders_part"}
    assert result.compatible, str(result)


def test_pipeline_blocks_what_needs_the_fault_and_nothing_else(workspace: Path, capsys) -> None:
    assert entry(["test-pipeline", "pipeline.json", "--workspace-dir", ".", "--color", "never"]) == 1
    text = capsys.readouterr().out
    assert "pipeline: FAIL, scripts 2/4, data flows 0/2" in text
    assert re.search(r"^  prepare_orders: PASS \(", text, re.MULTILINE)
    assert re.search(r"^  count_labels: FAIL \(", text, re.MULTILINE)
    assert "  compare_counts: NOT RUN: blocked: count_labels did not pass\n" in text
    assert re.search(r"^  export_cities: PASS \(", text, re.MULTILINE)
    assert text.count("the consumer needs column 'label'") == 1, "told once, not again with the edge"
    assert f"    remedy: {EDGES['prepare_orders', 'count_labels'].remedy}\n" in text


def test_the_readme_names_every_fault_with_its_kind() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| .* \| (?:`([a-z-]+)`|not tested)", (EXAMPLE / "README.md").read_text(), re.M)
    told = {name: each.kind for name, each in SCRIPTS.items()}
    told |= {" ".join(pair): each.kind for pair, each in EDGES.items()} | {" ".join(AMBIGUOUS): ""}
    assert dict(rows) == told
