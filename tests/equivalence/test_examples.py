"""Every example's pipeline, started in every way: equal ends, streams and published bytes."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from equivalence.modes import Forced

from runner import RuntimeTester
from runner.engine.base import StartMode
from runner.engine.client import client
from runner.pipeline.execute import Run
from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.spec import load

pytestmark = pytest.mark.docker
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    file: str
    specs: str = ""
    chance: tuple[str, ...] = ()
    """Steps whose numbers chance decides: of two runs in one way, too, with equal inputs and one thread, XGBoost's
    evaluation of a tree may differ in its last digits."""


PIPELINES = [
    Example("hello/pipeline.yaml"),
    Example("failing/pipeline.yaml"),
    Example("dag/dag.json", "dag/specs"),
    Example("ci/pipelines/orders.pipeline.yaml"),
    Example(
        "breast-cancer/pipeline.yaml",
        chance=("XGBoostTraining", "XGBoostModelEval", "BatchTransform", "ModelCalibration", "Package"),
    ),
]
Ends = dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def ends(
    tmp_path_factory: pytest.TempPathFactory, xgboost_image: str, xgboost_inference_image: str, python_image: str
) -> Callable[[Example, StartMode], Ends]:
    """Runs an example in one way, once, and says how its steps ended."""
    done: dict[tuple[Example, StartMode], Ends] = {}

    def run(example: Example, mode: StartMode) -> Ends:
        if (example, mode) not in done:
            done[example, mode] = _run(tmp_path_factory.mktemp("examples") / "copy", example, mode)
        return done[example, mode]

    return run


def _run(place: Path, example: Example, mode: StartMode) -> Ends:
    top = example.file.partition("/")[0]
    shutil.copytree(EXAMPLES / top, place / top, ignore=shutil.ignore_patterns("raw", "runs", "__pycache__"))
    if (place / top / "make_data.py").exists():
        subprocess.run([sys.executable, str(place / top / "make_data.py")], check=True, timeout=120)
    pipeline = load(place / example.file, place / example.specs if example.specs else None)
    engine = Forced(client())
    engine.mode = mode
    try:
        plan = make_plan(pipeline, select(pipeline.spec))
        finished = Run(plan, engine, runs_dir=place / "runs", jobs=2, keep_going=True).execute()
    finally:
        engine.close()
    run = place / "runs" / finished.run_id
    return {result.step: _end(run, result, by_chance=result.step in example.chance) for result in finished.results}


def _timeless(log: Path) -> bytes:
    """Its bytes, without the time of day that `logging` writes before each record."""
    return re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", b"NOW", log.read_bytes())


def _end(run: Path, result: object, *, by_chance: bool) -> dict[str, object]:
    """Of a `StepResult`, all but times, identifiers and the way itself. Two hosts write into one log as they come."""
    told = dataclasses.asdict(result)  # type: ignore[call-overload]
    streams = {name: (run / told["directory"] / name) for name in ("stdout", "stderr")}
    said = {
        name: sorted(_timeless(path).splitlines()) if told["hosts"] else _timeless(path)
        for name, path in streams.items()
        if told["directory"] and path.is_file()
    }
    if by_chance:
        files = {name: (output["path"], output["files"]) for name, output in told["outputs"].items()}
        return {"state": told["state"], "exit_code": told["exit_code"], "files": files, "mode": told["mode"]}
    same = ("state", "verdict", "reason", "exit_code", "signal", "exit_message", "blocked_by", "outputs", "partial")
    return {**{key: told[key] for key in same}, **said, "mode": told["mode"]}


SCRIPTS = ("prepare_orders", "sample_rows", "join_regions", "score_orders", "write_elsewhere", "format_amounts")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_tested_script_ends_the_same(tmp_path: Path, name: str, python_image: str, xgboost_image: str) -> None:
    found = {}
    for mode in StartMode:
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
        shutil.copytree(EXAMPLES / "runtime-testing-faults", tmp_path / "w")
        engine = Forced(client())
        engine.mode = mode
        try:
            told = RuntimeTester(tmp_path / "w", engine=engine).test_script(name)
        finally:
            engine.close()
        found[mode] = dataclasses.replace(told, execution_time=0.0)
    assert found[StartMode.PLAIN] == found[StartMode.STAGED] == found[StartMode.COLD]


@pytest.mark.parametrize("mode", [StartMode.PLAIN, StartMode.STAGED], ids=str)
@pytest.mark.parametrize("example", PIPELINES, ids=lambda example: example.file)
def test_an_example_ends_the_same(
    ends: Callable[[Example, StartMode], Ends], example: Example, mode: StartMode
) -> None:
    cold, other = ends(example, StartMode.COLD), ends(example, mode)
    assert list(other) == list(cold)
    assert {end.pop("mode") for end in map(dict, other.values())} <= {str(mode), ""}
    for step, end in other.items():
        assert {**end, "mode": ""} == {**cold[step], "mode": ""}, step
