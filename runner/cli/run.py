"""`run`: the steps of a pipeline in containers, and an exit code that is the truth about them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from runner.cli.interrupts import Interrupts
from runner.cli.junit import junit_file
from runner.cli.options import (
    color_option,
    command,
    file_argument,
    jobs_option,
    json_option,
    keep_going_option,
    no_trace_option,
    no_warm_option,
    runs_dir_option,
    selection_options,
    specs_option,
    strict_option,
)
from runner.cli.request import Request
from runner.cli.session import Display, Pace, run_plan
from runner.cli.stepcache import cache_options, chosen, dir_given
from runner.errors import EXIT_PASSED


@command(
    "run-pipeline pipeline.yaml\n"
    "run-pipeline run pipeline.yaml --from Train -j 4 --keep-going\n"
    "run-pipeline run pipeline.yaml --json --junit report.xml > result.json"
)
@file_argument
@selection_options
@jobs_option
@keep_going_option
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would run, as `run-pipeline plan` does.")
@no_trace_option
@no_warm_option
@cache_options
@click.option("-q", "--quiet", is_flag=True, help="Show failures and the last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the steps write, as they do.")
@color_option
@json_option
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit XML file, a test case per step."
)
@runs_dir_option
@specs_option
@strict_option
def run(
    file: Path,
    jobs: int | None,
    keep_going: bool,
    dry_run: bool,
    no_trace: bool,
    no_warm: bool,
    cached: bool | None,
    force: tuple[str, ...],
    cache_dir: Path | None,
    quiet: bool,
    verbose: bool,
    color: str,
    as_json: bool,
    junit: Path | None,
    runs_dir: Path,
    **choice: Any,
) -> int:
    """Run the steps of FILE in containers, in the order of their data.

    Progress and results go to stdout; with --json they go to stderr, and stdout holds one JSON document.
    Images of the catalogue that are missing are built first; their progress goes to stderr.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other: choose one")
    request = Request(file, **choice)
    if dry_run:
        _refuse_idle(
            jobs=jobs is not None,
            keep_going=keep_going,
            no_trace=no_trace,
            no_warm=no_warm,
            quiet=quiet,
            verbose=verbose,
            junit=bool(junit),
            cache=cached is True,
            no_cache=cached is False,
            force=bool(force),
            cache_dir=dir_given(),
        )
        from runner.cli.plan import show

        show(request, color=color, as_json=as_json)
        return EXIT_PASSED
    from runner.engine.pool.channel import enabled as pool_enabled

    with junit_file(junit, str(file)) as report:
        display = Display(int(verbose) - int(quiet), color, as_json, report)
        cache = chosen(cached, force, runs_dir, cache_dir)
        warm = not no_warm and pool_enabled()
        pace = Pace(runs_dir, jobs or os.cpu_count() or 1, keep_going, not no_trace, warm, cache)
        with Interrupts() as interrupts:
            return run_plan(request.plan(), display, pace, interrupts)


def _refuse_idle(**given: bool) -> None:
    """Options that mean nothing where nothing is started."""
    idle = [f"--{name.replace('_', '-')}" for name, is_given in given.items() if is_given]
    if idle:
        raise click.UsageError(f"--dry-run starts nothing, so {' and '.join(idle)} would have no effect: leave it out")
