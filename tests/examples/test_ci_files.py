"""The CI files of examples/ci and the pre-commit hook: their own commands, run as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
BIN = Path(sys.executable).parent
INSTALLS = ("pip install", "python3 -m venv", ". .venv-ci/bin/activate")
"""What makes the environment: here the one in which the tests run takes its place."""
TOO_LONG = f"name: a\nimage: python\nsteps:\n  a: {{entrypoint: ['true'], outputs: [o], env: {{A: {'x' * 257}}}}}\n"
BROKEN = "name: a\nimage: python\nsteps:\n  a: {scirpt: a.py}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository that holds nothing but the example's pipelines."""
    shutil.copytree(CI / "pipelines", tmp_path / "project" / "pipelines")
    (tmp_path / "project" / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    return tmp_path / "project"


def read(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((CI / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def github() -> list[str]:
    steps = read("github-actions.yml")["jobs"]["pipelines"]["steps"]
    return [step["run"] for step in steps if "run" in step]


def gitlab() -> list[str]:
    document = read("gitlab-ci.yml")
    jobs = [job for job in document.values() if isinstance(job, dict) and "script" in job]
    assert len(jobs) == 3
    return [*document["default"]["before_script"], *(line for job in jobs for line in job["script"])]


def commands(name: str) -> Iterator[str]:
    """Those of a file that do not make the environment."""
    every = github() if name == "github-actions.yml" else gitlab()
    own = [command for command in every if not command.startswith(INSTALLS)]
    assert any(command.startswith("pip install") for command in every)
    assert len(own) >= 4
    yield from own


def bash(command: str, project: Path) -> subprocess.CompletedProcess[str]:
    """As GitHub runs a step."""
    ours = ("PYTEST_", "RUN_PIPELINE_RUNS_DIR")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CI": "true"}
    argv = ["bash", "-eo", "pipefail", "-c", command]
    return subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=500)


@pytest.mark.docker
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_every_command_of_the_file_passes(name: str, project: Path) -> None:
    for command in commands(name):
        done = bash(command, project)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    cases = {file.name: len(list(ET.parse(file).iter("testcase"))) for file in (project / "reports").iterdir()}
    assert cases == {"run.xml": 2, "pytest.xml": 3}
    assert len([run for run in (project / "runs").iterdir() if not run.is_symlink()]) == 2
    if name == "github-actions.yml":
        again = next(command for command in commands(name) if "docker load" in command)
        done = bash(again, project)
        assert (done.returncode, "Loaded image" in done.stdout) == (0, True), "the images of the cache are used"


@pytest.mark.docker
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_failing_step_fails_the_job(name: str, project: Path) -> None:
    script = project / "pipelines" / "scripts" / "total.py"
    script.write_text(script.read_text().replace('row["amount"]', 'row["amuont"]'))
    run, tests = (command for command in commands(name) if command.startswith(("run-pipeline run", "pytest")))
    for command in (run, tests):
        done = bash(command, project)
        assert done.returncode == 1, command
        assert "amuont" in done.stdout


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_faulty_file_fails_before_an_engine_is_asked(name: str, project: Path) -> None:
    (project / "pipelines" / "broken.pipeline.yaml").write_text(BROKEN)
    (check,) = (command for command in commands(name) if command.startswith("run-pipeline validate"))
    done = bash(check, project)
    assert done.returncode == 2
    assert "pipelines/broken.pipeline.yaml:4:" in done.stdout


def test_what_is_kept_of_a_failed_run_is_what_a_run_has() -> None:
    kept = read("github-actions.yml")["jobs"]["pipelines"]["steps"][-1]["with"]["path"].split()
    assert read("gitlab-ci.yml")["run"]["artifacts"]["paths"] == kept
    assert set(kept) == {"reports/", "runs/*/run.json", "runs/*/steps/*/std*", "runs/*/steps/*/result.json"}


# pre-commit


def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert isinstance(only, dict)
    return only


def test_the_example_uses_the_hook_that_there_is() -> None:
    (repo,) = read("pre-commit-config.yaml")["repos"]
    assert [each["id"] for each in repo["hooks"]] == [hook()["id"]]
    from runner import __version__

    assert repo["rev"] == f"v{__version__}"


@pytest.mark.skipif(shutil.which("git") is None, reason="pre-commit needs git")
def test_pre_commit_runs_the_hook(project: Path, tmp_path: Path) -> None:
    """By the example's configuration. It installs this repository into an environment of its own, here without an
    index: what this environment holds is on the path."""
    source = snapshot(tmp_path / "source")
    (repo,) = read("pre-commit-config.yaml")["repos"]
    text = (CI / "pre-commit-config.yaml").read_text()
    text = text.replace(repo["repo"], str(source)).replace(repo["rev"], git(source, "rev-parse", "HEAD"))
    (project / ".pre-commit-config.yaml").write_text(text)
    git(project, "init", "--quiet")
    git(project, "add", ".")
    done = pre_commit(project, tmp_path)
    assert (done.returncode, "Passed" in done.stdout) == (0, True), done.stdout + done.stderr

    (project / "pipelines" / "broken.pipeline.yaml").write_text(BROKEN)
    (project / "pipeline.yaml").write_text(TOO_LONG)
    (project / "other.yaml").write_text("no: pipeline\n")
    git(project, "add", ".")
    done = pre_commit(project, tmp_path)
    assert done.returncode == 1
    assert "exit code: 2" in done.stdout
    assert "pipelines/broken.pipeline.yaml:4:" in done.stdout
    assert "did you mean 'script'?" in done.stdout
    assert "257" in done.stdout, "the limit that --strict makes a fault"
    assert "2 of 3 files are not valid" in done.stdout
    assert "other.yaml" not in done.stdout


def pre_commit(project: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))},
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "PYTHONPATH": str(third_party(tmp_path / "third")),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's own riddle: this turns the isolation off
        "TMPDIR": str(tmp_path),
    }
    argv = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose"]
    return subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=300)


def snapshot(place: Path) -> Path:
    """This tree as a repository: also in an unpacked archive, and with what is not committed yet."""
    if not place.exists():
        for name in ("runner", "images"):
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
            shutil.copy(ROOT / name, place / name)
        git(place, "init", "--quiet")
        git(place, "add", ".")
        git(place, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "a tree")
    return place


def third_party(place: Path) -> Path:
    """Everything that is installed here but for this project itself."""
    if not place.exists():
        place.mkdir()
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(("run_pipeline", "_run_pipeline", "__editable__")) and entry.suffix != ".pth":
                (place / entry.name).symlink_to(entry)
    return place


def git(place: Path, *arguments: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=place, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()
