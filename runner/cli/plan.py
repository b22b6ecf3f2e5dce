"""`plan`: everything that a run would do, with nothing started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.options import (
    color_option,
    command,
    file_argument,
    json_option,
    runs_dir_option,
    selection_options,
    specs_option,
    strict_option,
)
from runner.cli.output import note, say, say_json, style_of_stdout
from runner.cli.request import Request


@command(
    "run-pipeline plan pipeline.yaml --until Train\n"
    "run-pipeline plan pipeline.yaml --only Train --shell    # docker commands to copy and paste"
)
@file_argument
@selection_options
@click.option("--shell", is_flag=True, help="Print docker commands to copy and paste.")
@color_option
@json_option
@runs_dir_option
@specs_option
@strict_option
def plan(file: Path, shell: bool, color: str, as_json: bool, runs_dir: Path, **choice: Any) -> None:
    """Check FILE and show what would run: order, image, command, environment and mounts of each step.

    Nothing is started and no engine is needed. With a selection, it also shows which earlier runs lend their outputs.
    """
    request = Request(file, **choice)
    if not shell:
        show(request, color=color, as_json=as_json)
        return
    if as_json:
        raise click.UsageError("--shell and --json exclude each other: choose one form of output")
    from runner.pipeline.reuse import find_reused
    from runner.report.byhand import shell as by_hand

    made = request.plan()
    reuse = find_reused(made, runs_dir)
    for remark in (*made.remarks, *reuse.remarks):
        note(str(remark))
    say(by_hand(made, reused=reuse.steps))


def show(request: Request, *, color: str, as_json: bool) -> None:
    """Print the plan of a request; `run --dry-run` does the same. Earlier runs are those in the command's --runs-dir.

    Raises UsageError where `run` would refuse what it finds of them.
    """
    from runner.pipeline.reuse import find_reused
    from runner.pipeline.scripts import with_known_lacks
    from runner.report import plan as report

    made = with_known_lacks(request.plan())
    reuse = find_reused(made, click.get_current_context().params["runs_dir"])
    if as_json:
        say_json(report.document(made, reuse))
    else:
        say(report.text(made, reuse, style_of_stdout(color)))
