"""What containers a plan's steps would take, found out without running any of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from runner.data.files import os_fault, remove_tree
from runner.engine.base import Engine, Image, Installation, Launch
from runner.pipeline.binding import bind
from runner.pipeline.fitting import Present, fit
from runner.pipeline.layout import RunLayout
from runner.pipeline.materials import Sources
from runner.pipeline.plan import Plan
from runner.pipeline.rundir import RunDirectory
from runner.sagemaker.job import ContainerJob


def launches(plan: Plan, engine: Engine, runs_dir: Path, present: Present, take: Callable[[Launch], object]) -> None:
    """Give `take` the launch of each step as a run in `runs_dir` would make it, in execution order.

    `present`: images that were looked up a moment ago. The steps are laid out as for a run, in a directory that is gone
    afterwards. Raises what a run raises before its first step starts, and WorkspaceError.
    """
    fitted = fit(plan, engine, engine.info(), present)
    fitted.plan.check_commands(fitted.images)
    name = f".warm-{secrets.token_hex(4)}"
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        root = runs_dir.resolve() / name
        (root / "steps").mkdir(parents=True)
    except OSError as error:
        raise os_fault(error, runs_dir, "cannot lay out the steps") from error

    def collect(job: ContainerJob, image: Image, code: Path) -> Path:
        return engine.collect(Installation.of(job, image, code, name))

    try:
        sources = Sources(RunDirectory(root.parent, name, RunLayout(root)))
        for step in fitted.plan.steps:
            take(bind(step, fitted.images[step.job.image], sources, collect).launch)
    finally:
        remove_tree(root)
