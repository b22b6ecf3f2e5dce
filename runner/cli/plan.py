"""`plan`: everything that a run would do, with nothing started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner.cli.options import color_option, command, file_argument, json_option, selection_options, specs_option
from runner.cli.output import say, say_json, wants_color
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
@specs_option
def plan(file: Path, shell: bool, color: str, as_json: bool, **choice: Any) -> None:
    """Check FILE and show what would run: order, image, command, environment and mounts of each step.

    Nothing is started and no engine is needed.
    """
    if shell and as_json:
        raise click.UsageError("--shell and --json exclude each other: choose one form of output")
    show(Request(file, **choice), color=color, as_json=as_json)


def show(request: Request, *, color: str, as_json: bool) -> None:
    """Print the plan of a request; `run --dry-run` does the same."""
    made = request.plan()
    if as_json:
        from runner.report.document import SCHEMA_VERSION

        document = made.to_json()
        document.pop("schema")  # every document on stdout names its version alike
        say_json({"schema_version": SCHEMA_VERSION, **document})
        return
    from runner.cli.plantext import plan_text
    from runner.report.style import Style

    say(plan_text(made, Style.of(sys.stdout, color=wants_color(color, sys.stdout))))
