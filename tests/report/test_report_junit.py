"""The JUnit file: counts, kinds, streams, and a file whatever happens."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
from report.samples import (
    LOAD,
    RUN_ID,
    TRAIN,
    demo_run,
    failed,
    finished,
    started,
    step_finished,
    step_started,
    write_streams,
)  # fmt: skip

from runner.data.diagnoses import Diagnosis, Kind
from runner.engine.base import Verdict
from runner.errors import EngineUnavailable, WorkspaceError
from runner.pipeline.events import Event
from runner.report.junit import JUnitFile, document, kind


def written(path: Path, events: list[Event]) -> Any:
    reporter = JUnitFile(path)
    for event in events:
        reporter.handle(event)
    reporter.close()
    (suite,) = JUnitXml.fromfile(str(path))
    return suite


def cases(suite: Any) -> dict[str, TestCase]:
    return {case.name: case for case in suite}


def properties(case: Any) -> dict[str, str]:
    return {item.get("name"): item.get("value") for item in case._elem.iterfind("properties/property")}


def test_suite_and_cases(tmp_path: Path) -> None:
    _, events = demo_run(tmp_path / "runs")
    suite = written(tmp_path / "new folder" / "report.xml", events)
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == ("demo", 3, 1, 0, 1)
    assert suite.time == 62.0
    found = cases(suite)
    assert list(found) == ["load", "train", "package"]
    assert found["load"].is_passed
    assert found["load"].system_out == "3 files\n"
    assert properties(found["load"])["output.data.digest"] == "sha256:0a"
    (failure,) = found["train"].result
    assert isinstance(failure, Failure)
    assert (failure.message, failure.type) == ("exit 3", "exit")
    assert "ValueError: label column 'target' has 3 classes" in failure.text
    assert found["train"].time == 61.2
    assert found["train"].classname == "demo"
    assert properties(found["train"]) == {
        "verdict": "exit",
        "exit_code": "3",
        "image": "xgboost",
        "image_id": "sha256:abc",
        "exit_message": "too many classes",
    }
    (skipped,) = found["package"].result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "blocked: train did not pass"
    assert found["package"].system_out is None


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.EXIT, "failure"),
        (Verdict.OOM, "failure"),
        (Verdict.TIMEOUT, "failure"),
        (Verdict.INVALID_INPUT, "failure"),
        (Verdict.MISSING_OUTPUT, "failure"),
        (Verdict.INVALID_OUTPUT, "failure"),
        (Verdict.INFRASTRUCTURE, "error"),
        (Verdict.CANCELLED, "error"),
    ],
)
def test_kinds(verdict: Verdict, expected: str) -> None:
    assert kind(failed("x", verdict)) == expected
    assert kind(LOAD) == "passed"


def test_illegal_characters_are_removed(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs" / RUN_ID
    write_streams(run_dir, "train", b"a\x00b\x1b[31mc\xff <tag> & ]]>\n", b"")
    bad = failed("reason \x00\x08\ufffe\ud800 <end>", exit_message="é 日本 \U0001f600 \x01")
    suite = written(tmp_path / "r.xml", [started(run_dir, ("train",)), step_finished(bad), finished(bad)])
    case = cases(suite)["train"]
    assert case.system_out == "abc\ufffd <tag> & ]]>\n"
    assert case.result[0].message == "reason  <end>"
    assert properties(case)["exit_message"] == "é 日本 \U0001f600 "


def test_a_long_stream_is_cut_and_says_so(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs" / RUN_ID
    write_streams(run_dir, "load", b"line\n" * 100_000)
    suite = written(tmp_path / "r.xml", [started(run_dir, ("load",)), step_finished(LOAD), finished(LOAD)])
    text = cases(suite)["load"].system_out or ""
    assert len(text) < 70_000
    assert text.startswith("(stdout, the last ")
    assert str(run_dir / "steps" / "load" / "stdout") in text.splitlines()[0]


def test_an_interrupted_run_has_its_file_too(tmp_path: Path) -> None:
    events = [started(tmp_path), step_started("load"), step_finished(LOAD), step_started("train")]
    suite = written(tmp_path / "r.xml", events)
    found = cases(suite)
    assert found["load"].is_passed
    assert isinstance(found["train"].result[0], Error)
    assert isinstance(found["package"].result[0], Skipped)
    assert (suite.errors, suite.skipped) == (1, 1)


def test_a_step_that_was_stopped_is_not_green(tmp_path: Path) -> None:
    stopped = failed("stopped with the run", Verdict.CANCELLED)
    end = finished(LOAD, stopped, status="interrupted", exit_code=130)
    suite = written(tmp_path / "r.xml", [started(tmp_path, ("load", "train")), end])
    assert (suite.errors, suite.skipped) == (1, 0)
    (error,) = cases(suite)["train"].result
    assert isinstance(error, Error)
    assert error.message == "stopped with the run"


def test_a_run_that_cannot_begin_is_one_error(tmp_path: Path) -> None:
    reporter = JUnitFile(tmp_path / "r.xml")
    reporter.close()
    reporter.fail(EngineUnavailable("no engine \x1b answers", remedy="start it"), "p.yaml")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    assert (suite.tests, suite.errors, suite.failures) == (1, 1, 0)
    (case,) = suite
    assert case.name == "p.yaml"
    assert case.result[0].message == "no engine  answers"
    assert case.result[0].text == "no engine  answers\nstart it"


def test_a_run_that_wrote_its_file_keeps_it(tmp_path: Path) -> None:
    reporter = JUnitFile(tmp_path / "r.xml")
    for event in (started(tmp_path, ("load",)), finished(LOAD)):
        reporter.handle(event)
    reporter.close()
    reporter.fail(ValueError("later"), "p.yaml")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    assert suite.errors == 0


def test_no_run_no_file(tmp_path: Path) -> None:
    JUnitFile(tmp_path / "r.xml").close()
    assert not list(tmp_path.iterdir())


def test_an_old_file_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    path = tmp_path / "out" / "r.xml"
    path.parent.mkdir()
    path.write_text("old")
    link = tmp_path / "link.xml"
    link.symlink_to(path)
    written(link, [started(tmp_path), finished(LOAD)])
    assert link.is_symlink()
    assert path.read_text().startswith("<?xml")
    assert [entry.name for entry in path.parent.iterdir()] == ["r.xml"]


def test_an_unwritable_place_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match=r"cannot write the JUnit file .*r\.xml"):
        JUnitFile(tmp_path / "file" / "r.xml")


def test_a_place_that_becomes_unwritable_is_a_fault(tmp_path: Path) -> None:
    reporter = JUnitFile(tmp_path / "out" / "r.xml")
    reporter.handle(started(tmp_path))
    (tmp_path / "out").rmdir()
    with pytest.raises(WorkspaceError, match="No such file"):
        reporter.close()


def test_the_diagnosis_is_in_the_message_and_the_properties(tmp_path: Path) -> None:
    run_dir, _ = demo_run(tmp_path)
    found = Diagnosis(kind=Kind.TYPE, sentence="the text 'abc' is no number", fix="convert it", evidence=("e",))
    results = [dataclasses.replace(TRAIN, diagnosis=found)]
    case = ElementTree.fromstring(document(started(run_dir, ("train",)), results, 1.0)).find(".//testcase")
    assert case is not None
    fault = case.find("failure")
    assert fault is not None
    assert fault.get("message") == "exit 3: the text 'abc' is no number"
    assert "  why       the text 'abc' is no number\n  fix       convert it\n" in (fault.text or "")
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties["diagnosis.kind"] == "type"
    assert (properties["diagnosis"], properties["fix"]) == ("the text 'abc' is no number", "convert it")
