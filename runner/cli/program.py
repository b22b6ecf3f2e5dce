"""The group of all commands: a command's module is imported when it is called, and every error ends here."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from runner import __version__
from runner.cli.main import COMPLETE_VARIABLE
from runner.cli.options import CONTEXT, Invocation, PatientHelp, is_pipeline_file
from runner.cli.signals import listener
from runner.cli.table import COMMANDS, FILE_SUFFIXES, HELP_NAMES, VERSION_NAME, overview

NAME = "run-pipeline"


class LazyGroup(PatientHelp, click.Group):
    """A group whose commands are named in a table and imported when asked for."""

    def __init__(self, table: dict[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"runner.cli.{module}"), attribute)
        return command


class Program(LazyGroup):
    """`run-pipeline` itself: also takes a file where a command may stand."""

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002
        return overview().rstrip("\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in (*HELP_NAMES, VERSION_NAME):
            self._refuse_late_command(ctx, args)
            args = ["run", *args]  # `run-pipeline -j 4 FILE`
        return super().parse_args(ctx, args)

    def _refuse_late_command(self, ctx: click.Context, args: list[str]) -> None:
        """`run-pipeline --json plan FILE`: say where the option belongs, instead of running a file called `plan`."""
        run = self.get_command(ctx, "run")
        flags = (
            {name for param in run.params if getattr(param, "is_flag", False) for name in param.opts} if run else set()
        )
        word = next((argument for argument in args if argument not in flags), "")
        if word in COMMANDS and not Path(word).is_file():
            options = " ".join(args[: args.index(word)])
            raise click.UsageError(f"options stand behind the command: run-pipeline {word} {options} ...", ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        first = args[0]
        command = self.get_command(ctx, first)
        if command is not None:
            return first, command, args[1:]
        if is_pipeline_file(first):
            return "run", self.get_command(ctx, "run"), args
        if ctx.resilient_parsing:  # completion asks about half a line
            return None, None, args
        raise click.UsageError(_unknown(first), ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:  # noqa: ARG002
        from click.shell_completion import CompletionItem

        commands = [CompletionItem(name, help=COMMANDS[name][1]) for name in COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(incomplete, type="file"), *commands]  # bash forgets what precedes a file

    def execute(self, arguments: Sequence[str]) -> int:
        """Run the command line; never raises, but for an exit that the shell's completion asks for."""
        if COMPLETE_VARIABLE in os.environ:
            from click.shell_completion import shell_complete

            return shell_complete(self, {}, NAME, COMPLETE_VARIABLE, os.environ[COMPLETE_VARIABLE])
        invocation = Invocation()
        try:
            return self._run(arguments, invocation)
        except (Exception, KeyboardInterrupt) as error:
            listener.hold()  # what is told is told once, and whole
            from runner.cli.failure import report_failure

            return report_failure(error, arguments, invocation.runs_dir)

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> Any:
        """What click's own tools call: as `execute`, then exit."""
        raise SystemExit(self.execute(list(args or ())))

    def _run(self, arguments: Sequence[str], invocation: Invocation) -> int:
        # click's own `main` takes any EPIPE, the engine's socket included, for a closed stdout and says nothing.
        try:
            with self.make_context(NAME, list(arguments), obj=invocation) as context:
                return int(self.invoke(context) or 0)
        except click.exceptions.Exit as finished:
            return finished.exit_code


def _unknown(name: str) -> str:
    if Path(name).is_dir():
        return _directory(Path(name))
    from runner.spec.names import did_you_mean

    hint = did_you_mean(name, COMMANDS) or f" (commands are {', '.join(COMMANDS)})"
    return f"no command and no file '{name}'{hint}"


def _directory(path: Path) -> str:
    files = sorted(file for file in path.iterdir() if file.suffix in FILE_SUFFIXES and file.is_file())
    named = [file for file in files if file.stem == "pipeline"] or files
    if len(named) == 1:
        return f"'{path}' is a directory; did you mean '{named[0]}'?"
    held = f"one of {', '.join(str(file) for file in named[:5])}" if named else "it holds none"
    return f"'{path}' is a directory; name a pipeline file ({held})"


@click.group(cls=Program, table=COMMANDS, context_settings=CONTEXT)
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
def program() -> None:
    """Run every step of a SageMaker pipeline in a local container before you deploy it."""
