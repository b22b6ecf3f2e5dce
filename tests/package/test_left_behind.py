"""The check of our own suite: whatever it leaves behind fails it, also where workers share the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LEAVES = """
import tempfile
import pytest

@pytest.mark.parametrize("number", range(4))
def test_leaves(number):
    tempfile.mkdtemp(prefix="run-pipeline-left-") if LEAVE and number == 1 else None
"""


def suite(root: Path, workers: int, leave: bool) -> subprocess.CompletedProcess[str]:
    """A project whose conftest.py is ours, in a temporary directory of its own."""
    (root / "temp").mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "test_it.py").write_text(f"LEAVE = {leave}\n{LEAVES}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "RUN_PIPELINE_"))}
    environ |= {"PYTHONPATH": str(TESTS), "TMPDIR": str(root / "temp"), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    argv = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-n", str(workers)]
    return subprocess.run(argv, cwd=root, env=environ, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_suite_that_leaves_something_behind_fails(tmp_path: Path, workers: int) -> None:
    done = suite(tmp_path, workers, leave=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert done.stdout.count("the suite left something behind") == 1
    assert "temporary files: ['run-pipeline-left-" in done.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_a_suite_that_tidies_up_passes(tmp_path: Path, workers: int) -> None:
    done = suite(tmp_path, workers, leave=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left something behind" not in done.stdout
