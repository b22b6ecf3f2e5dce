"""The Makefile and the scripts of .ci, on a machine that is set up already."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("run", "compose", "engine", "environment", "with-engine")


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_executable_and_parse(name: str) -> None:
    script = ROOT / ".ci" / name
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in script.read_text()
    assert run("bash", "-n", str(script)).returncode == 0


def test_make_alone_lists_every_public_target() -> None:
    output = run("make", "--no-print-directory").stdout
    for target in (
        "bench",
        "bench-check",
        "clean",
        "demo",
        "fmt",
        "help",
        "images",
        "install",
        "lint",
        "lock",
        "test",
        "type",
    ):
        assert f"make {target} " in output


def test_ci_calls_make_test() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert any("make --no-print-directory test " in line for line in lines)


@pytest.mark.docker
def test_an_engine_that_answers_is_left_alone() -> None:
    done = run(str(ROOT / ".ci" / "engine"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_engine_that_the_user_named_is_never_replaced() -> None:
    done = run(str(ROOT / ".ci" / "engine"), DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 3
    assert "/nowhere/docker.sock" in done.stderr
    assert "DOCKER_HOST or DOCKER_CONTEXT names the engine" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_python_gives_a_clear_message(tmp_path: Path) -> None:
    """No uv, and no Python but one that says that it is old; on a system where nothing can be installed."""
    tools = ("bash", "cat", "cksum", "cut", "dirname", "env", "id")
    for tool in tools:
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.8.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    copy = tmp_path / "copy"
    (copy / ".ci").mkdir(parents=True)
    for name in ("environment", "lib.sh"):
        shutil.copy(ROOT / ".ci" / name, copy / ".ci" / name)
    # Stands in for a system that is not Debian, whatever this one is.
    lib = copy / ".ci" / "lib.sh"
    lib.write_text(lib.read_text() + "\nis_debian() { false; }\n")
    for name in ("uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    done = subprocess.run(
        [str(copy / ".ci" / "environment")], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    assert "no Python 3.11 or newer was found (python3 is Python 3.8.2)" in done.stderr
    assert "cure: install Python 3.11" in done.stderr
