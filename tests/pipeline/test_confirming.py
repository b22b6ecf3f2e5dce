"""A step's end is told on the agent's word; what the engine says of it afterwards is never hidden."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import PATIENCE, Gates, Harness, Recorder, step, verdicts

from runner.engine.base import Outcome, Verdict
from runner.engine.fake import Canned, FakeEngine
from runner.engine.fake_container import FakeContainer
from runner.errors import EXIT_ENVIRONMENT, EXIT_PASSED, EngineLost, InternalError
from runner.pipeline.events import Event, RunFinished, StepFinished
from runner.pipeline.store import find_run

WHY = "the container was removed from outside"


class Watcher(Recorder):
    """Says when a step's end was told again."""

    def __init__(self) -> None:
        super().__init__()
        self.again = threading.Event()

    def handle(self, event: Event) -> None:
        super().handle(event)
        if isinstance(event, StepFinished) and len(self.ends(event.result.step)) > 1:
            self.again.set()

    def ends(self, name: str) -> list[str]:
        """The verdicts that were told of a step, in their order."""
        return [str(each.result.verdict) for each in self.of(StepFinished) if each.result.step == name]


@dataclasses.dataclass
class Doubted:
    finished: RunFinished
    harness: Harness
    watcher: Watcher


def doubt(tmp_path: Path, *, keep_going: bool = False, **steps: Any) -> Doubted:
    """Run a, b and c in a row, and `steps`; the engine denies the end of `a` while `b` runs."""
    gates, watcher = Gates(), Watcher()
    confirm, b = gates.block("confirm", "a"), gates.block("run", "b")
    gates.fail["confirm", "a"] = EngineLost(WHY)
    options = {"reporters": [watcher], "keep_going": keep_going}
    harness = Harness(tmp_path, FakeEngine(hook=gates), **options)

    def later() -> None:
        assert gates.reached["run", "b"].wait(PATIENCE)
        confirm.set()
        assert watcher.again.wait(PATIENCE)
        b.set()

    hand = threading.Thread(target=later)
    hand.start()
    finished = harness.execute(a=step(), b=step("a"), c=step("b"), **steps)
    hand.join()
    return Doubted(finished, harness, watcher)


def test_a_step_that_is_not_confirmed_does_not_stay_passed(tmp_path: Path) -> None:
    doubted = doubt(tmp_path, keep_going=True)
    first, second, third = doubted.finished.results
    assert verdicts(doubted.finished) == {"a": "infrastructure", "b": "passed", "c": "blocked"}
    assert doubted.finished.exit_code == EXIT_ENVIRONMENT
    assert doubted.watcher.ends("a") == ["passed", "infrastructure"]
    assert first.reason == WHY
    assert any("no later run takes them" in text for text in first.warnings)
    assert second.outputs
    assert (third.blocked_by, third.reason) == (("a",), "needs 'a', which did not pass")
    root = doubted.harness.root
    assert json.loads((root / "steps/a/result.json").read_text())["verdict"] == "infrastructure"
    record = json.loads((root / "run.json").read_text())
    assert (record["exit_code"], record["results"][0]["verdict"]) == (EXIT_ENVIRONMENT, "infrastructure")


def test_its_outputs_are_taken_by_no_later_run(tmp_path: Path) -> None:
    doubted = doubt(tmp_path)
    assert (doubted.harness.root / "steps/a/outputs/out/fake.txt").is_file()
    record = find_run(doubted.harness.runs)
    assert record.published("a", ["out"]) is None
    assert record.published("b", ["out"]) is not None


def test_nothing_more_starts_where_the_run_stops_at_the_first_failure(tmp_path: Path) -> None:
    doubted = doubt(tmp_path, d=step("b"))
    assert verdicts(doubted.finished) == {"a": "infrastructure", "b": "passed", "c": "blocked", "d": "blocked"}


def test_a_doubt_after_the_last_step_fails_the_run(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["confirm", "a"] = EngineLost(WHY)
    finished = Harness(tmp_path, FakeEngine(hook=gates)).execute(a=step())
    assert (finished.exit_code, finished.status) == (EXIT_ENVIRONMENT, "environment")


def test_an_output_that_is_missing_does_not_outweigh_a_doubt(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["confirm", "a"] = EngineLost(WHY)
    finished = Harness(tmp_path, FakeEngine({"a": Canned()}, hook=gates)).execute(a=step())
    assert verdicts(finished) == {"a": "infrastructure"}


def test_of_several_instances_one_doubt_counts(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["confirm", "a"] = EngineLost(WHY)
    finished = Harness(tmp_path, FakeEngine(hook=gates)).execute(a=step(instance_count=2))
    (result,) = finished.results
    assert (result.verdict, len(result.hosts)) == (Verdict.INFRASTRUCTURE, 2)
    assert WHY in result.reason


def test_a_warning_of_the_engines_comes_late_and_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, whole = "a process of this step was killed for memory", FakeContainer.confirm

    def confirm(container: FakeContainer) -> Outcome:
        return dataclasses.replace(whole(container), warnings=(text,))

    monkeypatch.setattr(FakeContainer, "confirm", confirm)
    harness = Harness(tmp_path, FakeEngine())
    finished = harness.execute(a=step(), b=step("a"))
    assert (finished.exit_code, verdicts(finished)) == (EXIT_PASSED, {"a": "passed", "b": "passed"})
    assert all(text in result.warnings for result in finished.results)
    assert text in json.loads((harness.root / "steps/b/result.json").read_text())["warnings"]


def test_a_contradiction_that_nobody_caused_is_a_fault_of_ours(tmp_path: Path) -> None:
    outcome = Outcome(
        verdict=Verdict.INFRASTRUCTURE, exit_code=1, signal=None, reason="the engine reports exit 1 and the agent 0",
        started_at=None, finished_at=None, seconds=0.0, own_fault=True,
    )  # fmt: skip
    harness = Harness(tmp_path, FakeEngine({"a": Canned(outcome=outcome)}))
    with pytest.raises(InternalError, match="the engine reports exit 1 and the agent 0"):
        harness.execute(a=step(), b=step("a"))
    harness.nothing_left()
    record = json.loads((harness.root / "run.json").read_text())
    assert (record["status"], record["results"][0]["verdict"]) == ("error", "infrastructure")
