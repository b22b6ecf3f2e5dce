"""What happens to a container between the agent's report and its end: a pass that was told is confirmed, or taken back.

The agent waits for the runner's `bye`, which `confirm` says: until then the window stays open.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine.launches import Workbench
from engine.test_docker_gone import Relay, relay  # noqa: F401  a fixture
from pipeline.helpers import Recorder, step

from runner.engine import connect
from runner.engine.base import Container, Outcome, StartMode, StopReason, Verdict
from runner.engine.client import client
from runner.engine.container import DockerContainer
from runner.errors import EXIT_ENVIRONMENT
from runner.pipeline.events import StepFinished
from runner.pipeline.execute import Run
from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.spec.models import Pipeline, PipelineSpec

pytestmark = pytest.mark.docker


def in_the_window(bench: Workbench, mode: StartMode, act: Callable[[Container], None], script: str = "") -> Outcome:
    """Run a script that exits 0, do something to its container before it may end, and have it confirmed."""
    container = bench.engine.prepare(bench.launch(script, mode=mode))
    try:
        told = container.run(lambda _: None, lambda _: None)
        assert (told.verdict, told.exit_code) == (Verdict.PASSED, 0)
        act(container)
        last: Outcome = container.confirm()
        assert container.confirm() is last
    finally:
        container.remove()
    assert bench.engine.leftovers(bench.run_id) == []
    return last


def by_hand(act: Callable[[Any], None]) -> Callable[[Container], None]:
    def done(container: Container) -> None:
        docker = client()
        act(docker.containers.get(container.id))
        docker.close()

    return done


@pytest.fixture(params=[StartMode.STAGED, StartMode.PLAIN])
def watched(request: pytest.FixtureRequest, bench: Workbench) -> StartMode:
    """The ways to start that have an agent."""
    wanted: StartMode = request.param
    if wanted is StartMode.STAGED and bench.image.mode is not StartMode.STAGED:
        pytest.skip("this host does not let a container mount: the plain way is used instead")
    return wanted


def test_nothing_happens(bench: Workbench, watched: StartMode) -> None:
    last = in_the_window(bench, watched, lambda _: None)
    assert (last.verdict, last.exit_code, last.warnings) == (Verdict.PASSED, 0, ())


def test_killed(bench: Workbench, watched: StartMode) -> None:
    last = in_the_window(bench, watched, by_hand(lambda container: container.kill(signal="SIGKILL")))
    assert (last.verdict, last.exit_code) == (Verdict.INFRASTRUCTURE, 137)
    assert last.reason == "the engine reports exit 137 and the agent 0: killed from outside at its end"
    assert not last.own_fault


def test_removed(bench: Workbench, watched: StartMode) -> None:
    last = in_the_window(bench, watched, by_hand(lambda container: container.remove(force=True)))
    assert last.verdict is Verdict.INFRASTRUCTURE
    assert "removed from outside" in last.reason


def test_signals_that_ask_come_too_late(bench: Workbench, watched: StartMode) -> None:
    last = in_the_window(bench, watched, by_hand(lambda container: container.kill(signal="SIGTERM")))
    assert last.verdict is Verdict.PASSED


def test_a_stop_of_ours_comes_too_late(bench: Workbench, watched: StartMode) -> None:
    last = in_the_window(bench, watched, lambda container: container.stop(StopReason.CANCELLED, 0.0))
    assert last.verdict is Verdict.PASSED


def test_the_engine_is_lost(bench: Workbench, relay: Relay) -> None:  # noqa: F811
    engine = connect()
    container = engine.prepare(bench.launch(""))
    try:
        assert container.run(lambda _: None, lambda _: None).verdict is Verdict.PASSED
        relay.cut()
        last = container.confirm()
    finally:
        container.remove()
        engine.close()
        assert not bench.engine.sweep(bench.engine.leftovers(bench.run_id))  # what an engine out of reach could not
    assert last.verdict is Verdict.INFRASTRUCTURE
    assert "engine was lost" in last.reason


def test_a_failure_is_told_when_it_is_confirmed_already(bench: Workbench, watched: StartMode) -> None:
    container = bench.engine.prepare(bench.launch("raise SystemExit(3)", mode=watched))
    try:
        told = container.run(lambda _: None, lambda _: None)
        state = client().api.inspect_container(container.id)["State"]
        assert (told.exit_code, state["Status"], state["ExitCode"]) == (3, "exited", 3)
        assert container.confirm() is told
    finally:
        container.remove()


def test_a_run_takes_back_what_it_told(engine: Any, tmp_path: Path, python_image: str, monkeypatch: Any) -> None:
    whole = DockerContainer.confirm

    def killed(container: DockerContainer) -> Outcome:
        by_hand(lambda found: found.kill(signal="SIGKILL"))(container)
        return whole(container)

    monkeypatch.setattr(DockerContainer, "confirm", killed)
    words = ("python3", "-c", "open('/opt/ml/processing/output/out/f', 'w').write('x')")
    spec = PipelineSpec(name="demo", steps={"a": step(image=python_image, entrypoint=words)})
    plan = make_plan(Pipeline(file=tmp_path / "p.yaml", spec=spec, source_text=b""), select(spec))
    recorder = Recorder()
    finished = Run(plan, engine, runs_dir=tmp_path / "runs", reporters=[recorder]).execute()
    told = [event.result.verdict for event in recorder.of(StepFinished)]
    assert told == [Verdict.PASSED, Verdict.INFRASTRUCTURE]
    assert finished.exit_code == EXIT_ENVIRONMENT
    written = json.loads((tmp_path / "runs/latest/steps/a/result.json").read_text())
    assert (written["verdict"], written["exit_code"]) == ("infrastructure", 137)
    assert engine.leftovers(finished.run_id) == []
