"""A script cannot tell how its container was started: equal status, streams and files, byte by byte."""

from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine.launches import Ended, Workbench
from equivalence.cases import CASES, CODE, STATES, Case
from equivalence.known import KNOWN
from equivalence.modes import WAYS

from runner.engine.base import Launch, StartMode
from runner.errors import SpecError
from runner.spec.preimports import early_imports

pytestmark = pytest.mark.docker
README = Path(__file__).parents[2] / "README.md"
Run = Callable[[Case, str], Ended]


@dataclass(frozen=True)
class Seen:
    """All of an end that must be equal."""

    verdict: str
    exit_code: int | None
    signal: str | None
    stdout: bytes
    stderr: bytes
    files: dict[str, tuple[str, bytes]]
    message: dict[str, bytes]


@pytest.fixture(scope="module")
def run(engine: Any, tmp_path_factory: pytest.TempPathFactory, python_image: str, xgboost_image: str) -> Iterator[Run]:
    """Runs a case in one way; once, however often it is asked."""
    images = {"python": engine.image(python_image), "xgboost": engine.image(xgboost_image)}
    if images["python"].mode is not StartMode.STAGED:
        pytest.skip("this host does not let a container mount")
    done: dict[tuple[str, str], Ended] = {}
    runs: list[str] = []

    def run(case: Case, way: str) -> Ended:
        if (case.name, way) not in done:
            bench = Workbench(engine, tmp_path_factory.mktemp("bench"), images[case.image])
            runs.append(bench.run_id)
            done[case.name, way] = _run(bench, case, way)
        return done[case.name, way]

    yield run
    assert [left for left in engine.leftovers() if left.run_id in runs] == []


def _run(bench: Workbench, case: Case, way: str) -> Ended:
    options = {"entrypoint": ("python3", *case.options, f"{CODE}/script.py")}
    launch = bench.launch("", args=case.args, env=tuple(case.env.items()), preimport=case.preimport or (), **options)
    code = launch.inputs[0].host
    for name, text in case.files.items():
        (code / name).parent.mkdir(exist_ok=True)
        (code / name).write_bytes(text)
    if case.link:
        (code / "script.py").unlink()
        (code / "script.py").symlink_to(case.link)
    if case.preimport is None:
        launch = _with_imports(launch, code)
    return WAYS[way](bench, launch)


def _with_imports(launch: Launch, code: Path) -> Launch:
    try:
        return dataclasses.replace(launch, preimport=early_imports(code / "script.py", (code,)).modules)
    except SpecError:
        return launch


def seen(ended: Ended) -> Seen:
    outcome = ended.outcome
    ends = (str(outcome.verdict), outcome.exit_code, outcome.signal)
    config = {path.name: path.read_bytes() for each in ended.launch.config for path in each.host.iterdir()}
    return Seen(*ends, ended.stdout, ended.stderr, dict(_files(ended.output)), config)


def _files(root: Path) -> Iterator[tuple[str, tuple[str, bytes]]]:
    for path in sorted(root.rglob("*")):
        about = path.lstat()
        content = b"" if path.is_dir() else path.read_bytes()
        if path.is_symlink():
            content = path.readlink().as_posix().encode()
        yield path.relative_to(root).as_posix(), (stat.filemode(about.st_mode), content)


def others(case: Case) -> list[str]:
    return [way for way in WAYS if way not in (case.reference, "cold")]


PAIRS = [pytest.param(case, way, id=f"{case.name}, {way}") for case in CASES for way in others(case)]


@pytest.mark.parametrize(("case", "way"), PAIRS)
def test_status_streams_and_files_are_equal(run: Run, case: Case, way: str) -> None:
    expected = seen(run(case, case.reference))
    assert expected.verdict in ("passed", "exit"), run(case, case.reference).outcome
    assert seen(run(case, way)) == expected


@pytest.mark.parametrize("way", [way for way in WAYS if way != "cold"])
@pytest.mark.parametrize("case", STATES, ids=lambda case: case.name)
def test_what_a_script_sees_of_itself_is_equal(run: Run, case: Case, way: str) -> None:
    cold, other = (lines(run(case, each)) for each in ("cold", way))
    assert len(cold) > 60
    excused = {name for name, known in KNOWN.items() if way in known.ways}
    assert {name: value for name, value in other.items() if cold.get(name) != value and name not in excused} == {}
    assert list(other) == list(cold)


def lines(ended: Ended) -> dict[str, Any]:
    assert ended.outcome.exit_code == 0, ended.stderr
    pairs = (line.partition(b" = ") for line in ended.stdout.splitlines() if b" = " in line)
    return {name.decode(): json.loads(value) for name, _, value in pairs}


def test_a_known_difference_is_one_and_stands_in_the_readme(run: Run) -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    for name, known in KNOWN.items():
        assert known.readme in text, name
        for way in known.ways:
            found = [lines(run(case, way))[name] != lines(run(case, "cold"))[name] for case in STATES]
            assert any(found), f"{name} is the same in a {way} start"


def test_only_what_was_imported_early_is_more(run: Run) -> None:
    """The modules, and their places in the importer's cache."""
    for case in STATES:
        cold, staged = (lines(run(case, way)) for way in ("cold", "staged"))
        assert set(cold["modules"]) <= set(staged["modules"])
        early = set(staged["modules"]) - set(cold["modules"])
        assert bool(early) == (case.name == "imports early")
        assert set(cold["path cache"]) <= set(staged["path cache"])
        own = {entry.split("=")[0] for entry in set(staged["proc environ"]) - set(cold["proc environ"])}
        assert {name for name in own if not name.startswith("_RUN_PIPELINE_")} <= {"PYTHONPATH"}
