"""A small project with pipeline files, and pytest as its user runs it: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

GOOD = """\
name: good
image: python
steps:
  make:
    script: make.py
    outputs: [table]
  use:
    script: use.py
    inputs: {table: {from: make.table}}
    outputs: [report]
"""
BAD = """\
name: bad
image: python
steps:
  make:
    script: make.py
    outputs: [table]
  broken:
    script: broken.py
    inputs: {table: {from: make.table}}
    outputs: [report]
  after:
    script: use.py
    inputs: {table: {from: broken.report}}
    outputs: [report]
"""
SCRIPTS = {
    "make.py": 'open("/opt/ml/processing/output/table/t.csv", "w").write("id,label\\n1,0\\n")\n',
    "use.py": (
        'print(open("/opt/ml/processing/input/table/t.csv").read().strip())\n'
        'open("/opt/ml/processing/output/report/r.txt", "w").write("x")\n'
    ),
    "broken.py": 'print("three words said")\nraise KeyError("labl")\n',
    "slow.py": 'import time\nprint("slow is here", flush=True)\ntime.sleep(300)\n',
}
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


class Project:
    """A directory with the scripts, a `pytest.ini`, and a temp directory of its own, to see what stays in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.temp = root, root.parent / "temp"
        self.temp.mkdir()
        self.root.mkdir()
        self.write("pytest.ini", "[pytest]\naddopts = -p no:cacheprovider -p no:randomly\n")
        for name, text in SCRIPTS.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @property
    def env(self) -> dict[str, str]:
        ours = ("PYTEST_", "RUN_PIPELINE_RUNS_DIR", "COV_", "FORCE_COLOR")
        return {**{k: v for k, v in os.environ.items() if not k.startswith(ours)}, "TMPDIR": str(self.temp)}

    @staticmethod
    def argv(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", *arguments]

    def pytest(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments), cwd=self.root, env={**self.env, **env}, capture_output=True, text=True, timeout=300
        )

    def runs(self, directory: str = "runs") -> list[Path]:
        """The run directories, without `latest`."""
        place = self.root / directory
        return sorted(each for each in place.iterdir() if not each.is_symlink()) if place.is_dir() else []

    def left(self) -> list[str]:
        """But for the temporary directories that pytest itself keeps."""
        return sorted(path.name for path in self.temp.iterdir() if not path.name.startswith("pytest-of-"))


def summary(done: subprocess.CompletedProcess[str]) -> str:
    """pytest's last line, without its frame and the time."""
    return done.stdout.strip().splitlines()[-1].strip("= ").partition(" in ")[0]


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """By node id, as `-v` tells it."""
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) > 1 and "::" in words[0] and words[1].isupper():
            found[words[0]] = words[1]
    return found


def junit(path: Path) -> dict[str, Any]:
    """By case: its children, by tag, with message and text."""
    import xml.etree.ElementTree as ET

    return {
        str(case.get("name")): {child.tag: f"{child.get('message')}\n{child.text}" for child in case}
        for case in ET.parse(path).iter("testcase")
    }
