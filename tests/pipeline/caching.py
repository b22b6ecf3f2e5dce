"""Runs with a step cache on the fake engine, and which of their steps really ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.helpers import Harness

from runner.engine.fake import FakeEngine
from runner.pipeline.cache.messages import Options
from runner.pipeline.events import Notice, RunFinished
from runner.spec.models import StepSpec


class Cached:
    """The same directory of runs and the same cache, run after run; each on an engine of its own."""

    def __init__(self, tmp_path: Path, root: Path | None = None, **engine: Any) -> None:
        self.tmp_path, self.root, self.engine_options = tmp_path, root or tmp_path / "cache", engine
        self.engine = FakeEngine(**engine)
        self.harness = Harness(tmp_path, self.engine)
        self.finished: RunFinished | None = None

    def run(self, *, force: tuple[str, ...] = (), **steps: StepSpec) -> list[str]:
        """Run them; returns those that had a container, in their order. `options`: see `Harness`."""
        self.prepare(force=force)
        self.finished = self.harness.execute(**steps)
        return self.ran

    def prepare(self, *, force: tuple[str, ...] = (), **options: Any) -> Harness:
        self.engine = FakeEngine(**self.engine_options)
        cache = Options(self.root, frozenset(force))
        self.harness = Harness(self.tmp_path, self.engine, cache=cache, **options)
        return self.harness

    @property
    def ran(self) -> list[str]:
        return [name for point, name in self.engine.journal if point == "run"]

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.harness.recorder.of(Notice)]

    def step(self, name: str) -> Path:
        return self.harness.root / "steps" / name

    def note(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.step(name) / "cache.json").read_bytes())
        return found

    def files(self, folder: str) -> list[Path]:
        return sorted((self.root / folder).iterdir())
