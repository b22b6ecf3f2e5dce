"""Where a run stands, kept from its events: what the live board draws. No I/O; time comes in as seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.pipeline.events import Event, RunStarted, StepFinished, StepOutput, StepResult, StepStarted
from runner.report.failure import needs_words
from runner.report.text import one_line

HELD = 400
"""Bytes of a step's newest output that are kept for its row."""


@dataclass(slots=True)
class Running:
    """A step that runs now."""

    since: float
    held: bytes = b""

    @property
    def words(self) -> str:
        """The newest line that the step wrote, cleaned."""
        lines = self.held.replace(b"\r", b"\n").decode("utf-8", "replace").splitlines()
        return next((line for text in reversed(lines) if (line := one_line(text))), "")


@dataclass(slots=True)
class Progress:
    """The sum of the events so far. Steps are in execution order."""

    pipeline: str = ""
    since: float = 0.0
    steps: tuple[str, ...] = ()
    running: dict[str, Running] = field(default_factory=dict)
    results: dict[str, StepResult] = field(default_factory=dict)

    def take(self, event: Event, now: float) -> None:
        if isinstance(event, RunStarted):
            self.pipeline, self.steps, self.since = event.pipeline, event.steps, now
        elif isinstance(event, StepStarted):
            self.running[event.step] = Running(now)
        elif isinstance(event, StepOutput) and event.step in self.running:
            step = self.running[event.step]
            # A chunk may be large: only its end can matter.
            step.held = (step.held + event.data[-HELD:])[-HELD:]
        elif isinstance(event, StepFinished):
            self.running.pop(event.result.step, None)
            self.results[event.result.step] = event.result

    def waiting(self) -> Iterator[str]:
        """Steps that have neither started nor ended."""
        return (step for step in self.steps if step not in self.running and step not in self.results)

    def failed(self) -> list[str]:
        """Steps that failed, and not because the user stopped the run."""
        return [step for step, result in self.results.items() if needs_words(result)]
