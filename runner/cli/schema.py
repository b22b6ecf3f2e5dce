"""`schema`: the JSON Schema of the pipeline file, for editors."""

from __future__ import annotations

from runner.cli.options import command
from runner.cli.output import say_json


@command(
    "run-pipeline schema > pipeline.schema.json\n"
    "# first line of a pipeline file, for the YAML language server:\n"
    "# yaml-language-server: $schema=pipeline.schema.json"
)
def schema() -> None:
    """Print the JSON Schema of the pipeline file, for editors that complete and check."""
    from runner.spec import json_schema

    say_json(json_schema())
