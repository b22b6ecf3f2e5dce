"""Which steps of a pipeline run, from `--only`, `--from`, `--until` and `--skip`.

The words narrow each other: `--from` keeps a step and all that need it, `--until` keeps a step and all that it needs,
`--only` keeps the named ones, `--skip` takes steps out. A word given several times means any of its names. A step that
does not run but feeds one that does is reused: its outputs come from the newest earlier run in which it passed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import NothingSelectedError, UsageError
from runner.spec import edges, order
from runner.spec.names import did_you_mean, listed

if TYPE_CHECKING:
    from runner.spec.models import PipelineSpec


class Action(enum.StrEnum):
    RUN = "run"
    REUSE = "reuse"
    """Does not run; its published outputs are taken from an earlier run."""
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True, slots=True)
class Choice:
    step: str
    action: Action
    why: str
    """In words, for a person."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One choice for every step of the pipeline, in execution order."""

    choices: tuple[Choice, ...]

    @property
    def run(self) -> tuple[str, ...]:
        return self._of(Action.RUN)

    @property
    def reuse(self) -> tuple[str, ...]:
        return self._of(Action.REUSE)

    @property
    def left_out(self) -> tuple[str, ...]:
        return self._of(Action.LEAVE_OUT)

    def _of(self, action: Action) -> tuple[str, ...]:
        return tuple(choice.step for choice in self.choices if choice.action is action)


def select(
    spec: PipelineSpec,
    only: Sequence[str] = (),
    from_: Sequence[str] = (),
    until: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> Selection:
    """Raises UsageError for a name that is no step, NothingSelectedError when no step is left to run."""
    for word, names in (("--only", only), ("--from", from_), ("--until", until), ("--skip", skip)):
        _check(word, names, spec)
    steps = order(spec)
    wires = edges(spec)
    down: dict[str, list[str]] = {step: [] for step in steps}
    up: dict[str, list[str]] = {step: [] for step in steps}
    for wire in wires:
        down[wire.source].append(wire.target)
        up[wire.target].append(wire.source)
    dropped = _dropped(steps, only, _closure(from_, down), _closure(until, up), skip)
    running = [step for step in steps if step not in dropped]
    if not running:
        raise NothingSelectedError(
            "the selection leaves no step to run", remedy="loosen --only, --from, --until or --skip"
        )
    return without(spec, dropped)


def without(spec: PipelineSpec, dropped: Mapping[str, str]) -> Selection:
    """All steps but those in `dropped`, which says of each why it does not run; those that feed one are reused."""
    feeds = {wire.source: wire.target for wire in reversed(edges(spec)) if wire.output and wire.target not in dropped}
    return Selection(tuple(_choice(step, dropped, feeds) for step in order(spec)))


def _check(word: str, names: Iterable[str], spec: PipelineSpec) -> None:
    for name in names:
        if name not in spec.steps:
            raise UsageError(
                f"{word}: no step '{name}'{did_you_mean(name, spec.steps)}",
                remedy=f"name one of {listed(spec.steps)}",
            )


def _closure(names: Sequence[str], neighbours: Mapping[str, Sequence[str]]) -> set[str] | None:
    """The names and all that can be reached from them; None when there are no names: no restriction."""
    if not names:
        return None
    found, pending = set(names), list(names)
    while pending:
        fresh = [step for step in neighbours[pending.pop()] if step not in found]
        found.update(fresh)
        pending += fresh
    return found


def _dropped(
    steps: Sequence[str],
    only: Sequence[str],
    downstream: set[str] | None,
    upstream: set[str] | None,
    skip: Sequence[str],
) -> dict[str, str]:
    """Why each step that does not run does not."""
    dropped: dict[str, str] = {}
    for step in steps:
        if step in skip:
            dropped[step] = "named by --skip"
        elif only and step not in only:
            dropped[step] = "not named by --only"
        elif downstream is not None and step not in downstream:
            dropped[step] = "not downstream of --from"
        elif upstream is not None and step not in upstream:
            dropped[step] = "not upstream of --until"
    return dropped


def _choice(step: str, dropped: Mapping[str, str], feeds: Mapping[str, str]) -> Choice:
    if step not in dropped:
        return Choice(step, Action.RUN, "selected")
    if step in feeds:
        return Choice(step, Action.REUSE, f"{dropped[step]}; '{feeds[step]}' takes its outputs from an earlier run")
    return Choice(step, Action.LEAVE_OUT, dropped[step])
