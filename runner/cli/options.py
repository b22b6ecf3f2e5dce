"""Options that several commands share, so that a flag means the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from runner.cli.output import say
from runner.cli.table import FILE_SUFFIXES, HELP_NAMES

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

RUNS_DIR_VARIABLE = "RUN_PIPELINE_RUNS_DIR"


@dataclass
class Invocation:
    """What the command line said that matters to error handling; click carries it as the context's object."""

    runs_dir: Path | None = None


CONTEXT: dict[str, Any] = {"help_option_names": list(HELP_NAMES), "max_content_width": 110}


class PatientHelp(click.Command):
    """Shows its help also to a reader who leaves early (`--help | head -1`)."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


def _show_help(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        say(ctx.get_help())
        ctx.exit()


def with_example(example: str) -> dict[str, Any]:
    """The attributes of a click command whose help ends with an example, one command line per line."""
    lines = "\n".join(f"  {line}" for line in example.strip().splitlines())
    return {"cls": PatientHelp, "context_settings": CONTEXT, "epilog": f"\b\nExample:\n{lines}"}


def command(example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command of the program, named as its function."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        made: click.Command = click.command(**with_example(example))(function)
        return made

    return decorate


def _remember_runs_dir(ctx: click.Context, _: click.Parameter, value: Path) -> Path:
    invocation = ctx.find_root().obj
    if isinstance(invocation, Invocation):
        invocation.runs_dir = value
    return value


runs_dir_option: Decorator = click.option(
    "--runs-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    envvar=RUNS_DIR_VARIABLE,
    show_envvar=True,
    callback=_remember_runs_dir,
    help="Where run directories are.",
)

jobs_option: Decorator = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Steps at one time, as far as their cpus and memory allow.  [default: number of CPUs]",
)

keep_going_option: Decorator = click.option(
    "-k", "--keep-going", is_flag=True, help="After a failure run every step that does not need the failed one."
)

no_warm_option: Decorator = click.option(
    "--no-warm", is_flag=True, help="Use no containers that stand ready, and leave none for the next run."
)

no_trace_option: Decorator = click.option(
    "--no-trace", is_flag=True, help="Do not watch what the scripts read, write and connect to."
)

json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print exactly one JSON document on stdout, also for errors."
)

format_option: Decorator = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: tables for people; json: one document on stdout.",
)

color_option: Decorator = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="auto: colour in a terminal; NO_COLOR and FORCE_COLOR are honoured.",
)

specs_option: Decorator = click.option(
    "--specs",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Specs file or directory that belongs to a DAG file ({nodes, edges}).",
)

strict_option: Decorator = click.option(
    "--strict", is_flag=True, help="Refuse what exceeds a limit of SageMaker's API; without it that is a warning."
)


def complete_runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from runner.pipeline.store import list_runs

    names = [record.run_id for record in list_runs(ctx.params.get("runs_dir") or Path("runs"))]
    return [name for name in ("latest", *names) if name.startswith(incomplete)]


run_argument: Decorator = click.argument("run", default="latest", shell_complete=complete_runs)

file_argument: Decorator = click.argument("file", type=click.Path(path_type=Path))

SELECTORS = {
    "only": "Run this step alone (repeatable).",
    "from": "Run this step and all that follow from it (repeatable).",
    "until": "Run this step and all that it needs (repeatable).",
    "skip": "Leave this step out (repeatable).",
}


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--only`, `--from`, `--until` and `--skip`: tuples of step names, as `only`, `from_`, `until` and `skip`."""
    for name, text in reversed(SELECTORS.items()):
        parameter = f"{name}_" if name == "from" else name
        decorate = click.option(
            f"--{name}", parameter, multiple=True, metavar="STEP", help=text, shell_complete=complete_steps
        )
        function = decorate(function)
    return function


def complete_steps(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Names of the steps of the file that the line names; none when it cannot be read."""
    from click.shell_completion import split_arg_string

    from runner.errors import RunnerError
    from runner.spec import load

    # click gives up on the arguments of a line that ends with an option without its value: read the line itself.
    words = split_arg_string(os.environ.get("COMP_WORDS", ""))
    file = next((word for word in words if is_pipeline_file(word)), None)
    specs = next((after for word, after in pairwise(words) if word == "--specs"), None)
    if file is None:
        return []
    try:
        pipeline = load(Path(file), Path(specs) if specs else None)
    except RunnerError:
        return []  # half a command line is no place for an error message
    return [step for step in pipeline.spec.steps if step.startswith(incomplete)]


def is_pipeline_file(word: str) -> bool:
    """Whether a word of the command line names a file: by its ending, or because it is there."""
    return word.endswith(FILE_SUFFIXES) or Path(word).is_file()
