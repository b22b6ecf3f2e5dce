"""`--junit FILE`: the report that CI reads, also where no run began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.output import note
from runner.cli.signals import listener

if TYPE_CHECKING:
    from runner.report.junit import JUnitFile


@contextmanager
def junit_file(path: Path | None, name: str) -> Iterator[JUnitFile | None]:
    """The report that `--junit` asks for; it also tells why no run began. Raises WorkspaceError."""
    if path is None:
        yield None
        return
    from runner.report.junit import JUnitFile

    report = JUnitFile(path)
    try:
        yield report
    except (Exception, KeyboardInterrupt) as error:
        listener.hold()
        _tell(report, error, name)
        raise


def _tell(report: JUnitFile, error: BaseException, name: str) -> None:
    from runner.errors import WorkspaceError

    try:
        report.fail(error, name)
    except WorkspaceError as fault:  # the error itself is what the exit code tells of
        note(f"run-pipeline: {fault.message}")
