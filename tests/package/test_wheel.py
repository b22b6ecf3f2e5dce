"""The wheel, installed in an environment of its own and used from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with no network: the build backend is one of the locked test dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel, and this environment's third-party packages after it."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is searched after the environment's own packages, and its .pth files (the editable
    # installation of this very project) are not read.
    (site / "third-party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(installed: Path, folder: Path, *command: str) -> str:
    environ = {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        [str(installed / command[0]), *command[1:]], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_types_recipes_and_licence_are_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"runner/py.typed", "runner/spec/instances.json"} <= names
    for path in (ROOT / "images").rglob("*"):
        if path.is_file():
            assert f"runner/_images/{path.relative_to(ROOT / 'images').as_posix()}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "examples/")) or "__pycache__" in name for name in names)


def test_every_module_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = {str(path.relative_to(ROOT)) for path in (ROOT / "runner").rglob("*.py")} - names
    assert not missing


def test_the_command_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    from runner import __version__

    assert run(installed, tmp_path, "run-pipeline", "--version").strip() == f"run-pipeline {__version__}"
    assert "validate" in run(installed, tmp_path, "run-pipeline", "--help")


def test_the_installed_recipes_are_the_same_images(installed: Path, tmp_path: Path) -> None:
    """The same content gives the same tag, so a checkout and an installation share what is built."""
    from runner.engine import images

    script = (
        "import json, runner; from runner.engine import images;"
        "print(json.dumps([runner.__file__, {name: images.local_tag(name) for name in images.catalogue()}]))"
    )
    place, tags = json.loads(run(installed, tmp_path, "python", "-c", script))
    assert Path(place).is_relative_to(installed.parent), "the checkout was imported, not the wheel"
    assert tags == {name: images.local_tag(name) for name in images.catalogue()}


def test_a_pipeline_is_checked_from_another_folder(installed: Path, tmp_path: Path) -> None:
    output = run(installed, tmp_path, "run-pipeline", "validate", str(ROOT / "examples" / "hello" / "pipeline.yaml"))
    assert "valid, 2 steps" in output
