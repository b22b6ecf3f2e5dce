"""`plan` of a part of a pipeline says what `run` would take from earlier runs, and refuses what it would refuse."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner import engine as engine_room
from runner.cli.main import entry
from runner.engine.fake import FakeEngine

PIPELINE = """\
name: two
image: python
steps:
  make: {script: s.py, outputs: [table]}
  use: {script: s.py, inputs: {table: {from: make.table}}, outputs: [report]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUN_PIPELINE_RUNS_DIR", raising=False)
    monkeypatch.setattr(engine_room, "connect", FakeEngine)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "other.yaml").write_text(PIPELINE.replace("name: two", "name: other"))
    (tmp_path / "s.py").write_text("print('hello')\n")
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The id of a new run."""
    assert entry(["run", "--json", *words]) == 0
    run_id: str = json.loads(capsys.readouterr().out)["run_id"]
    return run_id


@pytest.mark.parametrize("words", [["plan"], ["plan", "--shell"], ["run", "--dry-run"], ["run"]])
def test_what_run_refuses_plan_refuses_in_the_same_words(here, capsys, words) -> None:
    assert entry([words[0], "pipeline.yaml", "--only", "use", *words[1:]]) == 2
    captured = capsys.readouterr()
    assert "step 'make' does not run, and no earlier run of 'two' in runs has its outputs" in captured.err
    assert captured.out == ""
    assert not (here / "runs").exists()


def test_plan_names_the_run_and_its_time(here, capsys) -> None:
    run_id = ran(capsys, "pipeline.yaml", "--runs-dir", "elsewhere")
    for words in (["plan"], ["run", "-n"]):
        assert entry([*words, "pipeline.yaml", "--only", "use", "--runs-dir", "elsewhere"]) == 0
        assert f"\n      from run {run_id}, 20" in capsys.readouterr().out
    assert entry(["plan", "pipeline.yaml", "--only", "use", "--runs-dir", "elsewhere", "--json"]) == 0
    (lent,) = json.loads(capsys.readouterr().out)["reused"]
    assert (lent["step"], lent["run"], lent["warnings"]) == ("make", run_id, [])
    assert entry(["plan", "pipeline.yaml", "--only", "use"]) == 2  # none in ./runs


def test_plan_warns_of_an_edited_script(here, capsys) -> None:
    run_id = ran(capsys, "pipeline.yaml")
    (here / "s.py").write_text("print('changed')\n")
    expected = f"make changed since run {run_id} (script): its old output is used; run it with --until make"
    assert entry(["plan", "pipeline.yaml", "--only", "use"]) == 0
    assert expected in capsys.readouterr().out
    assert entry(["plan", "pipeline.yaml", "--only", "use", "--shell"]) == 0
    captured = capsys.readouterr()
    assert expected in captured.err
    assert expected not in captured.out
    assert entry(["run", "pipeline.yaml", "--only", "use"]) == 0
    assert expected in capsys.readouterr().out


def test_a_whole_plan_does_not_look_at_runs(here, capsys) -> None:
    (here / "runs").write_text("no directory")
    (here / "runs").chmod(0)
    for words in (["plan", "--runs-dir", "none"], ["plan", "--shell", "--runs-dir", "none"]):
        assert entry([words[0], "pipeline.yaml", *words[1:]]) == 0
    assert not (here / "none").exists()


def test_by_hand_takes_the_outputs_of_this_pipeline_whatever_ran_last(here, capsys) -> None:
    run_id = ran(capsys, "pipeline.yaml")
    ran(capsys, "other.yaml")
    assert entry(["plan", "pipeline.yaml", "--only", "use", "--shell"]) == 0
    text = capsys.readouterr().out
    assert f"# make.table of run {run_id}, 20" in text
    assert f"{here}/runs/{run_id}/steps/make/outputs/table/." in text
    assert "latest" not in text
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
