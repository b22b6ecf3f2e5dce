"""Whether a run uses the step cache, and where that is: flags, then the environment, then what is usual."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import Decorator, complete_steps

if TYPE_CHECKING:
    from runner.pipeline.cache.messages import Options

VARIABLE = "RUN_PIPELINE_CACHE"
_NAME = ".cache"

cache_dir_option: Decorator = click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    envvar="RUN_PIPELINE_STEP_CACHE_DIR",
    show_envvar=True,
    help="Where the step cache is.  [default: .cache in the runs directory]",
)


def cache_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--cache/--no-cache` (None: neither was given), `--force` and `--cache-dir`."""
    function = cache_dir_option(function)
    function = click.option(
        "--force",
        multiple=True,
        metavar="STEP",
        help="Run this step although its result is in the cache, and keep the new one (repeatable).",
        shell_complete=complete_steps,
    )(function)
    return click.option(
        "--cache/--no-cache",
        "cached",
        default=None,
        help=f"Take results that cannot have changed from earlier runs.  [default: yes; no with CI=true; ${VARIABLE}]",
    )(function)


def chosen(cached: bool | None, force: tuple[str, ...], runs_dir: Path, cache_dir: Path | None) -> Options | None:
    """None: without a cache. Raises UsageError."""
    from runner.pipeline.cache.messages import Options

    if not _wanted(cached):
        idle = [name for name, given in (("--force", bool(force)), ("--cache-dir", dir_given())) if given]
        if idle:
            raise click.UsageError(f"{' and '.join(idle)} would have no effect, as the cache is off: add --cache")
        return None
    return Options(place_of(runs_dir, cache_dir), frozenset(force))


def dir_given() -> bool:
    """Whether the line has a --cache-dir: a variable that is set for every run is no word about this one."""
    source = click.get_current_context().get_parameter_source("cache_dir")
    return source is click.core.ParameterSource.COMMANDLINE


def place_of(runs_dir: Path, cache_dir: Path | None) -> Path:
    return cache_dir if cache_dir is not None else runs_dir / _NAME


def _wanted(cached: bool | None) -> bool:
    if cached is not None:
        return cached
    said = os.environ.get(VARIABLE, "")
    if said:
        if said not in ("on", "off"):
            raise click.UsageError(f"${VARIABLE} is 'on' or 'off', got {said!r}")
        return said == "on"
    return os.environ.get("CI", "").lower() in ("", "0", "false")
