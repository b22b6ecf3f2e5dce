"""A step's inputs, held to what its file expects of them, just before its script would start.

In the step's own worker thread, so that no other step waits; a step that expects nothing does not come here at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runner.data.expectations import Unmet, look, needs_whole, unmet
from runner.data.impact import Impact
from runner.data.reading import Stopped
from runner.errors import EnvironmentFault
from runner.spec.expects import Expects
from runner.spec.names import listed

if TYPE_CHECKING:
    from runner.pipeline.plan import PlannedStep
    from runner.spec.models import Pipeline

_SHOWN = 5
"""So many sentences are a step's reason; the others are its warnings."""
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Expected:
    """What a step expects of one of its inputs."""

    input: str
    expects: Expects
    modules: Path
    """The directory in which the module of a pandera schema is looked for first: the pipeline file's."""


@dataclass(frozen=True, slots=True)
class Findings:
    """`reason`: why the script must not start, in words; empty when it may."""

    reason: str = ""
    warnings: tuple[str, ...] = ()


def expected(pipeline: Pipeline, step: str) -> tuple[Expected, ...]:
    """In the order of the file."""
    inputs = pipeline.spec.steps[step].inputs.items()
    return tuple(Expected(name, given.expects, pipeline.root) for name, given in inputs if given.expects is not None)


def check_schemas(steps: Iterable[PlannedStep]) -> None:
    """Raises EnvironmentFault where a step has a pandera schema and there is no pandera to check it."""
    asking = [step.name for step in steps if any(each.expects.schema_ for each in step.expected)]
    if asking and find_spec("pandera") is None:
        raise EnvironmentFault(
            f"a pandera schema is expected to pass by {listed(asking)}, and pandera is not installed here",
            remedy="pip install 'run-pipeline[pandera]'",
        )


def findings(wanted: Sequence[Expected], hosts: Mapping[str, Path], stopped: Callable[[], bool]) -> Findings:
    """Read the inputs, and hold each to what is expected of it. `hosts`: directory by input name.

    Raises OSError for what cannot be read, and Stopped as soon as `stopped` says so, however long the reading takes.
    """
    found: list[tuple[str, Unmet]] = []
    for each in wanted:
        work = partial(_one, each, hosts[each.input], stopped)
        found += [(each.input, one) for one in _apart(work, stopped)]
    breaking = [_sentence(name, one) for name, one in found if one.impact is Impact.BREAKING]
    risky = [_sentence(name, one) for name, one in found if one.impact is not Impact.BREAKING]
    more = f"; and {len(breaking) - _SHOWN} more, see the notes" if len(breaking) > _SHOWN else ""
    return Findings("; ".join(breaking[:_SHOWN]) + more, (*breaking[_SHOWN:], *risky))


def _one(each: Expected, root: Path, stopped: Callable[[], bool]) -> tuple[Unmet, ...]:
    files = look(root, needs_whole(each.expects))
    return unmet(each.expects, files, root, modules=each.modules, stopped=stopped)


def _sentence(name: str, one: Unmet) -> str:
    return f"input '{name}' {one.message}" if one.message.startswith("needs") else f"input '{name}': {one.message}"


def _apart(work: Callable[[], tuple[Unmet, ...]], stopped: Callable[[], bool]) -> tuple[Unmet, ...]:
    """The work in a thread of its own, which is left behind when a stop is asked for: a large file takes long, and no
    reader of tables can be told to stop."""
    results: list[tuple[Unmet, ...]] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=run, name="expectations", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL)
        if thread.is_alive() and stopped():
            raise Stopped
    if faults:
        raise faults[0]
    return results[0]
