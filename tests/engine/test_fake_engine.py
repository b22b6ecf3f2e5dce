"""The fake engine: the shared contract, and what is its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import contract

from runner.engine.base import BoundInput, BoundOutput, Engine, Launch, Outcome, StartMode, StopReason, Verdict
from runner.engine.fake import Canned, FakeEngine, FakeStep, infrastructure
from runner.errors import EngineLost, EnvironmentFault, ImageUnavailable
from runner.sagemaker.job import ContainerJob, Limits

MODES = pytest.mark.parametrize("start", list(StartMode))


def factory(engine: Engine, root: Path) -> Callable[..., Launch]:
    def launch(
        name: str,
        *,
        inputs: dict[str, Path] | None = None,
        limits: Limits | None = None,
        env: tuple[tuple[str, str], ...] = (),
    ) -> Launch:
        folder = root / f"steps/{uuid.uuid4().hex}"
        for part in ("out", "message", "scratch"):
            (folder / part).mkdir(parents=True)
        job = ContainerJob(
            step=name, step_type="processing", image="img", entrypoint=("python3", "x.py"), arguments=("--a", "1"),
            env=env, limits=limits or Limits(),
        )  # fmt: skip
        return Launch(
            job=job,
            image=engine.image("img"),
            run_id="run-1",
            run_root=root,
            inputs=tuple(BoundInput(n, f"/opt/ml/processing/input/{n}", p) for n, p in (inputs or {}).items()),
            outputs=(BoundOutput("out", contract.OUTPUT, folder / "out"),),
            config=(BoundOutput("config-0", "/opt/ml/output", folder / "message"),),
            scratch=folder / "scratch",
        )

    return launch


def scripted(start: StartMode) -> FakeEngine:
    return FakeEngine({name: behaviour.fake for name, behaviour in contract.BEHAVIOURS.items()}, mode=start)


@MODES
@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_the_fake_keeps_the_contract(check: Callable[..., None], start: StartMode, tmp_path: Path) -> None:
    engine = scripted(start)
    check(engine, factory(engine, tmp_path))


@MODES
def test_inputs_are_private(start: StartMode, tmp_path: Path) -> None:
    engine = scripted(start)
    (tmp_path / "data").mkdir()
    contract.inputs_are_private(engine, factory(engine, tmp_path), tmp_path / "data")


def end(engine: FakeEngine, launch: Launch) -> Outcome:
    return contract.run(engine, launch).outcome


def test_a_step_sees_its_environment_and_command(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def look(s: FakeStep) -> None:
        seen.update(env=s.env, argv=s.argv, name=s.name, message=s.path("/opt/ml/output/message").name)
        with pytest.raises(KeyError):
            s.path("/etc/passwd")

    engine = FakeEngine({"look": look})
    assert end(engine, factory(engine, tmp_path)("look", env=(("A", "$b"),))).verdict is Verdict.PASSED
    assert seen == {"env": {"A": "$b"}, "argv": ("python3", "x.py", "--a", "1"), "name": "look", "message": "message"}


def test_the_default_script_fills_every_output(tmp_path: Path) -> None:
    engine = FakeEngine()
    launch = factory(engine, tmp_path)("anything")
    assert end(engine, launch).verdict is Verdict.PASSED
    assert (launch.outputs[0].host / "fake.txt").read_text() == "anything.out\n"


def test_canned_ends(tmp_path: Path) -> None:
    engine = FakeEngine({"bad": Canned(exit_code=5), "gone": Canned(outcome=infrastructure("no engine"))})
    launch = factory(engine, tmp_path)
    assert end(engine, launch("bad")).exit_code == 5
    assert end(engine, launch("gone")).reason == "no engine"


def test_a_plain_start_needs_its_inputs_and_a_staged_one_waits(tmp_path: Path) -> None:
    later = tmp_path / "later"
    plain, staged = FakeEngine(), FakeEngine(mode=StartMode.STAGED)
    with pytest.raises(EnvironmentFault, match="later"):
        plain.prepare(factory(plain, tmp_path)("a", inputs={"DATA": later}))
    container = staged.prepare(factory(staged, tmp_path)("a", inputs={"DATA": later}))
    later.mkdir()
    assert container.run(lambda _: None, lambda _: None).verdict is Verdict.PASSED
    container.remove()
    never = staged.prepare(factory(staged, tmp_path)("b", inputs={"DATA": tmp_path / "never"}))
    assert never.run(lambda _: None, lambda _: None).verdict is Verdict.INFRASTRUCTURE
    foreign = factory(staged, tmp_path / "run")("c", inputs={"DATA": tmp_path / "elsewhere"})
    with pytest.raises(EnvironmentFault):
        staged.prepare(foreign)


def test_a_lost_engine(tmp_path: Path) -> None:
    engine = scripted(StartMode.PLAIN)
    launch = factory(engine, tmp_path)
    made = launch("exits 0")
    outcome = contract.run(engine, launch("waits for SIGTERM"), when_ready=lambda _: engine.lose()).outcome
    assert outcome.verdict is Verdict.INFRASTRUCTURE
    for call in (engine.info, engine.leftovers, lambda: engine.image("img"), lambda: engine.prepare(made)):
        with pytest.raises(EngineLost):
            call()


def test_missing_images_and_modes_by_image() -> None:
    engine = FakeEngine(missing=["none"], modes={"old": StartMode.COLD})
    with pytest.raises(ImageUnavailable):
        engine.image("none")
    assert engine.image("old").mode is StartMode.COLD
    assert engine.image("old").python is None
    assert engine.image("new").mode is StartMode.PLAIN


def test_the_hook_sees_every_point(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    engine = FakeEngine(hook=lambda point, step: seen.append((point, step)))
    launch = factory(engine, tmp_path)("a")
    container = engine.prepare(launch)
    container.stop(StopReason.CANCELLED, 0)
    container.run(lambda _: None, lambda _: None)
    container.remove()
    engine.reclaim([tmp_path / "x"])
    assert seen == engine.journal
    assert seen == [("image", "img"), ("prepare", "a"), ("stop", "a"), ("run", "a"), ("remove", "a"), ("reclaim", "x")]
