"""Steps with a `requirements.txt`, on the fake engine: when it is asked for, and how a step ends without it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from pipeline.helpers import Gates, Harness, plan_of, step, verdicts

from runner.engine.base import Outcome, StartMode, Verdict
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import Abandoned, EnvironmentFault, RequirementsError
from runner.pipeline.binding import Bound
from runner.pipeline.layout import StepLayout
from runner.pipeline.requirements import explained
from runner.pipeline.reuse import find_reused
from runner.sagemaker.code import COLLECTED, FAILED
from runner.spec.models import StepSpec

NOTHING = RequirementsError("requirements.txt could not be installed: ERROR: no x", status=1, output="pip's words\n")


def coded(tmp_path: Path, *needs: str, asks: bool = True, **fields: object) -> StepSpec:
    source = tmp_path / ("asking" if asks else "plain")
    source.mkdir(exist_ok=True)
    (source / "a.py").write_text("")
    if asks:
        (source / "requirements.txt").write_text("x\n")
    return step(*needs, entrypoint=None, source_dir=str(source), script="a.py", **fields)


def test_packages_are_collected_before_the_container_and_only_where_asked_for(tmp_path: Path) -> None:
    engine = FakeEngine()
    finished = Harness(tmp_path, engine).execute(a=coded(tmp_path), b=coded(tmp_path, "a", asks=False))
    assert finished.exit_code == 0
    calls = [call for call in engine.journal if call[0] in ("collect", "prepare")]
    assert calls == [("collect", "a"), ("prepare", "a"), ("prepare", "b")]
    assert [item.name for item in engine.launches["a"].inputs] == ["code", "entrypoint", "requirements"]
    assert engine.launches["a"].inputs[-1].target == COLLECTED
    assert [item.name for item in engine.launches["b"].inputs] == ["a", "code", "entrypoint"]
    assert engine.launches["a"].job.entrypoint == engine.launches["b"].job.entrypoint


def test_a_training_script_comes_after_the_installation(tmp_path: Path) -> None:
    engine = FakeEngine()
    train = coded(tmp_path, type="training", outputs={})
    assert Harness(tmp_path, engine).execute(t=train).exit_code == 0
    entrypoint = engine.launches["t"].job.entrypoint or ()
    assert (entrypoint[:3], entrypoint[4:]) == (("python3", "-I", "-c"), ("python3", "a.py"))


@pytest.mark.parametrize("mode", [StartMode.PLAIN, StartMode.STAGED])
def test_what_cannot_be_installed_fails_the_step_with_pips_words(tmp_path: Path, mode: StartMode) -> None:
    gates = Gates()
    gates.fail["collect", "b"] = NOTHING
    harness = Harness(tmp_path, FakeEngine(mode=mode, hook=gates))
    finished = harness.execute(a=step(), b=coded(tmp_path, "a"), c=step("b"))
    assert finished.exit_code == 1
    assert verdicts(finished) == {"a": "passed", "b": "exit", "c": "blocked"}
    assert len([1 for call in harness.engine.journal if call == ("collect", "b")]) == 1
    folder = harness.root / "steps" / "b"
    result = json.loads((folder / "result.json").read_text())
    assert (result["exit_code"], result["reason"]) == (1, f"exit 1: {NOTHING.message}")
    assert (folder / "stderr").read_text() == "pip's words\n"
    assert (folder / "stdout").read_bytes() == b""
    assert (folder / "shell.sh").is_file()


def test_an_index_out_of_reach_says_nothing_about_the_step(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["collect", "a"] = EnvironmentFault("no index")
    finished = Harness(tmp_path, FakeEngine(hook=gates)).execute(a=coded(tmp_path))
    assert (finished.exit_code, verdicts(finished)) == (3, {"a": "infrastructure"})


def test_a_stop_while_packages_are_collected_cancels_the_step(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["collect", "a"] = Abandoned("stopped")
    finished = Harness(tmp_path, FakeEngine(hook=gates)).execute(a=coded(tmp_path))
    assert verdicts(finished) == {"a": "cancelled"}


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (f"{FAILED} (pip ended with 1)", f"exit 1: {FAILED} (pip ended with 1)"),
        (f"{FAILED} earlier\nTraceback", "exit 1"),
    ],
)
def test_an_installation_that_fails_in_the_container_is_named(tmp_path: Path, last: str, reason: str) -> None:
    canned = Canned(exit_code=1, stderr=f"ERROR: conflict\n{last}\n".encode())
    finished = Harness(tmp_path, FakeEngine({"a": canned, "b": canned})).execute(
        a=coded(tmp_path), b=coded(tmp_path, asks=False)
    )
    found = {result.step: result.reason for result in finished.results}
    assert found["a"] == reason
    assert FAILED not in found["b"]


def test_of_several_instances_the_one_that_decided_says_why(tmp_path: Path) -> None:
    """Its own log counts: in the step's log every line has its host, and the last one is another's."""
    both_run = threading.Barrier(2)

    up = threading.Event()  # one that had not started yet would say nothing

    def one_fails(step: FakeStep) -> int:
        both_run.wait(60)
        if step.host == "algo-1":
            assert up.wait(60)
            step.stderr(f"ERROR: conflict\n{FAILED} (pip ended with 4)\n".encode())
            return 4
        up.set()
        assert step.stopping.wait(60)
        step.stderr(b"then I stop, too\n")
        return 3

    harness = Harness(tmp_path, FakeEngine({"a": one_fails}))
    train = coded(tmp_path, type="training", outputs={}, instance_count=2)
    (result,) = harness.execute(a=train).results
    assert result.reason == f"algo-1: exit 4: {FAILED} (pip ended with 4)"
    assert (harness.root / "steps/a/stderr").read_bytes().endswith(b"algo-2 | then I stop, too\n")
    others = Outcome(
        verdict=Verdict.EXIT, exit_code=4, signal=None, reason="algo-1, algo-3: exit 4; algo-2: exit 3",
        started_at=None, finished_at=None, seconds=0.0, decided_by="algo-1",
    )  # fmt: skip
    bound = Bound(harness.engine.launches["a"], StepLayout(harness.root / "steps" / "a"), (), ())
    assert explained(bound, others).reason == f"algo-1, algo-3: exit 4: {FAILED} (pip ended with 4); algo-2: exit 3"


def test_a_training_step_with_packages_has_not_changed_since(tmp_path: Path) -> None:
    """Its job as it ran has another command than its plan."""
    train = coded(tmp_path, type="training", outputs={})
    steps = {"t": train, "u": step(inputs={"model": {"from": "t.model"}})}
    Harness(tmp_path, FakeEngine()).execute(**steps)

    def remarks(**now: StepSpec) -> list[str]:
        reuse = find_reused(plan_of(tmp_path, {**steps, **now}, from_=("u",)), tmp_path / "runs")
        return [str(remark) for remark in reuse.remarks]

    assert remarks() == []
    (text,) = remarks(t=coded(tmp_path, type="training", outputs={}, hyperparameters={"depth": "3"}))
    assert "hyperparameters" in text
    (tmp_path / "asking" / "b.py").write_text((tmp_path / "asking" / "a.py").read_text())
    (text,) = remarks(t=train.model_copy(update={"script": "b.py"}))
    assert "(command, " in text


def test_the_run_keeps_the_code_to_be_read(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.execute(a=coded(tmp_path))
    folder = harness.root / "steps" / "a"
    assert sorted(path.name for path in (folder / "code").iterdir()) == ["a.py", "requirements.txt"]
    assert [path.name for path in (folder / "inputs" / "code").iterdir()] == ["sourcedir.tar.gz"]
    assert [path.name for path in (folder / "inputs" / "entrypoint").iterdir()] == ["runproc.sh"]
