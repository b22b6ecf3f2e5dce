"""`--json`: one document, everything in it, errors too."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
from report.samples import LOAD, PACKAGE, RUN_ID, TRAIN, demo_run, failed, finished, started

from runner.errors import EngineUnavailable, Interrupted, Problem, SpecError
from runner.pipeline.events import Notice, StepResult
from runner.report.document import JsonDocument, error_document


def test_one_document_with_everything(tmp_path: Path) -> None:
    run_dir, events = demo_run(tmp_path / "runs")
    stream = io.StringIO()
    reporter = JsonDocument(stream)
    for event in events[:-1]:
        reporter.handle(event)
    assert stream.getvalue() == ""
    assert not reporter.written
    reporter.handle(events[-1])
    reporter.close()
    assert reporter.written
    document = json.loads(stream.getvalue())
    steps = document.pop("steps")
    assert document == {
        "schema_version": 1,
        "run_id": RUN_ID,
        "run_dir": str(run_dir),
        "pipeline": "demo",
        "file": "/home/me/pipeline.yaml",
        "status": "failed",
        "exit_code": 1,
        "seconds": 62.0,
        "warnings": [],
        "error": None,
    }
    assert [step["step"] for step in steps] == ["load", "train", "package"]
    assert set(steps[0]) == {field.name for field in dataclasses.fields(StepResult)}
    assert steps[0]["outputs"] == LOAD.outputs
    assert (steps[1]["state"], steps[1]["verdict"], steps[1]["exit_code"]) == ("failed", "exit", 3)
    assert steps[1]["exit_message"] == TRAIN.exit_message
    assert (steps[2]["verdict"], steps[2]["blocked_by"]) == (None, list(PACKAGE.blocked_by))


def test_warnings_about_the_file_have_their_place(tmp_path: Path) -> None:
    _, (head, *rest) = demo_run(tmp_path / "runs")
    problem = Problem("p.yaml", 3, 5, "steps.a.args", "101 words")
    stream = io.StringIO()
    reporter = JsonDocument(stream)
    for event in (head, Notice(at=head.at, step=None, message=str(problem), problem=problem), *rest):
        reporter.handle(event)
    assert json.loads(stream.getvalue())["warnings"] == [dataclasses.asdict(problem)]


def test_half_a_surrogate_pair_breaks_nothing(tmp_path: Path) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    bad = failed("a name of \udcff bytes")
    reporter = JsonDocument(stream)
    reporter.handle(finished(bad))
    assert json.loads(raw.getvalue())["steps"][0]["reason"] == bad.reason


def test_a_spec_error_lists_its_problems() -> None:
    problem = Problem("p.yaml", 14, 5, "steps.a.inputs.b", "no step 'c'")
    assert error_document(SpecError([problem], remedy="Mend it.")) == {
        "schema_version": 1,
        "error": {
            "kind": "SpecError",
            "message": "p.yaml:14:5: steps.a.inputs.b: no step 'c'",
            "remedy": "Mend it.",
            "exit_code": 2,
            "problems": [
                {"file": "p.yaml", "line": 14, "column": 5, "path": "steps.a.inputs.b", "message": "no step 'c'"}
            ],
        },
    }


@pytest.mark.parametrize(
    ("exc", "kind", "code"),
    [
        (EngineUnavailable("no engine", remedy="Start it."), "EngineUnavailable", 3),
        (Interrupted(15), "Interrupted", 143),
        (ValueError("oops"), "InternalError", 4),
    ],
)
def test_errors(exc: BaseException, kind: str, code: int) -> None:
    error = error_document(exc)["error"]
    assert (error["kind"], error["exit_code"], error["problems"]) == (kind, code, [])
    assert error["message"]


def test_a_run_that_ends_by_an_exception_has_one_document(tmp_path: Path) -> None:
    stream = io.StringIO()
    reporter = JsonDocument(stream)
    reporter.handle(started(tmp_path))
    reporter.fail(EngineUnavailable("gone"))
    reporter.fail(EngineUnavailable("again"))
    document = json.loads(stream.getvalue())
    assert (document["run_id"], document["error"]["message"]) == (RUN_ID, "gone")
