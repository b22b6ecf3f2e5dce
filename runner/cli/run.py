"""`run`: the steps of a pipeline in containers, and an exit code that is the truth about them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from runner.cli.interrupts import Interrupts
from runner.cli.options import (
    color_option,
    command,
    file_argument,
    json_option,
    runs_dir_option,
    selection_options,
    specs_option,
)
from runner.cli.request import Request
from runner.cli.session import Display, Pace, run_plan
from runner.errors import EXIT_PASSED


@command(
    "run-pipeline pipeline.yaml\n"
    "run-pipeline run pipeline.yaml --from Train -j 4 --keep-going\n"
    "run-pipeline run pipeline.yaml --json --junit report.xml > result.json"
)
@file_argument
@selection_options
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Steps at one time, as far as their cpus and memory allow.  [default: number of CPUs]",
)
@click.option(
    "-k", "--keep-going", is_flag=True, help="After a failure run every step that does not need the failed one."
)
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would run, as `run-pipeline plan` does.")
@click.option("-q", "--quiet", "verbosity", flag_value=-1, type=int, help="Show failures and the last line only.")
@click.option(
    "-v", "--verbose", "verbosity", flag_value=1, type=int, default=0, help="Show what the steps write, as they do."
)
@color_option
@json_option
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit XML file, a test case per step."
)
@runs_dir_option
@specs_option
def run(
    file: Path,
    jobs: int | None,
    keep_going: bool,
    dry_run: bool,
    verbosity: int,
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
    request = Request(file, **choice)
    if dry_run:
        from runner.cli.plan import show

        show(request, color=color, as_json=as_json)
        return EXIT_PASSED
    with Interrupts() as interrupts:
        display = Display(verbosity, color, as_json, junit)
        pace = Pace(runs_dir, jobs or os.cpu_count() or 1, keep_going)
        return run_plan(request.plan(), display, pace, interrupts)
