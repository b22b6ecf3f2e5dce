"""`resolve`: which script each node means, and what each edge brings, with the rule that says so."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import command, file_argument, format_option, specs_option
from runner.cli.output import say, say_json
from runner.errors import EXIT_PASSED, EXIT_USAGE


@command(
    "run-pipeline resolve dag.json --specs specs/\n"
    "run-pipeline resolve dag.json --search workspace --semantic-threshold 0.7"
)
@file_argument
@specs_option
@click.option(
    "--search",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    multiple=True,
    help="Look for scripts (also in DIR/scripts) and contracts (also in DIR/contracts) here, before the directory of "
    "FILE (repeatable).",
)
@click.option(
    "--semantic-threshold",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SCORE",
    help="Also bind ports whose names are that much alike, as 0.7. Without it likeness is only shown: a run never "
    "guesses.",
)
@format_option
def resolve(
    file: Path, specs: Path | None, search: tuple[Path, ...], semantic_threshold: float | None, form: str
) -> int:
    """Show for each node of FILE which script it means, and for each edge which output it brings to which input: what
    was chosen, by which rule, with which score, and what else there was.

    Nothing is run or imported. What cannot be decided is told with where it was looked for and the nearest names, and
    the exit code is 2.
    """
    from runner.report import survey as report
    from runner.spec.survey import survey

    made = survey(file, specs, search, semantic_threshold)
    if form == "json":
        say_json(report.document(made))
    else:
        say(report.text(made))
    return EXIT_USAGE if made.problems else EXIT_PASSED
