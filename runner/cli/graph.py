"""`graph`: the steps and edges of a file, drawn."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import command, file_argument, specs_option
from runner.cli.output import say, style_of_stdout


@command("run-pipeline graph pipeline.yaml\nrun-pipeline graph pipeline.yaml --format dot | dot -Tsvg > graph.svg")
@file_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "dot", "json"]),
    default="text",
    show_default=True,
    help="text: for the terminal; mermaid: for Markdown; dot: for Graphviz.",
)
@specs_option
def graph(file: Path, form: str, specs: Path | None) -> None:
    """Draw the steps of FILE and the data between them."""
    from runner.report.graph import render
    from runner.spec import load

    unicode = style_of_stdout("never").unicode
    say(render(load(file, specs).spec, form, unicode=unicode), end="")
