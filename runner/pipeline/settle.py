"""From a container's end to a step's result: message, outputs, publication, `result.json`.

1. Outputs are published only after a passed verdict, and stay published only if `result.json` could be written.
2. What the disk or the engine does wrong makes the verdict infrastructure, never a fault of the script.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.data.files import foreign, os_fault, write_json
from runner.data.manifest import Manifest
from runner.data.publish import Judgement, judge, publish, withdraw
from runner.data.reading import Stopped, never
from runner.engine.base import Engine, Outcome, Verdict
from runner.errors import EnvironmentFault
from runner.pipeline.binding import Bound
from runner.pipeline.events import StepResult, StepState
from runner.pipeline.layout import StepLayout
from runner.pipeline.outbox import Log
from runner.pipeline.records import SCHEMA, plain
from runner.pipeline.rundir import moment, stamp
from runner.sagemaker import ExitMessage, exit_message, failure_reason
from runner.sagemaker.findings import findings

_STOPPED = "the run was stopped while the outputs were being read"
_NO_MESSAGE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}
_MESSAGE_LIMIT = 64 * 1024
"""Bytes read of a message file: far more than SageMaker looks at."""


def settle(
    engine: Engine,
    bound: Bound,
    outcome: Outcome,
    base: StepResult,
    logs: tuple[Log, ...],
    stopped: Callable[[], bool] = never,
) -> StepResult:
    """Judge, publish and write. `base` holds what is known of the container. Never raises for disk or engine.

    Once `stopped` says so, outputs that take long to read are read no further: the step is cancelled.
    """
    result = dataclasses.replace(
        base,
        state=StepState.PASSED if outcome.verdict is Verdict.PASSED else StepState.FAILED,
        verdict=outcome.verdict,
        reason=outcome.reason,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        **_times(outcome),
        warnings=(*base.warnings, *outcome.warnings, *_changed(bound), *_traced(bound, outcome)),
    )
    fault = next((os_fault(log.fault, log.path, "cannot write the log") for log in logs if log.fault), None)
    if fault is not None:
        result = infrastructure(result, str(fault))
    try:
        return _judged(engine, bound, result, stopped)
    except Stopped:
        return write_result(bound.layout, _failed(result, Verdict.CANCELLED, _STOPPED))
    except OSError as error:
        fault = os_fault(error, bound.layout.root, "cannot publish the outputs")
        return write_result(bound.layout, infrastructure(result, str(fault)))
    except EnvironmentFault as error:
        return write_result(bound.layout, infrastructure(result, str(error)))


def _times(outcome: Outcome) -> dict[str, Any]:
    """`started_at`, `finished_at` and `seconds` on one clock, the runner's, in milliseconds.

    The engine's own stamp of the end has other digits, and on another machine another clock: by it a step could end
    before it began. It counts only where the start is unknown.
    """
    length = round(outcome.seconds, 3)
    if outcome.started_at is not None and (start := moment(outcome.started_at)) is not None:
        return {"started_at": stamp(start), "finished_at": stamp(start + timedelta(seconds=length)), "seconds": length}
    end = moment(outcome.finished_at) if outcome.finished_at is not None else None
    finished = stamp(end) if end is not None else outcome.finished_at
    return {"started_at": outcome.started_at, "finished_at": finished, "seconds": length}


def _changed(bound: Bound) -> list[str]:
    return [text for seen in bound.watched if (text := seen.change()) is not None]


def _traced(bound: Bound, outcome: Outcome) -> tuple[str, ...]:
    """What the script's trace tells a person; the trace itself goes into `trace.json`."""
    if outcome.trace is None:
        return ()
    found = findings(outcome.trace, bound.launch.job, passed=outcome.verdict is Verdict.PASSED)
    try:
        write_json(bound.layout.trace, {"schema_version": SCHEMA, **outcome.trace, "findings": list(found)})
    except OSError as error:  # no verdict depends on a trace
        return (*found, str(os_fault(error, bound.layout.trace, "cannot write the trace")))
    return found


def infrastructure(result: StepResult, reason: str) -> StepResult:
    """The same step, as one about which nothing can be said."""
    return dataclasses.replace(
        result, state=StepState.FAILED, verdict=Verdict.INFRASTRUCTURE, reason=reason, outputs={}
    )


def write_result(layout: StepLayout, result: StepResult) -> StepResult:
    """Write `result.json`. If that cannot be, the result becomes infrastructure and lives on in `run.json` only."""
    try:
        write_json(layout.result, {"schema_version": SCHEMA, **plain(result)})
    except OSError as error:
        fault = str(os_fault(error, layout.result, "cannot write the result"))
        reason = f"{result.reason}; {fault}" if result.verdict is Verdict.INFRASTRUCTURE else fault
        return infrastructure(result, reason)
    return result


def _judged(engine: Engine, bound: Bound, result: StepResult, stopped: Callable[[], bool]) -> StepResult:
    left = [bound.layout.attempt, *(folder.host for folder in bound.launch.config)]
    if any(foreign(folder) for folder in left if folder.is_dir()):
        engine.reclaim(left, bound.launch.image)
    message = _read_message(bound)
    result = dataclasses.replace(result, exit_message=message.text if message is not None else None)
    if result.verdict is not Verdict.PASSED:
        return write_result(bound.layout, result)
    if message is not None and not message.valid:
        return write_result(bound.layout, _failed(result, Verdict.INVALID_OUTPUT, _not_utf8(bound)))
    judgement = judge(bound.launch.job.outputs, bound.launch.outputs, stopped)
    result = dataclasses.replace(result, warnings=(*result.warnings, *judgement.warnings))
    if judgement.verdict is not Verdict.PASSED:
        return write_result(bound.layout, _failed(result, judgement.verdict, judgement.reason))
    return _published(bound.layout, result, judgement, stopped)


def _published(layout: StepLayout, result: StepResult, judgement: Judgement, stopped: Callable[[], bool]) -> StepResult:
    manifests = publish(judgement.outputs, layout.outputs, layout.outputs_manifest, stopped)
    outputs = {name: _summary(result, name, manifest) for name, manifest in manifests.items()}
    written = write_result(layout, dataclasses.replace(result, outputs=outputs))
    if written.verdict is not Verdict.PASSED:
        withdraw(judgement.outputs, layout.outputs, layout.outputs_manifest)
    return written


def _summary(result: StepResult, name: str, manifest: Manifest) -> dict[str, object]:
    return {"path": f"{result.directory}/outputs/{name}", **manifest.summary()}


def _failed(result: StepResult, verdict: Verdict, reason: str) -> StepResult:
    return dataclasses.replace(result, state=StepState.FAILED, verdict=verdict, reason=reason)


def _not_utf8(bound: Bound) -> str:
    return f"{bound.launch.job.exit_message} is not UTF-8: SageMaker fails such a job"


def _read_message(bound: Bound) -> ExitMessage | None:
    raw = _read_regular(bound.message) if bound.message is not None else None
    if raw is None:
        return None
    return failure_reason(raw) if bound.launch.job.step_type == "training" else exit_message(raw)


def _read_regular(path: Path) -> bytes | None:
    """The beginning of a file that a script left; None for anything else. A symlink would name a file of the host's,
    and a FIFO would never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NO_MESSAGE:
            return None
        raise
    try:
        return os.read(descriptor, _MESSAGE_LIMIT) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)
