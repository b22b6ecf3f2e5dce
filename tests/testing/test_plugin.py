"""The pytest plug-in without an engine: what it loads, collects and refuses, and how it tells what it was told."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from testing.plugin_project import BAD, GOOD, NO_ENGINE, Project, outcomes, summary

from runner.errors import (
    EngineUnavailable,
    Interrupted,
    NothingSelectedError,
    Problem,
    RequirementsError,
    RunnerError,
    SpecError,
    WorkspaceError,
)

HEAVY = {"pydantic", "pydantic_core", "yaml", "docker", "networkx", "pandas", "numpy", "requests", "rich", "click"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_its_import_loads_nothing_else() -> None:
    code = "import sys, pytest; b = set(sys.modules); import runner.pytest_plugin; print(*sorted(set(sys.modules) - b))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["runner", "runner.pytest_plugin"]


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_who_has_no_pipeline_file_pays_nothing(options: list[str], project: Project) -> None:
    """In the process in which tests run and, with xdist, in its controller."""
    project.write("test_it.py", "def test_it():\n    pass\n")
    project.write(
        "conftest.py",
        "import os, sys\n"
        "def pytest_unconfigure():\n"
        "    print(*sys.modules, file=open(f'modules-{os.getpid()}', 'w'))\n",
    )
    chosen = ["-p", "runner.pytest_plugin", *(["-p", "xdist"] if options else []), *options]
    done = project.pytest(*chosen, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert summary(done) == "1 passed", done.stdout + done.stderr
    files = list(project.root.glob("modules-*"))
    assert len(files) == (2 if options else 1)
    for file in files:
        seen = set(file.read_text().split())
        assert "runner.pytest_plugin" in seen
        assert not {name.partition(".")[0] for name in seen} & HEAVY
    assert project.left() == []


def test_collecting_starts_nothing(project: Project) -> None:
    project.write("bad.pipeline.yaml", BAD)
    done = project.pytest("--collect-only", "-q", **NO_ENGINE)
    assert done.returncode == 0
    assert done.stdout.split()[:5] == [
        "bad.pipeline.yaml::make",
        "bad.pipeline.yaml::broken",
        "bad.pipeline.yaml::after",
        "bad.pipeline.yaml::make->broken",
        "bad.pipeline.yaml::broken->after",
    ]
    assert not (project.root / "runs").exists()


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_no_engine_is_an_error_not_a_skip(options: list[str], project: Project) -> None:
    project.write("good.pipeline.yaml", GOOD)
    done = project.pytest(*options, "--junitxml=report.xml", **NO_ENGINE)
    assert (done.returncode, summary(done)) == (1, "3 errors")
    assert "no Docker engine: /nowhere/docker.sock" in done.stdout
    assert "unset DOCKER_HOST" in done.stdout, "the remedy"
    assert "Traceback" not in done.stdout
    assert "site-packages" not in done.stdout
    assert 'errors="3"' in (project.root / "report.xml").read_text()
    assert project.left() == []


def test_a_faulty_file_is_an_error_with_its_line(project: Project) -> None:
    project.write("wrong.pipeline.yaml", GOOD.replace("from: make.table", "from: mke.table"))
    done = project.pytest()
    assert (done.returncode, summary(done)) == (2, "1 error")
    assert "wrong.pipeline.yaml:9:28: steps.use.inputs.table: no step 'mke' (did you mean 'make'?)" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_file_that_became_faulty_between(project: Project) -> None:
    project.write("good.pipeline.yaml", GOOD)
    project.write(
        "conftest.py",
        "import pathlib\n"
        "def pytest_collection_finish():\n"
        "    pathlib.Path('good.pipeline.yaml').write_text('steps: 3')\n",
    )
    done = project.pytest(**NO_ENGINE)
    assert (done.returncode, summary(done)) == (1, "3 errors")
    assert "good.pipeline.yaml:1:8: steps: " in done.stdout


def test_the_fixture_raises_what_keeps_a_file_from_running(project: Project) -> None:
    project.write("good.pipeline.yaml", GOOD)
    project.write("test_it.py", "def test_it(pipeline):\n    pipeline('good.pipeline.yaml')\n")
    done = project.pytest("test_it.py", **NO_ENGINE)
    assert (done.returncode, summary(done)) == (1, "1 failed")
    assert "EngineUnavailable: no Docker engine" in done.stdout
    assert "unset DOCKER_HOST" in done.stdout
    assert "site-packages" not in done.stdout


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_that_is_none_is_refused(value: str, project: Project) -> None:
    done = project.pytest(f"--pipeline-timeout={value}")
    assert done.returncode == 4
    assert f"argument --pipeline-timeout: expected seconds above 0, got '{value}'" in done.stderr


def test_what_a_run_keeps_is_not_collected(project: Project) -> None:
    kept = "runs/20261120T201619Z-c8a598"
    project.write(f"{kept}/run.json", "{}")
    project.write(f"{kept}/steps/a/code/test_script.py", "def test_it():\n    raise SystemExit\n")
    (project.root / "runs/latest").symlink_to("20261120T201619Z-c8a598")
    project.write("steps/test_own.py", "def test_it():\n    pass\n")
    done = project.pytest("-v")
    assert outcomes(done) == {"steps/test_own.py::test_it": "PASSED"}


FAKED = """\
import runner.testing.native as native
from runner.testing.results import DataCompatibilityResult as Edge, PipelineResult, ScriptTestResult as Script

