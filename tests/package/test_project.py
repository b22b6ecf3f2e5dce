"""Promises of the project's files: the lock, the rooms, and what no file may hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC_HOSTS = {".".join(("pypi", "org")), ".".join(("files", "pythonhosted", "org"))}
"""Joined here, since a file of this project holds no registry's name; the lock alone does, by its format."""
REGISTRY = re.compile("|".join(map(re.escape, (*PUBLIC_HOSTS, ".".join(("docker", "io/")), ".".join(("gcr", "io"))))))


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    paths = [ROOT / name for name in listing.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_the_lock_names_the_public_index_and_no_other_host() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    found = {urlsplit(text).hostname for text in strings(lock) if "://" in text}
    assert found == PUBLIC_HOSTS


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return []


def test_every_locked_file_has_a_hash() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    for package in lock["package"]:
        for file in (*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())):
            assert file["hash"].startswith("sha256:"), package["name"]


def test_no_other_file_names_a_registry() -> None:
    if not (ROOT / ".git").exists():
        pytest.fail("this looks at what git tracks: run it in a checkout")
    for path in tracked():
        if path.name == "uv.lock":
            continue
        found = REGISTRY.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{path.relative_to(ROOT)}: {found.group()}"


def test_rooms_import_only_from_the_rooms_below() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_an_answer_at_once_loads_nothing_heavy(argument: str) -> None:
    script = (
        "import json, sys; from runner.cli.main import entry; code = entry([sys.argv[1]]);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(done.stderr))
    assert "runner.cli.main" in loaded
    assert not loaded & {"docker", "pandas", "networkx", "numpy", "pydantic", "rich"}
