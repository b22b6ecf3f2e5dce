"""The pytest plug-in with real containers: what a person reads, what CI reads, and what stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from testing.plugin_project import BAD, GOOD, Project, junit, outcomes, summary

pytestmark = pytest.mark.docker

SLOW = "name: slow\nimage: python\nsteps:\n  slow: {script: slow.py, outputs: [table]}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_pass_fail_and_blocked_are_told_apart(project: Project) -> None:
    project.write("bad.pipeline.yaml", BAD)
    done = project.pytest("-v", "-ra", "--junitxml=report.xml", COLUMNS="160")
    assert done.returncode == 1
    assert outcomes(done) == {
        "bad.pipeline.yaml::make": "PASSED",
        "bad.pipeline.yaml::broken": "FAILED",
        "bad.pipeline.yaml::after": "SKIPPED",
        "bad.pipeline.yaml::make->broken": "FAILED",
        "bad.pipeline.yaml::broken->after": "SKIPPED",
    }
    assert summary(done) == "2 failed, 1 passed, 2 skipped"
    assert "FAILED bad.pipeline.yaml::broken - Failed: exit-code: KeyError: 'labl'" in done.stdout
    assert "SKIPPED [1] bad.pipeline.yaml:11: blocked: broken did not pass" in done.stdout, "the step's line"
    text = done.stdout.partition("bad.pipeline.yaml: broken")[2].partition("bad.pipeline.yaml: make->broken")[0]
    assert 'broken.py", line 2, in <module>' in text
    assert "three words said" in text, "what the script printed"
    (run,) = project.runs()
    assert f"run directory: {run}" in text
    assert "runner/testing" not in done.stdout, "the plug-in's own traceback"
    cases = junit(project.root / "report.xml")
    assert {name: list(children) for name, children in cases.items()} == {
        "make": [],
        "broken": ["failure"],
        "after": ["skipped"],
        "make->broken": ["failure"],
        "broken->after": ["skipped"],
    }
    assert "labl" in cases["broken"]["failure"]
    assert "the consumer 'broken' did not pass" in cases["make->broken"]["failure"]


@pytest.mark.parametrize("chosen", ["after", "broken->after"])
def test_a_blocked_item_alone_is_no_pass(chosen: str, project: Project) -> None:
    """Its cause is an item that was not chosen: nothing else would tell that nothing was tested."""
    project.write("bad.pipeline.yaml", BAD)
    done = project.pytest(f"bad.pipeline.yaml::{chosen}")
    assert (done.returncode, summary(done)) == (1, "1 failed")
    assert "broken" in done.stdout
    assert "KeyError: 'labl'" in done.stdout


def test_node_ids_k_and_x_choose_items_of_one_run(project: Project) -> None:
    project.write("bad.pipeline.yaml", BAD)
    done = project.pytest("-k", "make and not broken")
    assert (done.returncode, summary(done)) == (0, "1 passed, 4 deselected")
    done = project.pytest("-x", "bad.pipeline.yaml::broken", "bad.pipeline.yaml::after")
    assert (done.returncode, summary(done)) == (1, "1 failed")
    assert len(project.runs()) == 2, "one for each session"


def test_workers_share_a_run_and_leave_nothing(project: Project) -> None:
    project.write("bad.pipeline.yaml", BAD)
    project.write("good.pipeline.yaml", GOOD)
    project.write(
        "test_more.py", "def test_it(pipeline):\n    assert pipeline('good.pipeline.yaml').pipeline_success\n"
    )
    done = project.pytest("-n", "2")
    assert done.returncode == 1
    assert summary(done) == "2 failed, 5 passed, 2 skipped"
    assert "KeyError: 'labl'" in done.stdout
    names = sorted(json.loads((run / "run.json").read_bytes())["pipeline"] for run in project.runs())
    assert names == ["bad", "good"], "each file was run once"
    assert project.left() == []


def test_the_fixture_and_the_items_are_of_one_run(project: Project) -> None:
    project.write("sub/good.pipeline.yaml", GOOD.replace("script: ", "script: ../"))
    project.write(
        "test_more.py",
        "import pytest\n"
        "from runner.errors import SpecError\n"
        "def test_it(pipeline, monkeypatch, tmp_path):\n"
        "    first = pipeline('sub/good.pipeline.yaml')\n"
        "    monkeypatch.chdir(tmp_path)\n"
        "    assert pipeline('sub/good.pipeline.yaml') is first\n"
        "    assert first.script_results['use'].success\n"
        "    assert first.data_flow_results['make->use'].ports == {'table': 'table'}\n"
        "def test_none(pipeline):\n"
        "    with pytest.raises(SpecError):\n"
        "        pipeline('none.pipeline.yaml')\n",
    )
    done = project.pytest()
    assert summary(done) == "5 passed", done.stdout
    assert len(project.runs()) == 1, "`runs` in the current directory, as with `run-pipeline run`"
    assert not (project.root / "sub/runs").exists()


def test_where_runs_go_can_be_said(project: Project) -> None:
    project.write("good.pipeline.yaml", GOOD)
    assert project.pytest("-k", "use", RUN_PIPELINE_RUNS_DIR="variable").returncode == 0
    assert project.pytest("-k", "use", "--pipeline-runs-dir=said", RUN_PIPELINE_RUNS_DIR="variable").returncode == 0
    assert [len(project.runs(name)) for name in ("said", "variable", "runs")] == [1, 1, 0]


def test_a_place_where_no_run_can_be_is_an_error(project: Project) -> None:
    project.write("good.pipeline.yaml", GOOD)
    done = project.pytest("--pipeline-runs-dir=/sys/kernel/none")
    assert (done.returncode, summary(done)) == (1, "3 errors")
    assert "cannot make a run directory: /sys/kernel/none: " in done.stdout
    assert "--pipeline-runs-dir" in done.stdout
    assert "Traceback" not in done.stdout
    assert "another exception" not in done.stdout


def test_a_step_that_is_too_slow(project: Project) -> None:
    project.write("slow.pipeline.yaml", SLOW)
    done = project.pytest("--pipeline-timeout=1")
    assert (done.returncode, summary(done)) == (1, "1 failed")
    assert "timeout" in done.stdout


def test_equal_names_in_two_directories(project: Project) -> None:
    for name in ("one", "two"):
        project.write(f"{name}/p.pipeline.yaml", GOOD)
        project.write(f"{name}/make.py", (project.root / "make.py").read_text())
        project.write(f"{name}/use.py", (project.root / "use.py").read_text())
    project.write("two/use.py", "raise SystemExit(3)\n")
    done = project.pytest("-v", "one", "two")
    assert outcomes(done) == {
        "one/p.pipeline.yaml::make": "PASSED",
        "one/p.pipeline.yaml::use": "PASSED",
        "one/p.pipeline.yaml::make->use": "PASSED",
        "two/p.pipeline.yaml::make": "PASSED",
        "two/p.pipeline.yaml::use": "FAILED",
        "two/p.pipeline.yaml::make->use": "FAILED",
    }
    assert len(project.runs()) == 2


def test_a_file_that_lost_a_step_between(project: Project) -> None:
    project.write("good.pipeline.yaml", GOOD)
    changed = GOOD.replace("  use:", "  renamed:")
    project.write(
        "conftest.py",
        f"import pathlib\ndef pytest_collection_finish():\n    "
        f"pathlib.Path('good.pipeline.yaml').write_text({changed!r})\n",
    )
    done = project.pytest("-v")
    assert outcomes(done) == {
        "good.pipeline.yaml::make": "PASSED",
        "good.pipeline.yaml::use": "ERROR",
        "good.pipeline.yaml::make->use": "ERROR",
    }
    assert "was changed after it was collected: it has no 'use' any more" in done.stdout


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_ctrl_c_leaves_no_container(options: list[str], project: Project) -> None:
    project.write("slow.pipeline.yaml", SLOW)
    process = subprocess.Popen(
        project.argv(*options), cwd=project.root, env=project.env, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        _wait_for(project.root / "runs/latest/steps/slow/stdout", b"slow is here", process)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 2, "pytest's status of an interrupted session"
    assert b"KeyboardInterrupt" in out
    run = (project.root / "runs/latest").resolve()
    found = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=run-pipeline.run={run.name}"], capture_output=True, check=True
    )
    assert found.stdout == b""
    document = json.loads((run / "run.json").read_bytes())
    assert (document["status"], document["exit_code"]) == ("interrupted", 130)
    assert project.left() == []


def _wait_for(file: Path, text: bytes, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended too soon"
        if file.is_file() and text in file.read_bytes():
            return
        time.sleep(0.1)
    pytest.fail(f"{file} never held {text!r}")