def fake(file, **_):
    with open("calls", "a") as calls:
        calls.write("x")
    {body}

native.run_file = fake
"""
LOST = """\
steps = {
        "make": Script("make", True, step_name="make", verdict="passed"),
        "use": Script("use", False, "infrastructure: the engine is gone", step_name="use", kind="infrastructure"),
    }
    edges = {"make->use": Edge("make", "use", False, ["the consumer 'use' did not pass"], tested=False)}
    return PipelineResult(False, steps, edges, [], ["make", "use"])
"""
UNREAD = """\
steps = {name: Script(name, True, step_name=name, verdict="passed") for name in ("make", "use")}
    edges = {"make->use": Edge("make", "use", True, risks=("input 'table' was never read: the edge is not proven",))}
    return PipelineResult(True, steps, edges, [], ["make", "use"])
"""


def faked(project: Project, body: str) -> None:
    project.write("good.pipeline.yaml", GOOD)
    project.write("conftest.py", FAKED.format(body=body))


def test_a_lost_engine_is_an_error_and_says_nothing_of_the_edge(project: Project) -> None:
    faked(project, LOST)
    done = project.pytest("-v")
    assert outcomes(done) == {
        "good.pipeline.yaml::make": "PASSED",
        "good.pipeline.yaml::use": "ERROR",
        "good.pipeline.yaml::make->use": "SKIPPED",
    }
    assert "infrastructure: the engine is gone" in done.stdout
    assert summary(project.pytest("good.pipeline.yaml::make->use")) == "1 failed"


def test_an_edge_that_proves_little_is_a_warning(project: Project) -> None:
    faked(project, UNREAD)
    done = project.pytest()
    assert summary(done) == "3 passed, 1 warning"
    assert "make->use: input 'table' was never read: the edge is not proven" in done.stdout


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_fault_of_the_tool_is_told_and_not_repeated(options: list[str], project: Project) -> None:
    faked(project, "raise LookupError('odd')")
    done = project.pytest(*options)
    assert (done.returncode, summary(done)) == (1, "3 errors")
    assert "LookupError: odd" in done.stdout
    assert "please report it" in done.stdout
    assert (project.root / "calls").read_text() == "x"


@pytest.mark.parametrize(
    "error",
    [
        SpecError([Problem("f", 1, 2, "steps.a", "no"), Problem("f", 3, 4, "", "neither")], remedy="mend it"),
        EngineUnavailable("gone", remedy="start it"),
        WorkspaceError("full"),
        NothingSelectedError("none"),
        RequirementsError("pip says no", status=1, output="..."),
        Interrupted(15),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_processes(error: RunnerError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
