"""What a terminal shows of a result, and the exit code that goes with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.cli.main import entry
from runner.engine.base import Verdict
from runner.engine.fake import Canned, FakeEngine, infrastructure
from runner.report.style import Style
from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult
from runner.testing.telling import told

FAILED = ScriptTestResult(
    script_name="train",
    step_name="train",
    success=False,
    error_message="missing-column: the consumer needs column 'label'; the producer 'prep' wrote 'id', 'amount', "
    "'labels' (nearest: 'labels') (KeyError: 'label'; exit 1)",
    execution_time=0.5,
    verdict="exit",
    kind="missing-column",
    place="scripts/train.py:12",
    details=("looked at /opt/ml/processing/input/table/t.csv",),
    remedy="let 'prep' write 'label', or read 'labels'",
    stderr_path="runs/r/steps/train/stderr",
)
PASSED = ScriptTestResult(script_name="prep", step_name="Prep", success=True, execution_time=1.25, verdict="passed")
BLOCKED = ScriptTestResult(
    script_name="serve", step_name="serve", success=False, kind="blocked", error_message="blocked: train did not pass"
)


def edge(a: ScriptTestResult, b: ScriptTestResult, *issues: str) -> DataCompatibilityResult:
    return DataCompatibilityResult(
        a.script_name,
        b.script_name,
        compatible=a.success and b.success,
        compatibility_issues=list(issues),
        tested=b.verdict is not None,
        result_a=a,
        result_b=b,
    )


def test_a_failed_script_tells_cause_place_and_fix_in_this_order() -> None:
    assert str(FAILED).splitlines() == [
        "train: FAIL (0.500s)",
        f"  {FAILED.error_message}",
        "    looked at /opt/ml/processing/input/table/t.csv",
        "  at: scripts/train.py:12",
        "  remedy: let 'prep' write 'label', or read 'labels'",
        "  log: runs/r/steps/train/stderr",
    ]
    assert str(PASSED) == "prep (Prep): PASS (1.250s)"
    assert str(BLOCKED) == "serve: NOT RUN: blocked: train did not pass"


def test_a_pipeline_tells_each_fault_once() -> None:
    edges = {
        "prep->train": edge(PASSED, FAILED, f"the consumer 'train' did not pass: {FAILED.error_message}"),
        "train->serve": edge(FAILED, BLOCKED, f"the producer 'train' did not pass: {FAILED.error_message}"),
    }
    scripts = {"Prep": PASSED, "train": FAILED, "serve": BLOCKED}
    text = str(PipelineResult(False, scripts, edges, [], list(scripts), seconds=2.0))
    assert text.count("missing-column") == 1
    assert text.splitlines()[0] == "pipeline: FAIL, scripts 1/3, data flows 0/2 (2.000s)"
    assert text.splitlines()[-2:] == ["  prep -> train: INCOMPATIBLE", "  train -> serve: NOT TESTED"]


def test_an_edge_that_both_scripts_passed_and_still_is_wrong_tells_why() -> None:
    untold = edge(PASSED, PASSED, "the consumer expects another format")
    text = str(PipelineResult(False, {"Prep": PASSED}, {"a->b": untold}, [], ["Prep"]))
    assert "    the consumer expects another format" in text


@pytest.mark.parametrize("columns", [60, 100])
def test_long_lines_are_broken_between_words(columns: int) -> None:
    text = told(str(FAILED), columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    assert text.split() == str(FAILED).split()
    assert all(line.startswith(" ") for line in text.splitlines()[1:])


def test_verdicts_are_coloured_and_colour_is_all_that_is_added() -> None:
    text = told(f"{FAILED}\n{PASSED}\n{BLOCKED}\na -> b: COMPATIBLE (CSV -> CSV)", Style(color=True))
    assert "\x1b[31mFAIL\x1b[0m (0.500s)" in text
    assert "\x1b[32mPASS\x1b[0m" in text
    assert "\x1b[33mNOT RUN\x1b[0m: blocked" in text
    assert "\x1b[32mCOMPATIBLE\x1b[0m (CSV -> CSV)" in text
    assert "\x1b[1m  remedy:\x1b[0m let" in text
    plain = re.sub(r"\x1b\[\d+m", "", text)
    assert plain == f"{FAILED}\n{PASSED}\n{BLOCKED}\na -> b: COMPATIBLE (CSV -> CSV)"


def test_what_a_stranger_wrote_moves_no_cursor() -> None:
    assert told("x: FAIL\n  KeyError: '\x1b[2J\x07a'") == "x: FAIL\n  KeyError: 'a'"


LOST = infrastructure("the container was removed from outside")


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ({}, 0),
        ({"prep": Canned(exit_code=3)}, 1),
        ({"prep": Canned(outcome=LOST)}, 3),
    ],
)
def test_exit_codes_are_those_of_the_table(ends, code: int, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.engine.connect", lambda: FakeEngine(ends))
    Path("prep.py").write_text("def main(input_paths, output_paths, environ_vars, job_args):\n    pass\n")
    Path("prep/input").mkdir(parents=True)
    Path("prep/input/a.csv").write_text("a\n1\n")
    assert entry(["test-script", "prep", "--workspace-dir", ".", "--color", "never"]) == code
    text = capsys.readouterr().out
    assert text.startswith(f"prep: {'PASS' if code == 0 else 'FAIL'} (")
    assert (Verdict.INFRASTRUCTURE.value in text) == (code == 3)
