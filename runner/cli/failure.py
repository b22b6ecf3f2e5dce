"""How an exception becomes a message with a remedy, and the exit code of the one table in `runner.errors`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import click

from runner import __version__
from runner.cli.output import note, say_json
from runner.cli.signals import Stop
from runner.cli.unwritable import Unwritable
from runner.errors import InternalError, Interrupted, RunnerError, SpecError, UsageError


def report_failure(error: BaseException, arguments: Sequence[str], runs_dir: Path | None) -> int:
    """Say what happened, on stderr or with `--json` as the one document on stdout; returns the exit code.

    The traceback of an internal error is saved in `runs_dir` when there is one.
    """
    known = as_known(error, runs_dir)
    as_json = asks_for_json(arguments) and not isinstance(known, Unwritable)
    try:
        _tell(known, as_json=as_json)
    except Unwritable as fault:
        note(f"{text(fault)}\n{text(known)}")
    return known.code if isinstance(known, Interrupted) else known.exit_code


def _tell(error: RunnerError, *, as_json: bool) -> None:
    if as_json:
        from runner.report.document import error_document

        say_json(error_document(error))
    else:
        note(text(error))


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Read from the words themselves: the answer is needed also when they could not be parsed."""
    before = list(arguments)[: list(arguments).index("--")] if "--" in arguments else list(arguments)
    return "--json" in before or "--output-format=json" in before or ("--output-format", "json") in pairwise(before)


def text(error: RunnerError) -> str:
    # The problems of a file begin with their place, so that editors and CI find them: no prefix.
    first = error.message if isinstance(error, SpecError) else f"run-pipeline: {error.message}"
    return f"{first}\n{error.remedy}" if error.remedy else first


def as_known(error: BaseException, runs_dir: Path | None = None) -> RunnerError:
    """The same as an error of our tree; saves the traceback of one that is a fault of this tool."""
    if isinstance(error, RunnerError) and not isinstance(error, InternalError):
        return error
    if isinstance(error, click.ClickException):
        return _from_click(error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Interrupted(error.signum if isinstance(error, Stop) else signal.SIGINT)
    return _internal(error, runs_dir)


def _from_click(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    remedy = f"Try '{context.command_path if context else 'run-pipeline'} --help'."
    return UsageError(error.format_message().removesuffix("."), remedy=remedy)


def _internal(error: BaseException, runs_dir: Path | None) -> InternalError:
    what = error.message if isinstance(error, InternalError) else f"{type(error).__name__}: {error}"
    head = f"internal error: {what}"
    trace = "".join(traceback.format_exception(error))
    facts = f"run-pipeline {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    saved = _save(facts + trace, runs_dir)
    if saved is None:
        remedy = "The traceback could be saved nowhere; it is above: please report it."
        return InternalError(f"{head}\n{trace}", remedy=remedy)
    remedy = f"This is a fault of run-pipeline, not of your pipeline. The traceback is in {saved}: please report it."
    return InternalError(head, remedy=remedy)


def _save(trace: str, runs_dir: Path | None) -> Path | None:
    """Write the traceback where the runs are, else in the temp directory; None when neither can be written."""
    name = f"internal-error-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    for directory in (runs_dir, Path(tempfile.gettempdir())):
        if directory is None or not directory.is_dir():
            continue
        try:
            (directory / name).write_text(trace, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue  # the next place; the last resort is to print it
        return directory / name
    return None
