"""What follows a step's end once it was told, since nothing that comes next needs to wait for it: its lesser records
are written, what it published is made durable, and the engine is asked, which may contradict the agent.

1. A step that the engine does not confirm does not stay passed: `result.json` is written again, and the run fails.
2. The same holds where what it published cannot be made durable.
3. Its outputs stay where they are, since other steps may be reading them. They are whole: every byte had arrived, and
   nothing but the agent was left in the container. No later run takes them, as the step did not pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runner.data.files import os_fault, write_json
from runner.data.publish import make_durable
from runner.engine.base import Container, Outcome, Verdict
from runner.engine.masking import hidden
from runner.errors import EnvironmentFault
from runner.pipeline.binding import Bound
from runner.pipeline.events import StepResult
from runner.pipeline.materials import Sources
from runner.pipeline.records import SCHEMA
from runner.pipeline.settle import findings_of, infrastructure, write_result

_HANDED_ON = "its outputs were whole, and steps that need them may have started; no later run takes them"


def confirmed(container: Container, outcome: Outcome) -> Outcome:
    """The last word on a container that ran. Nothing is worse than infrastructure, so of that nobody is asked."""
    if outcome.verdict is Verdict.INFRASTRUCTURE:
        return outcome
    try:
        return container.confirm()
    except EnvironmentFault as error:
        return dataclasses.replace(outcome, verdict=Verdict.INFRASTRUCTURE, exit_code=None, reason=str(error))


def made_durable(bound: Bound, told: StepResult, last: Outcome) -> Outcome:
    """The last word, with what the disk says of the outputs."""
    layout = bound.layout
    if told.verdict is not Verdict.PASSED or last.verdict is not Verdict.PASSED:
        return last
    try:
        make_durable(layout.outputs, layout.outputs_manifest)
    except OSError as error:
        fault = os_fault(error, layout.root, "cannot make the outputs durable")
        return dataclasses.replace(last, verdict=Verdict.INFRASTRUCTURE, reason=str(fault))
    return last


def record(bound: Bound, outcome: Outcome, sources: Sources) -> tuple[str, ...]:
    """Write into `inputs.json` how each input was made private, which is known when the script has ended, and the
    trace. Returns a warning for each that cannot be written: the step is none the worse for it."""
    layout = bound.layout
    files: list[tuple[Path, str, Callable[[], object]]] = []
    if outcome.private:
        private = dict(outcome.private)
        doing = "cannot write how the inputs were made private"
        files.append((layout.inputs_manifest, doing, lambda: bound.inputs_document(sources, private)))
    if outcome.trace is not None:
        trace = outcome.trace
        files.append((layout.trace, "cannot write the trace", lambda: _trace(bound, trace, outcome)))
    warnings = []
    for path, doing, document in files:
        try:
            write_json(path, document(), durable=False)
        except OSError as error:
            warnings.append(str(os_fault(error, path, doing)))
    return tuple(warnings)


def _trace(bound: Bound, trace: Mapping[str, Any], outcome: Outcome) -> object:
    found = findings_of(trace, bound.launch.job, passed=outcome.verdict is Verdict.PASSED)
    return hidden(bound.secrets, {"schema_version": SCHEMA, **trace, "findings": list(found)})


def amended(bound: Bound, told: StepResult, outcome: Outcome, last: Outcome, late: tuple[str, ...]) -> StepResult:
    """The result as the last word and the late warnings have it: `told` itself when nothing is new, else written
    again."""
    new = (*(text for text in last.warnings if text not in outcome.warnings), *late)
    if last.verdict is outcome.verdict and not new:
        return told
    if last.verdict is outcome.verdict:
        result = dataclasses.replace(told, warnings=(*told.warnings, *new))
    else:
        handed_on = (_HANDED_ON,) if told.outputs else ()
        result = dataclasses.replace(
            infrastructure(told, last.reason),
            exit_code=last.exit_code,
            signal=last.signal,
            hosts=last.hosts,
            failed_host=last.decided_by,
            warnings=(*told.warnings, *new, *handed_on),
        )
    return write_result(bound.layout, hidden(bound.secrets, result))
