"""What this machine runs for what SageMaker would: nearest images, smaller instances, credentials; never unsaid."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import Harness, plan_of, step, verdicts

from runner.engine import credentials as host
from runner.engine.base import StartMode
from runner.engine.fake import FakeEngine
from runner.errors import EnvironmentFault, ImageUnavailable, UsageError
from runner.pipeline.events import Notice
from runner.pipeline.fitting import missing_image, place_of_image
from runner.pipeline.reuse import find_reused

URI = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
SECRET = "a-secret-key-of-forty-characters-or-more"
GIB = 1 << 30


def job(harness: Harness, name: str) -> Any:
    return json.loads((harness.root / "steps" / name / "job.json").read_text())


def result(harness: Harness, name: str) -> Any:
    return json.loads((harness.root / "steps" / name / "result.json").read_text())


def notices(harness: Harness) -> list[tuple[str | None, str]]:
    return [(event.step, event.message) for event in harness.recorder.of(Notice)]


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has none."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    host._botocore.cache_clear()


@pytest.fixture
def credentials(no_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


def test_the_nearest_image_runs_and_both_the_run_and_the_result_say_so(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(missing=[URI]))
    harness.execute(a=step(image=URI), b=step(image=URI), c=step())
    assert job(harness, "a")["image"] == result(harness, "a")["image"] == "sklearn"
    assert job(harness, "a")["asked"] == {"image": URI}
    (warning,) = result(harness, "a")["warnings"]
    assert warning.startswith(f"image {URI} is not here, 'sklearn' stands for it: scikit-learn 1.4.2 instead of 1.2-1,")
    assert notices(harness) == [(None, f"{warning} (steps a, b)")]
    assert "asked" not in job(harness, "c")
    assert result(harness, "c")["warnings"] == []


def test_the_real_image_wins_where_it_is_present(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.execute(a=step(image=URI))
    assert job(harness, "a")["image"] == URI
    assert notices(harness) == []


def test_an_image_that_nothing_stands_for_is_missing_before_anything_starts(tmp_path: Path) -> None:
    other = URI.replace("sagemaker-scikit-learn", "pytorch-training")
    harness = Harness(tmp_path, FakeEngine(missing=[other]))
    with pytest.raises(ImageUnavailable):
        harness.execute(a=step(image=other))
    assert not harness.runs.exists()


def transform(image: str, **more: Any) -> Any:
    inputs = {"data": {"from": "a.out"}}
    return step(type="transform", image=image, entrypoint=None, inputs=inputs, outputs={}, **more)


XGBOOST = URI.replace("scikit-learn:1.2-1-cpu-py3", "xgboost:1.7-1")


def test_one_uri_stands_for_two_images_where_one_step_serves(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(missing=[XGBOOST]))
    harness.execute(a=step(image=XGBOOST), t=transform(XGBOOST))
    assert (job(harness, "a")["image"], job(harness, "t")["image"]) == ("xgboost", "xgboost-inference")
    assert job(harness, "t")["asked"] == {"image": XGBOOST}
    (warning,) = result(harness, "t")["warnings"]
    assert "'xgboost-inference' stands for it: xgboost 3.0.5 instead of 1.7-1" in warning


def test_a_transform_that_nothing_can_serve_is_refused_with_the_lines_to_write(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(missing=[URI]))
    run = harness.prepare(a=step(), t=transform(URI))
    with pytest.raises(ImageUnavailable):
        run.execute()
    assert not harness.runs.exists()
    error = missing_image(run._plan, URI, ImageUnavailable("not here", remedy="pull it"), serve=True)
    assert error.message.endswith(
        "steps.t.image: not here; no image of this tool can serve scikit-learn 1.2-1; xgboost-inference can serve"
    )
    assert error.remedy.startswith("pull it; or let a local image stand for it")


def train(**more: Any) -> Any:
    return step(type="training", entrypoint=None, outputs={}, **more)


def test_an_image_without_the_program_is_refused_before_anything_starts(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(programs={"img": (), "both": ("serve", "train"), "one": ("train",)}))
    with pytest.raises(UsageError) as caught:
        harness.execute(a=step(), t=transform("one"), ok=transform("both"), fit=train(), fine=train(image="one"))
    assert caught.value.message.splitlines() == [
        f"{tmp_path}/pipeline.yaml: steps.t.image: the step needs a program `serve`, and its image 'one' has no "
        "executable one on its PATH",
        f"{tmp_path}/pipeline.yaml: steps.fit.image: the step needs a program `train`, and its image 'img' has no "
        "executable one on its PATH",
    ]
    assert "`xgboost-inference`" in caught.value.remedy
    assert "give a training step a `script`" in caught.value.remedy
    assert not harness.runs.exists()


def test_where_the_program_cannot_be_told_it_is_left_to_the_run(tmp_path: Path) -> None:
    """An entrypoint of the step's own, a PATH of its own, an image that nobody looked at."""
    harness = Harness(tmp_path, FakeEngine(programs={"img": ()}))
    fit = step(type="training", outputs={}, entrypoint=("/opt/run",), args=("train",))
    finished = harness.execute(a=step(), fit=fit, t=transform("img", env={"PATH": "/opt/bin"}), u=transform("unseen"))
    assert set(verdicts(finished).values()) == {"passed"}


