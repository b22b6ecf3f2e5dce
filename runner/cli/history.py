"""`runs`, `show` and `logs`: what past runs left, read from their directories; no engine is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import color_option, command, complete_runs, json_option, run_argument, runs_dir_option
from runner.cli.output import say, say_bytes, say_json, wants_color

if TYPE_CHECKING:
    from runner.pipeline.store import RunRecord
    from runner.report.style import Style

CHUNK = 1 << 20
"""Bytes of a log held in memory at once."""


@command("run-pipeline runs\nrun-pipeline runs --json --runs-dir /data/runs")
@color_option
@json_option
@runs_dir_option
def runs(color: str, as_json: bool, runs_dir: Path) -> None:
    """List past runs, the newest last."""
    from runner.pipeline.store import list_runs
    from runner.report.document import SCHEMA_VERSION

    records = list_runs(runs_dir)
    if as_json:
        say_json({"schema_version": SCHEMA_VERSION, "runs": [_facts(record) for record in records]})
    elif records:
        say("\n".join(_table(records, _style(color))))
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
    from runner.report.document import SCHEMA_VERSION, step_document

    record = find_run(runs_dir, run)
    if as_json:
        steps = [step_document(result) for result in record.results]
        say_json({"schema_version": SCHEMA_VERSION, **_facts(record), "steps": steps, "error": None})
    else:
        say(_text(record, _style(color)))


@command("run-pipeline logs latest Train\nrun-pipeline logs 20261120T192000Z-ab12cd Train --stderr | less")
@click.argument("run", shell_complete=complete_runs)
@click.argument("step")
@click.option("--stdout", "only", flag_value="stdout", type=str, help="Only what it wrote to stdout.")
@click.option("--stderr", "only", flag_value="stderr", type=str, help="Only what it wrote to stderr.")
@runs_dir_option
def logs(run: str, step: str, only: str | None, runs_dir: Path) -> None:
    """Print what STEP wrote in RUN (a run's name, the beginning of one, or `latest`), byte for byte.

    Its stdout goes to stdout and its stderr to stderr, unless one of them is chosen: that one goes to stdout.
    """
    from runner.errors import UsageError
    from runner.pipeline.store import find_run

    record = find_run(runs_dir, run)
    result = record.result(step)
    files = record.layout.step(step)
    if not files.stdout.exists() and not files.stderr.exists():
        raise UsageError(f"step '{step}' of run {record.run_id} wrote no logs: it is {result.state}. {result.reason}")
    if only != "stderr":
        _copy(files.stdout, 1)
    if only != "stdout":
        _copy(files.stderr, 1 if only else 2)


def _copy(path: Path, descriptor: int) -> None:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            say_bytes(chunk, descriptor)


def _style(color: str) -> Style:
    from runner.report.style import Style

    return Style.of(sys.stdout, color=wants_color(color, sys.stdout))


def _facts(record: RunRecord) -> dict[str, Any]:
    """A run in JSON, under the names that `run --json` uses."""
    return {
        "run_id": record.run_id,
        "run_dir": str(record.directory),
        "pipeline": record.pipeline,
        "file": record.file,
        "status": record.status,
        "exit_code": record.exit_code,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "seconds": record.seconds,
    }


def _table(records: list[RunRecord], style: Style) -> list[str]:
    from runner.report.summary import counts
    from runner.report.text import seconds, table

    lines = [("RUN", "PIPELINE", "STATUS", "TIME", "STEPS")]
    for record in records:
        taken = seconds(record.seconds) if record.finished_at else "-"
        lines.append((record.run_id, record.pipeline or "?", record.status, taken, counts(record.results)))
    head, *rows = table(lines, right=frozenset({3}))
    return [style.paint(head, "bold"), *rows]


def _text(record: RunRecord, style: Style) -> str:
    from runner.pipeline.events import StepState
    from runner.report.failure import describe, shown_path
    from runner.report.summary import rows
    from runner.report.text import seconds

    code = "" if record.exit_code is None else f", exit code {record.exit_code}"
    taken = f" after {seconds(record.seconds)}" if record.finished_at else ""
    facts = [
        ("pipeline", f"{record.pipeline or '?'}  ({record.file or 'file not known'})"),
        ("started", record.started_at or "?"),
        ("status", f"{record.status}{taken}{code}"),
        ("files", shown_path(record.directory)),
    ]
    parts = [style.paint(f"run {record.run_id}", "bold"), *(f"  {name:<9} {value}" for name, value in facts), ""]
    parts += rows(record.results, style)
    failed = [result for result in record.results if result.state is StepState.FAILED]
    return "\n".join(parts + [f"\n{describe(result, record.directory, style)}" for result in failed])
