"""From a container's end to a step's result: message, outputs, publication, `result.json`.

1. Outputs are published only after a passed verdict, and stay published only if `result.json` could be written.
2. What the disk or the engine does wrong makes the verdict infrastructure, never a fault of the script.
3. Whatever words a result is made of, none holds a secret of the credentials that the step was given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from runner.data.files import foreign, os_fault, write_json
from runner.data.manifest import Manifest
from runner.data.publish import Judgement, judge, publish, withdraw
from runner.data.reading import Stopped, Unfit, never
from runner.engine.base import Engine, Outcome, Verdict
from runner.engine.masking import hidden
from runner.engine.trees import holds_something
from runner.errors import EnvironmentFault
from runner.pipeline import hosts
from runner.pipeline.binding import Bound
from runner.pipeline.events import StepResult, StepState
from runner.pipeline.layout import StepLayout
from runner.pipeline.outbox import Log
from runner.pipeline.records import SCHEMA, plain
from runner.pipeline.rundir import moment, stamp
from runner.sagemaker import ExitMessage
from runner.sagemaker.findings import findings
from runner.sagemaker.job import ContainerJob

_STOPPED = "stopped while its outputs were being read"


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
        hosts=outcome.hosts,
        failed_host=outcome.decided_by,
        warnings=(*base.warnings, *outcome.warnings, *_changed(bound), *_traced(bound, outcome)),
    )
    fault = next((os_fault(log.fault, log.path, "cannot write the log") for log in logs if log.fault), None)
    if fault is not None:
        result = infrastructure(result, fault)
    try:
        return _judged(engine, bound, outcome, result, stopped)
    except Stopped:
        return _write(bound, _failed(result, Verdict.CANCELLED, _STOPPED))
    except OSError as error:
        fault = os_fault(error, bound.layout.root, "cannot publish the outputs")
        return _write(bound, infrastructure(result, fault))
    except EnvironmentFault as error:
        return _write(bound, infrastructure(result, error))


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
    """What the script's trace tells a person."""
    if outcome.trace is None:
        return ()
    return findings_of(outcome.trace, bound.launch.job, passed=outcome.verdict is Verdict.PASSED)


def findings_of(trace: Mapping[str, Any], job: ContainerJob, *, passed: bool) -> tuple[str, ...]:
    """Of several instances each sentence has its host."""
    if "hosts" not in trace:
        return findings(trace, job, passed=passed)
    return tuple(
        f"{host}: {text}" for host, own in trace["hosts"].items() for text in findings(own, job, passed=passed)
    )


def infrastructure(result: StepResult, cause: EnvironmentFault | str) -> StepResult:
    """The same step, as one about which nothing can be said. What to do against the cause is a warning."""
    remedy = cause.remedy if isinstance(cause, EnvironmentFault) else ""
    return dataclasses.replace(
        result,
        state=StepState.FAILED,
        verdict=Verdict.INFRASTRUCTURE,
        reason=str(cause),
        outputs={},
        warnings=(*result.warnings, *([remedy] if remedy else [])),
    )


def write_result(layout: StepLayout, result: StepResult) -> StepResult:
    """Write `result.json`. If that cannot be, the result becomes infrastructure and lives on in `run.json` only."""
    try:
        if result.state is not StepState.PASSED:
            result = dataclasses.replace(result, partial=_partial(layout, result))
        write_json(layout.result, {"schema_version": SCHEMA, **plain(result)})
    except OSError as error:
        fault = os_fault(error, layout.result, "cannot write the result")
        failed = infrastructure(result, fault)
        again = result.verdict is Verdict.INFRASTRUCTURE
        return dataclasses.replace(failed, reason=f"{result.reason}; {fault}") if again else failed
    return result


def _partial(layout: StepLayout, result: StepResult) -> dict[str, str]:
    """What the step had written when it failed. SageMaker exports a training job's artifacts then, too; here they stay
    where they are, unpacked."""
    attempts = {"": layout.attempt, **{f"{host.root.name}/": host.attempt for host in layout.each_host()}}
    return {
        f"{whose}{folder.name}": f"{result.directory}/{folder.relative_to(layout.root)}"
        for whose, attempt in attempts.items()
        if attempt.is_dir()
        for folder in sorted(attempt.iterdir())
        if holds_something(folder)
    }


def _write(bound: Bound, result: StepResult) -> StepResult:
    return write_result(bound.layout, hidden(bound.secrets, result))


def _judged(
    engine: Engine, bound: Bound, outcome: Outcome, result: StepResult, stopped: Callable[[], bool]
) -> StepResult:
    kept = (folder.host for folder in bound.launch.kept)
    left = [bound.layout.attempt, *hosts.folders(bound.launch), *kept]
    if any(foreign(folder) for folder in left if folder.is_dir()):
        engine.reclaim(left, bound.launch.image)
    hosts.mask_messages(bound.launch, bound.messages)
    message = hosts.message(bound.launch, bound.messages, result.failed_host)
    result = dataclasses.replace(result, exit_message=message.text if message is not None else None)
    if result.verdict is not Verdict.PASSED:
        from runner.pipeline.diagnosing import with_diagnosis  # a run in which all passes does not load it

        return _write(bound, with_diagnosis(bound, outcome, result))
    if message is not None and not message.valid:
        return _write(bound, _failed(result, Verdict.INVALID_OUTPUT, _not_utf8(bound, message)))
    try:
        result = dataclasses.replace(result, warnings=(*result.warnings, *hosts.unite_outputs(bound.launch, stopped)))
    except Unfit as error:
        return _write(bound, _failed(result, Verdict.INVALID_OUTPUT, str(error)))
    judgement = judge(bound.launch.job.outputs, bound.launch.outputs, stopped)
    result = dataclasses.replace(result, warnings=(*result.warnings, *judgement.warnings))
    if judgement.verdict is not Verdict.PASSED:
        return _write(bound, _failed(result, judgement.verdict, judgement.reason))
    return _published(bound, result, judgement, stopped)


def _published(bound: Bound, result: StepResult, judgement: Judgement, stopped: Callable[[], bool]) -> StepResult:
    layout = bound.layout
    manifests = publish(judgement.outputs, layout.outputs, layout.outputs_manifest, stopped)
    outputs = {name: _summary(result, name, manifest) for name, manifest in manifests.items()}
    written = _write(bound, dataclasses.replace(result, outputs=outputs))
    if written.verdict is not Verdict.PASSED:
        withdraw(judgement.outputs, layout.outputs, layout.outputs_manifest)
    return written


def _summary(result: StepResult, name: str, manifest: Manifest) -> dict[str, object]:
    return {"path": f"{result.directory}/outputs/{name}", **manifest.summary()}


def _failed(result: StepResult, verdict: Verdict, reason: str) -> StepResult:
    return dataclasses.replace(result, state=StepState.FAILED, verdict=verdict, reason=reason)


def _not_utf8(bound: Bound, message: ExitMessage) -> str:
    return f"{bound.launch.job.exit_message}: {message.fault}, and SageMaker fails such a job; write it as UTF-8"