def test_the_stand_in_is_named_where_it_lacks_the_program(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(missing=[XGBOOST], programs={"xgboost": ()}))
    with pytest.raises(UsageError, match=f"its image 'xgboost', which stands for {XGBOOST}, has no executable one"):
        harness.execute(fit=train(image=XGBOOST))


def test_the_place_of_an_image_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"a": step(), "b": step(image=URI)})
    assert place_of_image(plan, URI) == f"{plan.file}: steps.b.image: "
    written = dataclasses.replace(plan, source_text=f"name: demo\nimage: {URI}\n".encode())
    assert place_of_image(written, URI) == f"{plan.file}:2: steps.b.image: "
    text = f"image: img  # no {URI}\nsteps:\n  a: {{image: {URI}-b, script: img.py}}\n"
    written = dataclasses.replace(plan, source_text=text.encode())
    assert place_of_image(written, URI) == f"{plan.file}: steps.b.image: "
    assert place_of_image(written, "img", "a") == f"{plan.file}:1: steps.a.image: "
    written = dataclasses.replace(plan, source_text=f"{text}  c: {{image: img}}\n".encode())
    assert place_of_image(written, "img", "a") == f"{plan.file}: steps.a.image: "


def test_what_the_instance_has_and_the_machine_has_not_is_capped(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(cpus=4, memory=8 * GIB))
    small, large = step(instance_type="ml.c5.xlarge"), step(instance_type="ml.m5.4xlarge")
    harness.execute(small=small, large=large)
    assert job(harness, "small")["limits"]["cpus"] == job(harness, "large")["limits"]["cpus"] == 4
    assert job(harness, "large")["limits"]["memory"] == 8 * GIB
    assert job(harness, "large")["asked"]["limits"]["cpus"] == 16
    assert result(harness, "small")["warnings"] == []
    words = "ml.m5.4xlarge is larger than this machine: limited to 4 of its 16 CPUs and 8 of its 64 GiB of memory"
    assert result(harness, "large")["warnings"] == [words]
    assert notices(harness) == [("large", words)]


def test_resources_above_the_machine_are_refused_as_ever(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(cpus=4, memory=8 * GIB))
    with pytest.raises(EnvironmentFault, match="asks for 16 CPUs, but the engine has 4"):
        harness.execute(a=step(instance_type="ml.m5.xlarge", resources={"cpus": 16}))


def test_an_accelerator_that_is_not_there_is_told(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(cpus=64, memory=512 * GIB))
    harness.execute(a=step(instance_type="ml.g4dn.12xlarge"))
    assert result(harness, "a")["warnings"] == ["ml.g4dn.12xlarge has 4 GPUs (NVIDIA T4); the container has none"]


