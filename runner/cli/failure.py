"""How an exception becomes a message with a remedy, and the exit code of the one table in `runner.errors`."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from runner import __version__
from runner.cli.output import note, say_json
from runner.errors import EXIT_INTERNAL, EXIT_USAGE, InternalError, Interrupted, Problem, RunnerError, SpecError

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said about an exception. `kind` is a name of the tree in `runner.errors`."""

    kind: str
    message: str
    remedy: str
    exit_code: int
    problems: tuple[Problem, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON document that `--json` prints in place of a result."""
        error = {"kind": self.kind, "message": self.message, "remedy": self.remedy, "exit_code": self.exit_code}
        if self.problems:
            error["problems"] = [asdict(problem) for problem in self.problems]
        return {"schema_version": SCHEMA_VERSION, "error": error}

    def text(self) -> str:
        # The problems of a file begin with their place, so that editors and CI find them: no prefix.
        first = self.message if self.problems else f"run-pipeline: {self.message}"
        return f"{first}\n{self.remedy}" if self.remedy else first


def report_failure(error: BaseException, arguments: Sequence[str], runs_dir: Path | None) -> int:
    """Say what happened, on stderr or with `--json` as the one document on stdout; returns the exit code.

    The traceback of an internal error is saved in `runs_dir` when there is one.
    """
    failure = explain(error, runs_dir)
    if asks_for_json(arguments):
        say_json(failure.document())
    else:
        note(failure.text())
    return failure.exit_code


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Read from the words themselves: the answer is needed also when they could not be parsed."""
    before = list(arguments)[: list(arguments).index("--")] if "--" in arguments else arguments
    return "--json" in before


def explain(error: BaseException, runs_dir: Path | None = None) -> Failure:
    if isinstance(error, Interrupted):
        return Failure("Interrupted", error.message, error.remedy, error.code)
    if isinstance(error, RunnerError) and not isinstance(error, InternalError):
        problems = error.problems if isinstance(error, SpecError) else ()
        return Failure(type(error).__name__, error.message, error.remedy, error.exit_code, problems)
    if isinstance(error, click.ClickException):
        return _explain_click(error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Failure("Interrupted", "stopped by SIGINT", "", 130)
    return _explain_internal(error, runs_dir)


def _explain_click(error: click.ClickException) -> Failure:
    remedy = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        remedy = f"Try '{error.ctx.command_path} --help'."
    return Failure("UsageError", error.format_message().removesuffix("."), remedy, EXIT_USAGE)


def _explain_internal(error: BaseException, runs_dir: Path | None) -> Failure:
    head = f"internal error: {type(error).__name__}: {error}"
    text = "".join(traceback.format_exception(error))
    facts = f"run-pipeline {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    saved = _save(facts + text, runs_dir)
    if saved is None:
        remedy = "The traceback could be saved nowhere; it is above: please report it."
        return Failure("InternalError", f"{head}\n{text}", remedy, EXIT_INTERNAL)
    remedy = f"This is a fault of run-pipeline, not of your pipeline. The traceback is in {saved}: please report it."
    return Failure("InternalError", head, remedy, EXIT_INTERNAL)


def _save(text: str, runs_dir: Path | None) -> Path | None:
    """Write the traceback where the runs are, else in the temp directory; None when neither can be written."""
    name = f"internal-error-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    for directory in (runs_dir, Path(tempfile.gettempdir())):
        if directory is None or not directory.is_dir():
            continue
        try:
            (directory / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue  # the next place; the last resort is to print it
        return directory / name
    return None
