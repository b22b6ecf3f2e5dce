"""Why a step ran, or did not: the parts of its key against those of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.pipeline.cache.notes import Note, read_note
from runner.pipeline.store import RunRecord, find_run, list_runs

_SEALED = frozenset({"env", "configuration", "hosts"})
"""Parts that hold keyed hashes."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, in words that go on after the part's name."""

    part: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one step in one run."""

    run: str
    step: str
    note: Note | None
    """None: that run used no cache, or the step did not get so far."""
    origin: str = ""
    """Of a hit: the run that made the result."""
    compared: str = ""
    """The earlier run with which the key was compared; empty where there is none."""
    changes: tuple[Change, ...] = ()


def explain(runs_dir: Path, run: str, step: str) -> Explanation:
    """Reads run directories alone. Raises UsageError for a run or step that is none, WorkspaceError."""
    record = find_run(runs_dir, run)
    result = record.result(step)
    note = read_note(record.layout.step(step).cache)
    origin = result.cached.run if result.cached is not None else ""
    if note is None:
        return Explanation(record.run_id, step, None)
    for earlier in _earlier(runs_dir, record):
        before = read_note(earlier.layout.step(step).cache) if step in earlier.steps else None
        if before is not None and before.parts:
            changed = _told(changes(before, note)) if note.parts else ()
            return Explanation(record.run_id, step, note, origin, earlier.run_id, changed)
    return Explanation(record.run_id, step, note, origin)


def _earlier(runs_dir: Path, record: RunRecord) -> Iterator[RunRecord]:
    """Runs of the same file before this one, newest first."""
    file = os.path.realpath(record.file)
    for other in reversed(list_runs(runs_dir)):
        before = (other.started_at, other.run_id) < (record.started_at, record.run_id)
        if before and other.pipeline == record.pipeline and os.path.realpath(other.file) == file:
            yield other


def _told(found: Iterable[Change]) -> tuple[Change, ...]:
    """The platform's files repeat much of the rest: they are named only where nothing else is."""
    every = tuple(found)
    return tuple(each for each in every if not each.part.startswith("configuration")) or every


def changes(before: Note, now: Note) -> Iterator[Change]:
    """What differs, part by part."""
    comparable = before.sealed_by == now.sealed_by
    for part in dict.fromkeys([*now.parts, *before.parts]):
        old, new = before.parts.get(part), now.parts.get(part)
        if part in _SEALED and not comparable:
            if old or new:
                yield Change(part, "cannot be compared: the two runs had different caches")
        elif old != new:
            yield from _differences(part, old, new)


def _differences(part: str, old: Any, new: Any) -> Iterator[Change]:
    if part == "code":
        yield Change(part, _code(old, new))
    elif part == "inputs":
        yield from (Change(f"input '{name}'", text) for name, text in _by_name(old, new, _input))
    elif part == "env":
        yield from (Change(f"env {name}", text) for name, text in _by_name(old, new, _hidden))
    elif part in ("configuration", "hosts"):
        yield from (Change(f"{part} {name}", text) for name, text in _by_name(old, new, _hidden))
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from (Change(f"{part} {name}", text) for name, text in _by_name(old, new, _arrow))
    else:
        yield Change(part, _arrow(old, new))


def _by_name(old: Any, new: Any, words: Any) -> Iterator[tuple[str, str]]:
    was: Mapping[str, Any] = old or {}
    is_: Mapping[str, Any] = new or {}
    for name in dict.fromkeys([*was, *is_]):
        if name not in was:
            yield name, "is new"
        elif name not in is_:
            yield name, "is gone"
        elif was[name] != is_[name]:
            yield name, words(was[name], is_[name])


def _hidden(_old: Any, _new: Any) -> str:
    return "differs"


def _arrow(old: Any, new: Any) -> str:
    return f"{_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return " ".join(map(_shown, value)) if isinstance(value, list) else str(value)


def _input(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    others = [
        f"{key} {_arrow(old.get(key), new.get(key))}" for key in new if key != "content" and old.get(key) != new[key]
    ]
    return ", ".join([*(["content differs"] if old.get("content") != new.get("content") else []), *others])


def _code(old: Any, new: Any) -> str:
    was, is_ = (old or {}).get("files", {}), (new or {}).get("files", {})
    found = [f"{name} {text}" for name, text in _by_name(was, is_, _hidden)]
    if not was or not is_ or not found:
        return "differs"
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
