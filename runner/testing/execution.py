"""Runs a checked pipeline on an engine for the tester, and tells its progress to the logger."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.data.files import remove_tree
from runner.engine.base import Engine
from runner.errors import ImageUnavailable, InternalError
from runner.pipeline.events import Event, Notice, RunFinished, RunStarted, StepFinished, StepStarted
from runner.pipeline.execute import Run
from runner.pipeline.layout import RunLayout
from runner.pipeline.plan import make_plan
from runner.pipeline.provision import provide_images
from runner.pipeline.rundir import LATEST
from runner.pipeline.select import select
from runner.spec.models import Pipeline
from runner.testing.stopping import stoppable

_ROOT = "runner.testing"


def logger(level: str | None) -> logging.Logger:
    """The logger that hears of the progress from `level` on; None: nobody is told anything.

    One for each level, so that two testers in one process do not change each other's.
    """
    found = logging.getLogger(f"{_ROOT}.{(level or 'silent').lower()}")
    found.disabled = level is None
    if level is not None:
        found.setLevel(level)
    return found


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over."""

    layout: RunLayout
    end: RunFinished
    notices: dict[str | None, list[str]]
    """By step: what a person should know that changed no verdict."""


class Listener:
    """Keeps what the tester needs, and logs what a person may want to follow."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self.run_dir: Path | None = None
        self.notices: dict[str | None, list[str]] = {}

    def handle(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.run_dir = event.run_dir
            self._log.info("run %s: %d steps of '%s'", event.run_id, len(event.steps), event.pipeline)
        elif isinstance(event, StepStarted):
            self._log.debug("%s started (%s)", event.step, event.image)
        elif isinstance(event, StepFinished):
            self._log.info("%s %s %s", event.result.step, event.result.state.value, event.result.reason)
        elif isinstance(event, Notice):
            self.notices.setdefault(event.step, []).append(event.message)
            self._log.info("%s%s", f"{event.step}: " if event.step else "", event.message)

    def close(self) -> None:
        """Nothing is held back."""


def discard(run_dir: Path) -> None:
    """Remove a run directory, and `latest` where it names it. Raises OSError."""
    remove_tree(run_dir)
    latest = run_dir.parent / LATEST
    with suppress(FileNotFoundError):  # another run has moved it meanwhile
        if str(latest.readlink()) == run_dir.name:
            latest.unlink()


@contextmanager
def connected(engine: Engine | None) -> Iterator[Engine]:
    """The given engine, or this machine's, which is closed at the end. Raises EngineUnavailable."""
    if engine is not None:
        yield engine
        return
    from runner.engine import connect

    own = connect()
    try:
        yield own
    finally:
        own.close()


def _without_file(message: str, file: Path) -> str:
    """A pipeline that was put together in memory has no file that a person could look at: its steps have specs."""
    if file.exists():
        return message
    return re.sub(rf"^{re.escape(str(file))}(?::\d+)?: steps\.([\w-]+)\.image: ", r"the spec of '\1': ", message)


def run(pipeline: Pipeline, engine: Engine, runs_dir: Path, log: logging.Logger, *, tidy: bool = False) -> Finished:
    """Every step once, chained; a failed step blocks what needs it and nothing else.

    Raises EnvironmentFault or UsageError when the run cannot begin. A signal does what it would have done (Ctrl-C:
    KeyboardInterrupt) once every container is stopped; with `tidy` the run directory is gone then, too.
    """
    plan = make_plan(pipeline, select(pipeline.spec))
    dead = [leftover for leftover in engine.leftovers() if not leftover.owner_alive]
    if dead:
        engine.sweep(dead)
    try:
        provide_images(engine, plan, log.info)
    except ImageUnavailable as error:
        raise ImageUnavailable(_without_file(error.message, plan.file), remedy=error.remedy) from None
    listener = Listener(log)
    running = Run(plan, engine, runs_dir=runs_dir, jobs=os.cpu_count() or 1, keep_going=True, reporters=[listener])
    try:
        with stoppable(running.cancel):
            end = running.execute()
    except KeyboardInterrupt:
        if tidy and listener.run_dir is not None:
            discard(listener.run_dir)
        raise
    if listener.run_dir is None:
        raise InternalError("a run ended that had not begun")
    return Finished(RunLayout(listener.run_dir), end, listener.notices)
