"""Every note of a step is told once, by each reporter, however many instances it has and however it ends."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from pipeline.helpers import Harness, step

from runner.engine.fake import FakeEngine, FakeStep
from runner.pipeline.events import Notice
from runner.report.console import Board
from runner.report.document import JsonDocument
from runner.report.junit import JUnitFile
from runner.report.lines import Lines
from runner.report.text import clean

PLANNED = "ml.m5.4xlarge is larger than this machine: limited to 2 of its 16 CPUs"
MET = "a was written by algo-1 and algo-2"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Told:
    """What each reporter says of one run of two steps, each on instances that are larger than the machine."""

    def __init__(self, tmp_path: Path, *, instances: int, status: int, verbosity: int = 0) -> None:
        def script(fake: FakeStep) -> int:
            (fake.outputs["out"] / "a").write_text(fake.host)
            return status

        lines, board, document = io.StringIO(), Terminal(), io.StringIO()
        junit = JUnitFile(tmp_path / "junit.xml")
        reporters = [Lines(lines, verbosity=verbosity), Board(board, color=False), JsonDocument(document), junit]
        harness = Harness(tmp_path, FakeEngine({"one": script, "two": script}, cpus=2), keep_going=True)
        harness.options["reporters"] = [harness.recorder, *reporters]
        fields = {"instance_type": "ml.m5.4xlarge", "instance_count": instances, "resources": {"memory": "1g"}}
        harness.execute(one=step(**fields), two=step(**fields))
        self.lines, self.board = lines.getvalue(), clean(board.getvalue())
        self.steps = json.loads(document.getvalue())["steps"]
        self.junit = (tmp_path / "junit.xml").read_text()
        self.notices = [notice.message for notice in harness.recorder.of(Notice)]


def times(words: str, text: str) -> int:
    """However the text is broken into lines."""
    return re.sub(r"\s+", " ", text).count(words)


@pytest.mark.parametrize("status", [0, 3], ids=["passed", "failed"])
@pytest.mark.parametrize("instances", [1, 2])
def test_a_note_is_told_once_by_each_reporter(tmp_path: Path, instances: int, status: int) -> None:
    told = Told(tmp_path, instances=instances, status=status)
    met = 2 if instances == 2 and not status else 0  # once for each of the two steps
    assert [times(text, told.lines) for text in (PLANNED, MET)] == [1, met]
    assert [times(text, told.board) for text in (PLANNED, MET)] == [1, met]
    assert told.notices == [f"{PLANNED} (steps one, two)"]
    for result in told.steps:
        assert [sum(text in warning for warning in result["warnings"]) for text in (PLANNED, MET)] == [1, met // 2]
    properties = re.findall(r'name="warning\.\d+" value="([^"]*)"', told.junit)
    assert [sum(text in value for value in properties) for text in (PLANNED, MET)] == [2, met]


def test_a_failure_that_is_told_alone_has_its_notes(tmp_path: Path) -> None:
    told = Told(tmp_path, instances=2, status=3, verbosity=-1)
    assert times(PLANNED, told.lines) == 2  # once with each step
