"""`debug`: a shell where a step failed: its image, mounts, environment and working directory."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import command, complete_runs, runs_dir_option
from runner.cli.output import note

if TYPE_CHECKING:
    from runner.pipeline.store import RunRecord


@command("run-pipeline debug Train\nrun-pipeline debug Train --run 20261120T192000Z-ab12cd --command 'ls -lR /opt/ml'")
@click.argument("step")
@click.option("--run", default="latest", show_default=True, help="A run's name.", shell_complete=complete_runs)
@click.option("--command", "line", metavar="CMD", help="Run this in a shell there, instead of opening one.")
@runs_dir_option
def debug(step: str, run: str, line: str | None, runs_dir: Path) -> None:
    """Open a shell where STEP failed: same image, mounts, environment and working directory.

    The command that failed is shown, to be repeated there. Inputs are copies: nothing of the run changes. What is
    written to the outputs is kept, in a directory that is named at the end. The exit code is the shell's, or CMD's.
    """
    if line is not None and not line.strip():
        raise click.UsageError("--command is empty: give it a command, or leave it out to open a shell")
    from runner.pipeline.store import find_run

    record = find_run(runs_dir, run)
    script = _script(record, step)
    if line is None:
        _need_terminal(record, step)
        note(_greeting(record, step))
    else:
        _be_stdin(f"{line}\n".encode("utf-8", "surrogateescape"))
    # No process of ours stays between the terminal and the shell: signals and the exit status are its own.
    os.execvp("bash", ["bash", str(script)])  # noqa: S606


def _script(record: RunRecord, step: str) -> Path:
    """The run's `shell.sh`. Raises UsageError for a step without a container, EnvironmentFault without `docker`."""
    from runner.errors import EnvironmentFault, UsageError

    result = record.result(step)
    layout = record.layout.step(step)
    script = (layout.host(result.failed_host) if result.failed_host else layout).shell
    if result.cached is not None:
        raise UsageError(
            f"step '{step}' of run {record.run_id} had no container: its result was in the cache",
            remedy=f"its container was in run {result.cached.run}: `run-pipeline debug {result.cached.step} "
            f"--run {result.cached.run}`, or run it again with `--force {step}`",
        )
    if not script.is_file():
        why = f": {result.reason}" if result.reason else ""
        raise UsageError(
            f"step '{step}' of run {record.run_id} never had a container ({result.state}{why})",
            remedy=f"steps that had one: {', '.join(_with_shell(record)) or 'none'}",
        )
    if shutil.which("docker") is None:
        raise EnvironmentFault(
            "the `docker` command is not on the PATH; debug uses it to open the shell",
            remedy="install Docker's command line (on Debian: `sudo apt-get install docker.io`)",
        )
    return script


def _with_shell(record: RunRecord) -> list[str]:
    return [step for step in record.steps if record.layout.step(step).shell.is_file()]


def _need_terminal(record: RunRecord, step: str) -> None:
    from runner.errors import UsageError
    from runner.report.failure import command as shown

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        line = shown("debug", record.directory, step, "--run", record.run_id, "--command", "ls -lR /opt/ml")
        raise UsageError(
            "a shell needs a terminal, and stdin or stdout is none", remedy=f"run one command instead: {line}"
        )


def _greeting(record: RunRecord, step: str) -> str:
    from runner.report.failure import headline

    return f"{headline(record.result(step))}\n`exit` leaves the shell; changes to inputs are private to it"


def _be_stdin(data: bytes) -> None:
    """Let the process read `data` as its stdin, and then the end of file."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        os.dup2(file.fileno(), 0)
