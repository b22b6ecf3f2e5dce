"""`explain`: why a step ran, or took its result from the cache."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import command, json_option, runs_dir_option
from runner.cli.output import say, say_json
from runner.errors import EXIT_PASSED


@command("run-pipeline explain Train\nrun-pipeline explain Train --run 20261120T211214Z-ff75c2 --json")
@click.argument("step")
@click.option("--run", default="latest", show_default=True, help="The run: its id, the beginning of it, or `latest`.")
@json_option
@runs_dir_option
def explain(step: str, run: str, as_json: bool, runs_dir: Path) -> int:
    """Say whether STEP was a hit in the step cache, and what has changed since the newest earlier run of it.

    Everything is read from the run directories; nothing is run, and no engine is needed.
    """
    from runner.pipeline.cache.explaining import explain as find
    from runner.report.cache import explanation_document, explanation_text

    found = find(runs_dir, run, step)
    if as_json:
        say_json(explanation_document(found))
    else:
        say(explanation_text(found))
    return EXIT_PASSED
