"""`runs`, `show` and `logs`: what past runs left, read from their directories; no engine is asked."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import color_option, command, complete_runs, json_option, run_argument, runs_dir_option
from runner.cli.output import say, say_bytes, say_json, style_of_stdout

CHUNK = 1 << 20
"""Bytes of a log held in memory at once."""


@command("run-pipeline runs\nrun-pipeline runs --json --runs-dir /data/runs")
@color_option
@json_option
@runs_dir_option
def runs(color: str, as_json: bool, runs_dir: Path) -> None:
    """List past runs, the newest first."""
    from runner.pipeline.store import list_runs
    from runner.report import history

    records = list_runs(runs_dir)
    if as_json:
        say_json(history.runs_document(records))
    elif records:
        say(history.runs_text(records, style_of_stdout(color)))
    else:
        say(f"no runs in {runs_dir}")


@command("run-pipeline show\nrun-pipeline show 20261120T192000Z-ab12cd --json")
@run_argument
@color_option
@json_option
@runs_dir_option
def show(run: str, color: str, as_json: bool, runs_dir: Path) -> None:
    """Show one run, step by step. RUN is a run's name, the beginning of one, or `latest` (the default)."""
    from runner.pipeline.store import find_run
    from runner.report import history

    record = find_run(runs_dir, run)
    if as_json:
        say_json(history.run_document(record))
    else:
        say(history.run_text(record, style_of_stdout(color)))


@command("run-pipeline logs latest Train\nrun-pipeline logs 20261120T192000Z-ab12cd Train --stderr | less")
@click.argument("run", shell_complete=complete_runs)
@click.argument("step")
@click.option("--stdout", "only_stdout", is_flag=True, help="Only what it wrote to stdout.")
@click.option("--stderr", "only_stderr", is_flag=True, help="Only what it wrote to stderr.")
@runs_dir_option
def logs(run: str, step: str, only_stdout: bool, only_stderr: bool, runs_dir: Path) -> None:
    """Print what STEP wrote in RUN (a run's name, the beginning of one, or `latest`), byte for byte.

    Its stdout goes to stdout and its stderr to stderr, unless one of them is chosen: that one goes to stdout.
    """
    if only_stdout and only_stderr:
        raise click.UsageError("--stdout and --stderr exclude each other: leave both out to get both")
    from runner.errors import UsageError
    from runner.pipeline.store import find_run

    record = find_run(runs_dir, run)
    result = record.result(step)
    files = record.layout.step(step)
    if not files.stdout.exists() and not files.stderr.exists():
        from runner.report.failure import words
        from runner.report.style import outcome

        state = ": ".join(filter(None, [outcome(result), words(result)]))
        raise UsageError(f"step '{step}' of run {record.run_id} wrote no logs: it is {state}")
    if not only_stderr:
        _copy(files.stdout, 1)
    if not only_stdout:
        _copy(files.stderr, 1 if only_stderr else 2)


def _copy(path: Path, descriptor: int) -> None:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            say_bytes(chunk, descriptor)
