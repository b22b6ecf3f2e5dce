"""A failed step's result with its diagnosis. It changes no verdict and raises nothing; a fault of its own is told."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from runner.data.diagnoses import Diagnosis
from runner.data.diagnosis import Failure, diagnose
from runner.data.files import printable
from runner.data.tables import FileSchema
from runner.data.tracebacks import last_exception, tail_of
from runner.engine.base import Launch, Outcome, Verdict
from runner.pipeline.binding import Bound
from runner.pipeline.events import StepResult

_OF_THE_SCRIPT = (Verdict.EXIT, Verdict.OOM, Verdict.TIMEOUT)
_LISTED = 2000
"""Entries of an input that are listed."""


def with_diagnosis(bound: Bound, outcome: Outcome, result: StepResult) -> StepResult:
    """The same result, with why it failed where the script is at fault. Never raises."""
    try:
        found = _diagnosis(bound, outcome, result)
    except Exception as error:  # whatever it is, the verdict stands
        words = f"why it failed could not be found out: {type(error).__name__}: {printable(str(error))}"
        return dataclasses.replace(result, warnings=(*result.warnings, f"{words} (a fault of run-pipeline)"))
    return dataclasses.replace(result, diagnosis=found)


def _diagnosis(bound: Bound, outcome: Outcome, result: StepResult) -> Diagnosis | None:
    if result.verdict not in (*_OF_THE_SCRIPT, Verdict.TRANSFORM):
        return None
    log = _log(bound, result.failed_host)
    if result.verdict is Verdict.TRANSFORM and last_exception(log) is None:
        return None  # the reason says what the server did, and nothing says why
    launch = next((each for each in bound.launch.members if each.job.hostname == result.failed_host), bound.launch)
    folders = {item.name: item.host for item in launch.inputs}
    failure = Failure(
        job=launch.job,
        verdict=result.verdict,
        exit_code=result.exit_code,
        reason=result.reason,
        log=log,
        trace=_trace(outcome, result.failed_host),
        schemas=_schemas(launch),
        files=lambda name: tuple(_entries(folders[name])),
    )
    return diagnose(failure)  # `settle` masks secrets in every word of a result, these too


def _log(bound: Bound, host: str) -> bytes:
    """The end of stderr; of stdout where that has the exception, as some scripts log to it. Raises OSError."""
    own = bound.layout.host(host)
    layout = (
        own if host and own.stderr.exists() else bound.layout
    )  # else its lines stand in the step's, behind its name
    stderr = tail_of(layout.stderr)
    if last_exception(stderr) is None and last_exception(stdout := tail_of(layout.stdout)) is not None:
        return stdout
    return stderr


def _trace(outcome: Outcome, host: str) -> dict[str, object] | None:
    if outcome.trace is None:
        return None
    hosts = outcome.trace.get("hosts")
    return dict(hosts.get(host, {}) if hosts is not None else outcome.trace)


def _schemas(launch: Launch) -> Callable[[str], Sequence[FileSchema]]:
    folders = {item.name: item.host for item in launch.inputs}

    @cache
    def of(name: str) -> Sequence[FileSchema]:
        from runner.data.formats import describe_tree

        return describe_tree(folders[name])

    return of


def _entries(root: Path) -> Iterator[str]:
    """What lies in an input, as `Failure.files` wants it: bounded, sorted within each directory, links not followed."""
    left = _LISTED
    for directory, folders, files in os.walk(root):
        folders.sort()
        below = Path(directory).relative_to(root)
        for name in [*sorted(files), *(f"{folder}/" for folder in folders)]:
            if left == 0:
                return
            left -= 1
            yield printable(below / name) + ("/" if name.endswith("/") else "")
