"""The step cache from the command line, on the fake engine: flags, variables, and what a person and a program see."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from runner import engine as engine_room
from runner.cli.main import entry
from runner.engine.fake import Canned, FakeEngine

PIPELINE = """\
name: two
image: python
steps:
  make: {script: s.py, env: {KEY: a}, outputs: [table]}
  use: {script: s.py, inputs: {table: {from: make.table}}, outputs: [report]}
"""
VARIABLES = (
    "CI",
    "NO_COLOR",
    "FORCE_COLOR",
    "RUN_PIPELINE_RUNS_DIR",
    "RUN_PIPELINE_CACHE",
    "RUN_PIPELINE_STEP_CACHE_DIR",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "s.py").write_text("print('hello')\n")
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch):
    """Runs a command line; returns the steps that had a container, and its exit code."""

    def call(*words: str, **scripts: Canned) -> tuple[list[str], int]:
        engine = FakeEngine(scripts)
        monkeypatch.setattr(engine_room, "connect", lambda: engine)
        code = entry(list(words))
        return [name for point, name in engine.journal if point == "run"], code

    return call


BOTH = (["make", "use"], 0)
NONE: tuple[list[str], int] = ([], 0)


def test_the_second_run_is_cached_and_everybody_is_told(here, ran, capsys) -> None:
    assert ran("pipeline.yaml") == BOTH
    first = (here / "runs/latest").resolve().name
    capsys.readouterr()
    assert ran("pipeline.yaml", "--junit", "report.xml") == NONE
    text = capsys.readouterr().out
    assert f"make | ✓ cached            run {first}, " in text
    assert "s ago, 1 file, " in text
    assert text.rstrip().endswith("2 steps, 2 cached")
    properties = {p.get("name"): p.get("value") for p in ET.parse("report.xml").iter("property")}
    assert properties["cached.run"] == first
    assert not [*ET.parse("report.xml").iter("skipped"), *ET.parse("report.xml").iter("failure")]
    assert ran("pipeline.yaml", "--json") == NONE
    document = json.loads(capsys.readouterr().out)
    assert [each["cached"]["run"] for each in document["steps"]] == [first, first]
    assert [each["verdict"] for each in document["steps"]] == ["passed", "passed"]
    events = [json.loads(line) for line in (here / "runs/latest/events.jsonl").read_text().splitlines()]
    assert [e["result"]["cached"]["step"] for e in events if e["event"] == "step-finished"] == ["make", "use"]
    assert entry(["show"]) == 0
    assert f"cached              run {first}" in capsys.readouterr().out
    assert entry(["runs"]) == 0
    assert "2 cached" in capsys.readouterr().out
    assert entry(["logs", "latest", "make"]) == 0
    assert entry(["debug", "make"]) == 2
    assert f"`run-pipeline debug make --run {first}`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "words", "cached"),
    [
        ({}, [], True),
        ({}, ["--no-cache"], False),
        ({"CI": "true"}, [], False),
        ({"CI": "true"}, ["--cache"], True),
        ({"CI": "false"}, [], True),
        ({"RUN_PIPELINE_CACHE": "off"}, [], False),
        ({"RUN_PIPELINE_CACHE": "off"}, ["--cache"], True),
        ({"RUN_PIPELINE_CACHE": "on", "CI": "true"}, [], True),
        ({"RUN_PIPELINE_STEP_CACHE_DIR": "elsewhere"}, [], False),
        ({}, ["--cache-dir", "elsewhere"], False),
        ({}, ["--force", "make", "--force", "use"], False),
    ],
)
def test_who_decides(here, ran, monkeypatch, variables: dict[str, str], words: list[str], cached: bool) -> None:
    assert ran("pipeline.yaml") == BOTH
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ran("pipeline.yaml", *words) == (NONE if cached else BOTH)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-cache", "--force", "make"], "--force would have no effect, as the cache is off"),
        (["--no-cache", "--cache-dir", "x"], "--cache-dir would have no effect"),
        (["--force", "mak"], "--force: no step 'mak' runs (did you mean 'make'?)"),
        (["--only", "make", "--force", "use"], "--force: no step 'use' runs"),
        (["-n", "--no-cache"], "--dry-run starts nothing, so --no-cache would have no effect"),
        (["-n", "--force", "make"], "--force would have no effect"),
        (["-n", "--cache-dir", "x"], "--cache-dir would have no effect"),
    ],
)
def test_what_is_refused(here, ran, capsys, words: list[str], said: str) -> None:
    assert ran("pipeline.yaml", *words) == ([], 2)
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (here / "runs").exists()


def test_a_variable_that_says_neither(here, ran, capsys, monkeypatch) -> None:
    monkeypatch.setenv("RUN_PIPELINE_CACHE", "maybe")
    assert ran("pipeline.yaml") == ([], 2)
    assert "$RUN_PIPELINE_CACHE is 'on' or 'off', got 'maybe'" in capsys.readouterr().err


def test_explain_names_what_changed(here, ran, capsys) -> None:
    ran("pipeline.yaml")
    first = (here / "runs/latest").resolve().name
    (here / "pipeline.yaml").write_text(PIPELINE.replace("KEY: a", "KEY: b"))
    ran("pipeline.yaml", make=Canned(files={"/opt/ml/processing/output/table/x": b"new"}))
    capsys.readouterr()
    assert entry(["explain", "make"]) == 0
    text = capsys.readouterr().out
    assert "ran: no earlier result has this key" in text
    assert f"since run {first}:\n  env KEY: differs\n" in text
    assert entry(["explain", "use"]) == 0
    assert "  input 'table': content differs\n" in capsys.readouterr().out
    assert entry(["explain", "use", "--json", "--run", first]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["asked"], document["hit"], document["compared_with"]) == (True, False, None)
    assert entry(["explain", "uze"]) == 2
    assert "did you mean 'use'?" in capsys.readouterr().err
    ran("pipeline.yaml", "--no-cache")
    capsys.readouterr()
    assert entry(["explain", "make"]) == 0
    assert "did not ask the cache" in capsys.readouterr().out


def test_list_and_gc(here, ran, capsys) -> None:
    assert entry(["cache"]) == 0
    assert "0 results, 0 bytes in runs/.cache" in capsys.readouterr().out
    assert not (here / "runs").exists()
    ran("pipeline.yaml")
    capsys.readouterr()
    assert entry(["cache"]) == 0
    assert "2 results, " in capsys.readouterr().out
    assert entry(["cache", "list", "--json"]) == 0
    assert [e["step"] for e in json.loads(capsys.readouterr().out)["entries"]] == ["use", "make"]
    assert entry(["cache", "gc", "--max-size", "0", "--dry-run"]) == 0
    assert "would remove 2 results" in capsys.readouterr().out
    assert ran("pipeline.yaml") == NONE
    assert entry(["cache", "gc", "--max-age", "30d", "--min-free", "0%", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1].partition("cached\n")[2] or "{}")["entries"] == []
    assert entry(["cache", "gc", "--max-size", "0"]) == 0
    assert ran("pipeline.yaml") == BOTH


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-size", "many"], "'many': a size is a number of bytes"),
        (["--max-age", "old"], "'old': a duration is a number of seconds"),
        (["--min-free", "10"], "'10': a share is a percentage from 0% to 100%"),
        (["--min-free", "101%"], "a share is a percentage"),
    ],
)
def test_bounds_that_are_none(here, capsys, words: list[str], said: str) -> None:
    assert entry(["cache", "gc", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_directory_that_is_no_cache_is_an_error_of_the_command(here, capsys) -> None:
    (here / "mine").mkdir()
    (here / "mine/version").write_text("x")
    (here / "mine").chmod(0o700)
    assert entry(["cache", "list", "--cache-dir", "mine"]) == 3
    assert "is of another version ('x')" in capsys.readouterr().err
