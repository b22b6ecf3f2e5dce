"""`images build` and `images list`: the images that stand for SageMaker's."""

from __future__ import annotations

from dataclasses import asdict

import click

from runner.cli.options import CONTEXT, PatientHelp, json_option, with_example
from runner.cli.output import note, say, say_json


class _Group(PatientHelp, click.Group):
    pass


@click.group(
    cls=_Group,
    no_args_is_help=False,
    context_settings=CONTEXT,
    epilog="\b\nExample:\n  run-pipeline images list\n  run-pipeline images build xgboost",
)
def images() -> None:
    """Build or list the images that stand for SageMaker's.

    A run builds the ones that it needs by itself.
    """


def _complete_images(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from runner.engine.images import catalogue

    return [name for name in catalogue() if name.startswith(incomplete)]


@images.command(
    "build",
    **with_example(
        "run-pipeline images build                       # all that are missing\n"
        "run-pipeline images build xgboost --force\n"
        "run-pipeline images build --base-image registry.example.com/python:3.12-slim"
    ),
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=_complete_images)
@click.option("--base-image", metavar="REF", help="Build on this image instead of the one that the Dockerfile names.")
@click.option("--force", is_flag=True, help="Build also what is there already.")
@json_option
def build(names: tuple[str, ...], base_image: str | None, force: bool, as_json: bool) -> None:
    """Build the named images, or all; what is there already is left. Progress goes to stderr."""
    from runner.engine import images as catalogue

    built = catalogue.build(names, note, base_image=base_image, force=force)
    if as_json:
        say_json({"schema_version": 1, "images": [asdict(each) for each in built]})
        return
    for each in built:
        say(f"{each.name}: {'built' if each.built else 'was there'}: {each.tag} (Python {each.python}, on {each.base})")


@images.command("list", **with_example("run-pipeline images list\nrun-pipeline images list --json"))
@json_option
def list_(as_json: bool) -> None:
    """List the images of the catalogue and what the engine has of them."""
    from runner.engine import images as catalogue
    from runner.report.text import size, table

    rows = catalogue.listing()
    if as_json:
        say_json({"schema_version": 1, "images": [asdict(row) for row in rows]})
        return
    lines = [("NAME", "PYTHON", "SIZE", "TAG", "NOTE")]
    lines += [
        (row.name, row.python or "-", size(row.size) if row.size is not None else "-", row.tag, row.note)
        for row in rows
    ]
    say("\n".join(table(lines, right=frozenset({2}))))
