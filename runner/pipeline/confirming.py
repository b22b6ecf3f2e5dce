"""The second look at a step whose end was told on the agent's word alone: the engine is asked, and may contradict it.

1. A step that the engine does not confirm does not stay passed: `result.json` is written again, and the run fails.
2. Its outputs stay where they are, since other steps may be reading them. They are whole: every byte had arrived, and
   nothing but the agent was left in the container. No later run takes them, as the step did not pass.
"""

from __future__ import annotations

import dataclasses

from runner.engine.base import Container, Outcome, Verdict
from runner.engine.masking import hidden
from runner.errors import EnvironmentFault
from runner.pipeline.binding import Bound
from runner.pipeline.events import StepResult
from runner.pipeline.settle import infrastructure, write_result

_HANDED_ON = "its outputs were whole, and steps that need them may have started; no later run takes them"


def confirmed(container: Container, outcome: Outcome) -> Outcome:
    """The last word on a container that ran. Nothing is worse than infrastructure, so of that nobody is asked."""
    if outcome.verdict is Verdict.INFRASTRUCTURE:
        return outcome
    try:
        return container.confirm()
    except EnvironmentFault as error:
        return dataclasses.replace(outcome, verdict=Verdict.INFRASTRUCTURE, exit_code=None, reason=str(error))


def amended(bound: Bound, told: StepResult, outcome: Outcome, last: Outcome) -> StepResult:
    """The result as the last word has it: `told` itself when nothing is new, else written again."""
    new = tuple(text for text in last.warnings if text not in outcome.warnings)
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