def test_instances_are_ceilings_and_steps_that_name_one_run_side_by_side(tmp_path: Path) -> None:
    """With `resources` of that size the second step would wait for the first."""
    plan = plan_of(tmp_path, {"a": step(instance_type="ml.m5.4xlarge"), "b": step(resources={"cpus": 2})})
    tasks = {planned.name: planned.task for planned in plan.steps}
    assert (tasks["a"].cpus, tasks["a"].memory) == (0, 0)
    assert tasks["b"].cpus == 2


def test_a_smaller_machine_is_no_change_of_the_step(tmp_path: Path) -> None:
    steps = {"a": step(instance_type="ml.m5.4xlarge", image=URI), "b": step("a")}
    Harness(tmp_path, FakeEngine(cpus=2, missing=[URI])).execute(**steps)
    assert find_reused(plan_of(tmp_path, steps, only=("b",)), tmp_path / "runs").remarks == ()
    changed = {**steps, "a": step(instance_type="ml.m5.2xlarge", image=URI)}
    (remark,) = find_reused(plan_of(tmp_path, changed, only=("b",)), tmp_path / "runs").remarks
    assert "(resources, instance type)" in str(remark)


def test_credentials_reach_the_step_that_asks_and_no_file_of_the_run(tmp_path: Path, credentials: None) -> None:
    seen: dict[str, dict[str, str]] = {}

    def script(fake: Any) -> None:
        seen[fake.name] = fake.env
        for at in (7, 20, 33):
            fake.stdout(f"key {SECRET}\n".encode()[:at])
            fake.stdout(f"key {SECRET}\n".encode()[at:])
        if fake.name == "a":
            fake.path("/opt/ml/output/message").write_text(f"failed with {SECRET}")
        (fake.outputs["out"] / "x").write_text("x")

    harness = Harness(tmp_path, FakeEngine({"a": script, "b": script}))
    harness.execute(a=step(credentials="environment", network="bridge"), b=step("a"))
    assert seen["a"]["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert seen["a"]["AWS_REGION"] == "eu-west-1"
    assert not [name for name in seen["b"] if name.startswith("AWS_")]
    files = [path for path in (harness.root / "steps/a").rglob("*") if path.is_file()]
    assert {"stdout", "message", "job.json", "reproduce.sh", "shell.sh", "result.json"} <= {path.name for path in files}
    assert not [path for path in [*files, *harness.root.glob("*.json*")] if SECRET in path.read_text()]
    for name in ("reproduce.sh", "shell.sh"):
        assert "# Not repeated here: the step's AWS credentials;" in (harness.root / "steps/a" / name).read_text()
    assert (harness.root / "steps/a/stdout").read_text() == "key ***\n" * 3
    assert result(harness, "a")["exit_message"] == "failed with ***"
    assert SECRET in (harness.root / "steps/b/stdout").read_text(), "only a step with credentials is looked at"
    assert SECRET not in repr(harness.engine.launches["a"])


def test_none_on_this_machine_is_told_before_anything_starts(tmp_path: Path, no_credentials: None) -> None:
    harness = Harness(tmp_path, FakeEngine())
    with pytest.raises(
        EnvironmentFault, match="step 'b' asks for AWS credentials: this machine has no AWS credentials"
    ):
        harness.execute(a=step(), b=step(credentials="endpoint", network="bridge"))
    assert not harness.runs.exists()
    assert verdicts(harness.execute(a=step())) == {"a": "passed"}


def test_credentials_that_reach_nothing_or_show_are_told(tmp_path: Path, credentials: None) -> None:
    harness = Harness(tmp_path, FakeEngine(mode=StartMode.COLD))
    harness.execute(a=step(credentials="environment"))
    network, cold = result(harness, "a")["warnings"]
    assert "without a network" in network
    assert "docker inspect" in cold
    with pytest.raises(EnvironmentFault, match="step 'a' asks for `credentials: endpoint`"):
        harness.execute(a=step(credentials="endpoint"))
