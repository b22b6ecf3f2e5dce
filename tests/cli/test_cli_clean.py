"""`clean` removes what dead runs left, and never anything of a live one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from runner import engine as engine_room
from runner.cli.main import entry
from runner.engine.base import Leftover
from runner.engine.fake import FakeEngine
from runner.errors import EngineUnavailable
from runner.pipeline.rundir import owner


class Littered(FakeEngine):
    """An engine that holds containers of dead and of live runs; `stuck` ones cannot be removed."""

    def __init__(self, *found: Leftover, stuck: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.found = list(found)
        self.stuck = stuck

    def leftovers(self, run_id=None):
        return list(self.found)

    def sweep(self, leftovers):
        assert all(not each.owner_alive for each in leftovers)
        self.found = [each for each in self.found if each not in leftovers or each.name in self.stuck]
        return [each for each in leftovers if each.name in self.stuck]


DEAD = Leftover(kind="container", name="c-dead", run_id="r1", step="make", owner_alive=False)
VOLUME = Leftover(kind="volume", name="v-dead", run_id="r1", step="make", owner_alive=False)
LIVE = Leftover(kind="container", name="c-live", run_id="r2", step="make", owner_alive=True)


def make_run(runs: Path, name: str, status: str, *, alive: bool = True) -> Path:
    """A run directory as a run would leave it; `alive` says whether its process still is."""
    folder = runs / name
    (folder / "steps/make/scratch").mkdir(parents=True)
    who = owner() if alive else {**owner(), "started": "1"}
    document = {"run_id": name, "status": status, "owner": who, "steps": ["make"], "started_at": name}
    (folder / "run.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def use(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def connect(engine):
        monkeypatch.setattr(engine_room, "connect", lambda: engine)
        return engine

    return connect


def test_nothing_to_clean(use, capsys) -> None:
    use(Littered(LIVE))
    assert entry(["clean"]) == 0
    assert capsys.readouterr().out == "nothing to clean\n"


def test_what_dead_runs_left_on_the_engine_is_removed_and_named(use, capsys) -> None:
    engine = use(Littered(DEAD, VOLUME, LIVE))
    assert entry(["clean"]) == 0
    assert engine.found == [LIVE]
    assert capsys.readouterr().out.splitlines() == [
        "removed container c-dead (step make): its run is dead",
        "removed volume v-dead (step make): its run is dead",
    ]


def test_dry_run_removes_nothing(use, capsys, tmp_path) -> None:
    engine = use(Littered(DEAD))
    died = make_run(tmp_path / "runs", "a", "running", alive=False)
    assert entry(["clean", "--dry-run", "--runs"]) == 0
    assert engine.found == [DEAD]
    assert died.is_dir()
    assert capsys.readouterr().out.count("would remove") == 2


def test_what_cannot_be_removed_is_three_and_named(use, capsys) -> None:
    use(Littered(DEAD, VOLUME, stuck=("v-dead",)))
    assert entry(["clean"]) == 3
    captured = capsys.readouterr()
    assert "could not remove v-dead" in captured.err
    assert "removed container c-dead" in captured.out


def test_working_files_of_dead_runs_go_and_their_evidence_stays(use, tmp_path) -> None:
    use(Littered())
    died = make_run(tmp_path / "runs", "a", "running", alive=False)
    (died / "steps/make/hosts/algo-2/scratch").mkdir(parents=True)
    running = make_run(tmp_path / "runs", "b", "running")
    assert entry(["clean"]) == 0
    assert not (died / "steps/make/scratch").exists()
    assert not (died / "steps/make/hosts/algo-2/scratch").exists()
    assert (died / "run.json").exists()
    assert (running / "steps/make/scratch").exists()


def test_runs_removes_dead_runs_and_keeps_ended_and_live_ones(use, tmp_path) -> None:
    use(Littered())
    died = make_run(tmp_path / "runs", "a", "running", alive=False)
    running = make_run(tmp_path / "runs", "b", "running")
    passed = make_run(tmp_path / "runs", "c", "passed")
    assert entry(["clean", "--runs"]) == 0
    assert not died.exists()
    assert running.exists()
    assert passed.exists()


def test_keep_counts_ended_runs_and_latest_stays_true(use, tmp_path) -> None:
    use(Littered())
    runs = tmp_path / "runs"
    folders = [make_run(runs, name, "passed") for name in "abc"]
    running = make_run(runs, "d", "running")
    (runs / "latest").symlink_to("a")
    assert entry(["clean", "--runs", "--keep", "1"]) == 0
    assert [folder.exists() for folder in folders] == [False, False, True]
    assert running.exists()
    assert (runs / "latest").readlink() == Path("d")


def test_keep_none_leaves_no_dangling_link(use, tmp_path) -> None:
    use(Littered())
    make_run(tmp_path / "runs", "a", "failed")
    (tmp_path / "runs/latest").symlink_to("a")
    assert entry(["clean", "--runs", "--keep", "0"]) == 0
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_is_just_beginning_is_left_alone(use, tmp_path) -> None:
    use(Littered())
    fresh = tmp_path / "runs/a"
    (fresh / "steps").mkdir(parents=True)
    assert entry(["clean", "--runs"]) == 0
    assert fresh.exists()
    os.utime(fresh, (time.time() - 3600,) * 2)
    assert entry(["clean", "--runs"]) == 0
    assert not fresh.exists()


def test_keep_without_runs_is_refused_with_the_reason(use, capsys) -> None:
    use(Littered())
    assert entry(["clean", "--keep", "3"]) == 2
    assert "needs --runs" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_without_an_engine_the_disk_is_cleaned_all_the_same(as_json, use, monkeypatch, tmp_path, capsys) -> None:
    def refuse():
        raise EngineUnavailable("no Docker engine answers", remedy="start it")

    use(Littered())
    monkeypatch.setattr(engine_room, "connect", refuse)
    died = make_run(tmp_path / "runs", "a", "running", alive=False)
    assert entry(["clean", "--runs", *(["--json"] if as_json else [])]) == 3
    assert not died.exists()
    captured = capsys.readouterr()
    if as_json:
        document = json.loads(captured.out)
        assert document["engine_error"] == "no Docker engine answers; start it"
        assert [item["removed"] for item in document["items"]] == [True]
    else:
        assert captured.out == f"removed run {died}: died before its end\n"
        assert "could not be looked at: no Docker engine answers; start it" in captured.err


def test_without_an_engine_nothing_is_called_clean(use, monkeypatch, capsys) -> None:
    def refuse():
        raise EngineUnavailable("no Docker engine answers")

    use(Littered())
    monkeypatch.setattr(engine_room, "connect", refuse)
    assert entry(["clean"]) == 3
    assert capsys.readouterr().out == ""


def test_json_names_each_thing_once(use, capsys) -> None:
    use(Littered(DEAD, VOLUME, stuck=("v-dead",)))
    assert entry(["clean", "--json"]) == 3
    items = json.loads(capsys.readouterr().out)["items"]
    assert [(item["name"], item["removed"]) for item in items] == [("c-dead", True), ("v-dead", False)]


def test_run_sweeps_what_dead_runs_left(use, capsys, tmp_path) -> None:
    (tmp_path / "pipeline.yaml").write_text("name: p\nimage: python\nsteps:\n  make: {script: s.py, outputs: [o]}\n")
    (tmp_path / "s.py").write_text("")
    engine = use(Littered(DEAD, LIVE))
    assert entry(["pipeline.yaml"]) == 0
    assert engine.found == [LIVE]
    assert capsys.readouterr().err == "removed 1 leftover of dead runs from the engine\n"
