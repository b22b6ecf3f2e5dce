"""What happens in a run, as values: every reporter and `events.jsonl` are made from this one stream."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from runner.data.diagnoses import Diagnosis
from runner.engine.base import HostOutcome, Verdict
from runner.errors import Problem


class StepState(enum.StrEnum):
    """Where a step stands. The last four are final, and the first two of them say that it ran."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    """Never started: a step that it needs failed."""
    CANCELLED = "cancelled"
    """Never started: the run was stopped first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """Where the result of a step that did not run comes from."""

    run: str
    step: str
    """Its name in that run."""
    at: str
    """When it ended there; UTC, ISO 8601."""
    seconds: float
    """That it took there."""
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The whole truth about one step; `result.json` holds exactly this."""

    step: str
    state: StepState
    verdict: Verdict | None
    """None when it never started."""
    reason: str
    """In words, for a person."""
    exit_code: int | None = None
    signal: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    """Both UTC, ISO 8601 with milliseconds. After a start it is `started_at` plus `seconds`: the runner's clock."""
    seconds: float = 0.0
    """Seconds from go to exit as the runner saw it, to the millisecond: without preparation before and removal after,
    with what Docker takes to start a container that was not staged, and to hand over the last output."""
    image: str = ""
    image_id: str = ""
    container_id: str = ""
    mode: str = ""
    exit_message: str | None = None
    """What the script left in /opt/ml/output/message (processing) or /opt/ml/output/failure (training)."""
    blocked_by: tuple[str, ...] = ()
    outputs: dict[str, dict[str, object]] = field(default_factory=dict)
    """By output name: `path` (relative to the run directory), `files`, `bytes`, `digest`."""
    partial: dict[str, str] = field(default_factory=dict)
    """Of a step that failed, by output name: the directory (relative to the run directory) of what it had written; of
    several instances by host and output, as `algo-1/model`. Nothing consumes it; it is for the person who debugs."""
    directory: str = ""
    """The step's directory, relative to the run directory; empty when it never started."""
    warnings: tuple[str, ...] = ()
    hosts: tuple[HostOutcome, ...] = ()
    """How each of several instances ended; empty when there is one only."""
    failed_host: str = ""
    """Of several instances: the one whose end gave the verdict; empty when all passed."""
    diagnosis: Diagnosis | None = None
    """Why it failed, where the script is at fault: what its log, its inputs and its job say together."""
    cached: Cached | None = None
    """Of a step that passed without a container: the earlier run that this is the result of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: str
    """UTC, ISO 8601 with milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    run_id: str
    run_dir: Path
    pipeline: str
    file: Path
    steps: tuple[str, ...]
    """In execution order."""
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    step: str
    mode: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutput(Event):
    """Bytes of a stream as they came; not written to events.jsonl."""

    step: str
    stream: str
    """`stdout` or `stderr`."""
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    """Comes again, and then counts, where the first was not the last word: see `confirming.py`."""

    result: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Something a person should know that changes no verdict."""

    step: str | None
    message: str
    problem: Problem | None = None
    """What `message` tells, when it is about a place in the pipeline file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    run_id: str
    exit_code: int
    """As in the README's table."""
    status: str
    """`passed`, `failed`, `environment`, `interrupted`, `superseded` (by a change; see `watch`) or `error`."""
    results: tuple[StepResult, ...]
    """In execution order."""
    seconds: float
