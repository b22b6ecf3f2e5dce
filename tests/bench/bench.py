"""Where measurements take place: a directory that is gone afterwards, the commands under test, and a clock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

COMMAND = Path(sys.executable).parent / "run-pipeline"
PLAIN = {"RUN_PIPELINE_CACHE": "off", "RUN_PIPELINE_POOL": "off"}
"""Neither step cache nor warm pool: unless a measurement is about them, each run is as the first."""


class MeasurementError(Exception):
    """A figure could not be taken: says nothing about the promise."""


class NotAvailableError(MeasurementError):
    """What a figure needs is not there: a feature, a package, a program. Told beside the promise; no failure."""


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    quick: bool

    def __call__(self, full: int, quick: int) -> int:
        return quick if self.quick else full


class Bench:
    """A context: everything that is made in `root` goes at the end.

    The probes of images are kept in a cache directory of its own, so that `force_mode` can say how containers start.
    """

    def __init__(self, effort: Effort) -> None:
        self.effort = effort
        self._directory = tempfile.TemporaryDirectory(prefix="bench-")
        self.root = Path(self._directory.name).resolve()
        self.cache = self.root / "cache"
        self.env = {**os.environ, **PLAIN, "NO_COLOR": "1", "RUN_PIPELINE_CACHE_DIR": str(self.cache)}
        self._tags: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()

    def place(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True)
        return path

    def image(self, name: str) -> str:
        """What Docker calls an image of the catalogue. Raises MeasurementError when it is not there."""
        if not self._tags:
            listed = json.loads(self.output([str(COMMAND), "images", "list", "--json"]))
            self._tags = {row["name"]: row["tag"] for row in listed["images"] if row["present"]}
        if name not in self._tags:
            raise MeasurementError(f"image {name!r} is not built: `run-pipeline images build {name}`")
        return self._tags[name]

    def fresh(self, path: Path) -> Path:
        """An empty directory, whatever was there."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def output(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
        """Standard output of a command that must succeed."""
        return self.timed(argv, env)[0]

    def seconds(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> float:
        """Wall time of a command that must succeed, as a whole process."""
        return self.timed(argv, env)[1]

    def timed(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[str, float]:
        """Both."""
        began = time.perf_counter()
        done = subprocess.run(argv, env=env or self.env, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
        if done.returncode != 0:
            raise MeasurementError(f"{' '.join(argv[:4])} ... ended with {done.returncode}: {tail(done)}")
        return done.stdout, took

    def force_mode(self, mode: str) -> None:
        """Make every image that was probed so far start as `staged`, `plain` or `cold`."""
        probes = list((self.cache / "probes").glob("*.json"))
        if not probes:
            raise MeasurementError("no image was probed yet, so no start mode can be set")
        for probe in probes:
            found = json.loads(probe.read_text())
            probe.write_text(json.dumps({**found, "mode": mode}))

    def probed_modes(self) -> set[str]:
        """The best modes that this engine offered for the images used so far."""
        return {json.loads(probe.read_text())["mode"] for probe in (self.cache / "probes").glob("*.json")}


def tail(done: subprocess.CompletedProcess[str]) -> str:
    return " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
