"""A pipeline in a directory, and the command line run on it as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

CLI = Path(sys.executable).parent / "run-pipeline"


class Workspace:
    """Steps are given as script texts; `{step: (script, {extra keys})}`."""

    def __init__(self, root: Path, env: dict[str, str] | None = None) -> None:
        self.root = root
        self.env = {**os.environ, "NO_COLOR": "1", **(env or {})}
        root.mkdir(parents=True, exist_ok=True)

    def pipeline(self, steps: dict[str, tuple[str, dict[str, Any]]], image: str = "python") -> Path:
        found: dict[str, Any] = {}
        for name, (script, extra) in steps.items():
            (self.root / f"{name}.py").write_text(script)
            found[name] = {"script": f"{name}.py", **extra}
        path = self.root / "pipeline.yaml"
        path.write_text(yaml.safe_dump({"name": "faults", "image": image, "steps": found}, sort_keys=False))
        return path

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*prefix, str(CLI), *arguments],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *arguments: str, prefix: tuple[str, ...] = (), timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, prefix=prefix)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def document(self, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        done = self.run("run", "pipeline.yaml", "--json", *arguments, **options)
        return done.returncode, json.loads(done.stdout)

    def wait_for(self, pattern: str, seconds: float = 60) -> Path:
        """The first file below the run directory that matches."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = [path for path in self.root.glob(pattern) if path.stat().st_size]
            if found:
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"no {pattern} in {self.root} within {seconds} s")


def wait_until(condition: Any, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())
