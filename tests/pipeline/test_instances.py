"""Steps with several instances, from the plan to the result, on the fake engine."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import OUT, Harness, plan_of, step, verdicts

from runner.engine.base import StartMode
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import EnvironmentFault
from runner.pipeline.events import Notice
from runner.pipeline.records import plain, result_from
from runner.pipeline.schedule import Task


def several(*needs: str, count: int = 2, **fields: Any) -> Any:
    return step(*needs, instance_count=count, **fields)


def by_host(step: FakeStep) -> int:
    (step.outputs["out"] / f"{step.host}.txt").write_text(" ".join(sorted(p.name for p in _data(step))))
    step.path("/opt/ml/output/message").write_text(f"{step.host}.")
    return 0


def _data(step: FakeStep) -> list[Path]:
    return [path for place in step.inputs.values() for path in place.iterdir()]


def test_resources_count_for_each_instance(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"a": several(count=3, resources={"cpus": 1.5, "memory": "1g"})})
    assert plan.steps[0].task == Task("a", (), 1.0, 4.5, 3 << 30)
    plan.check_capacity(4.5, 3 << 30)
    with pytest.raises(EnvironmentFault, match=r"step 'a' asks for 4.5 CPUs \(3 instances\), but the engine has 4$"):
        plan.check_capacity(4, 3 << 30)


@pytest.mark.parametrize("mode", list(StartMode))
def test_each_host_gets_its_part_and_all_outputs_are_one(tmp_path: Path, mode: StartMode) -> None:
    """Also when the containers are prepared before there is anything to deal."""
    files = {f"{OUT}/out/{n}.csv": b"%d" % n for n in range(5)}
    harness = Harness(tmp_path, FakeEngine({"make": Canned(files=files), "s": by_host}, mode=mode))
    sharded = {"data": {"from": "make.out", "distribution": "ShardedByS3Key"}}
    finished = harness.execute(make=step(), s=several(inputs=sharded))
    assert verdicts(finished) == {"make": "passed", "s": "passed"}
    found = {path.name: path.read_text() for path in (harness.root / "steps/s/outputs/out").iterdir()}
    assert found == {"algo-1.txt": "0.csv 2.csv 4.csv", "algo-2.txt": "1.csv 3.csv"}
    result = json.loads((harness.root / "steps/s/result.json").read_text())
    assert result["exit_message"] == "algo-1.algo-2."
    assert [host["host"] for host in result["hosts"]] == ["algo-1", "algo-2"]
    assert not list((harness.root / "steps/s").glob("hosts/*/attempt"))
    assert (harness.root / "steps/make/outputs/out/0.csv").read_text() == "0"


def test_a_clash_is_told_with_the_result(tmp_path: Path) -> None:
    def clash(step: FakeStep) -> None:
        (step.outputs["out"] / "a").write_text(step.host)

    harness = Harness(tmp_path, FakeEngine({"s": clash}))
    (result,) = harness.execute(s=several()).results
    assert "a was written by algo-1 and algo-2" in result.warnings[0]
    assert harness.recorder.of(Notice) == []


def test_the_host_that_failed_is_named(tmp_path: Path) -> None:
    both_wrote = threading.Barrier(2)

    def one_fails(step: FakeStep) -> int:
        step.path("/opt/ml/output/failure").write_text(f"{step.host} says so")
        (step.outputs["model"] / "half").write_text(step.host)
        both_wrote.wait(60)
        if step.host == "algo-2":
            return 3
        assert step.stopping.wait(60)
        return 0

    training = step(type="training", instance_count=2, outputs={})
    harness = Harness(tmp_path, FakeEngine({"s": one_fails, "next": lambda _: 0}))
    finished = harness.execute(s=training, next=step(inputs={"model": {"from": "s.model"}}))
    assert verdicts(finished) == {"s": "exit", "next": "blocked"}
    result = next(each for each in finished.results if each.step == "s")
    assert (result.reason, result.failed_host, result.exit_code) == ("algo-2: exit 3", "algo-2", 3)
    assert result.exit_message == "algo-2 says so"
    left = {f"{host}/model": f"steps/s/hosts/{host}/attempt/model" for host in ("algo-1", "algo-2")}
    assert result.partial == left, "and not the empty outputs"
    assert json.loads((harness.root / "steps/s/result.json").read_text())["partial"] == left
    assert result_from(json.loads(json.dumps(plain(result)))) == result


def test_a_message_that_is_not_utf_8_on_any_host_fails_the_job(tmp_path: Path) -> None:
    def says(step: FakeStep) -> int:
        (step.outputs["out"] / step.host).write_text("x")
        step.path("/opt/ml/output/message").write_bytes(b"x" * 2000 if step.host == "algo-1" else b"\xff")
        return 0

    (result,) = Harness(tmp_path, FakeEngine({"s": says})).execute(s=several()).results
    assert result.verdict == "invalid-output"


def test_an_output_that_no_host_wrote_is_missing(tmp_path: Path) -> None:
    (result,) = Harness(tmp_path, FakeEngine({"s": lambda _: 0})).execute(s=several()).results
    assert result.verdict == "missing-output"
    one = FakeEngine({"s": lambda step: by_host(step) if step.host == "algo-2" else 0})
    (result,) = Harness(tmp_path, one).execute(s=several()).results
    assert result.verdict == "passed"


@pytest.mark.parametrize("mode", [StartMode.STAGED, StartMode.PLAIN])
def test_an_input_that_cannot_be_dealt_is_no_fault_of_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: StartMode
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.data.shards._lay", refuse)
    sharded = {"data": {"from": "make.out", "distribution": "ShardedByS3Key"}}
    finished = Harness(tmp_path, FakeEngine(mode=mode)).execute(make=step(), s=several(inputs=sharded))
    assert verdicts(finished) == {"make": "passed", "s": "infrastructure"}
