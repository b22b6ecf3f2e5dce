"""What dead runs left: on the engine by label, on disk by run directory. A live run is never touched.

A run is live while its process is; one of another machine counts as live, since it cannot be seen from here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.base import Engine, Leftover
    from runner.pipeline.store import RunRecord

SETTLING = 60.0
"""Seconds during which a run directory without `run.json` may belong to a run that is just beginning."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to remove."""

    kind: str
    """`container`, `volume`, `network`, `scratch` (an engine's working files) or `run` (a whole run directory)."""
    name: str
    """The engine's name, or a path."""
    run_id: str
    step: str
    why: str


def on_engine(leftovers: Sequence[Leftover]) -> list[Item]:
    """The left-overs whose owner is dead."""
    return [
        Item(found.kind, found.name, found.run_id, found.step, "its run is dead")
        for found in leftovers
        if not found.owner_alive
    ]


def on_disk(records: Sequence[RunRecord], *, whole: bool, keep: int | None) -> list[Item]:
    """The working files of dead runs; with `whole` their directories, and with `keep` older ones than the newest N.

    `records` oldest first; `keep` counts the runs that came to an end.
    """
    dead = [record for record in records if is_dead(record)]
    if not whole:
        return [item for record in dead for item in _scratches(record)]
    items = [_directory(record, "died before its end") for record in dead]
    if keep is not None:
        ended = [record for record in records if record.status not in ("running", "died")]
        items += [_directory(record, f"older than the newest {keep}") for record in ended[: max(len(ended) - keep, 0)]]
    return items


def is_dead(record: RunRecord) -> bool:
    """Whether the run's process is gone and never wrote its end."""
    if record.status != "died":
        return False
    return bool(record.document) or time.time() - record.directory.stat().st_mtime > SETTLING


def remove_tree(path: Path, engine: Engine | None) -> None:
    """Remove a directory, taking it back from whoever a container gave it to, which needs an engine.

    Raises OSError, EnvironmentFault.
    """
    from runner.data import files

    try:
        files.remove_tree(path)
    except PermissionError:
        if engine is None:
            raise
        engine.reclaim([path])
        files.remove_tree(path)


def _directory(record: RunRecord, why: str) -> Item:
    return Item("run", str(record.directory), record.run_id, "", why)


def _scratches(record: RunRecord) -> Iterator[Item]:
    for step in record.steps:
        layout = record.layout.step(step)
        for scratch in (layout.scratch, *sorted(layout.hosts.glob("*/scratch"))):
            if scratch.is_dir():
                yield Item("scratch", str(scratch), record.run_id, step, "its run is dead")
