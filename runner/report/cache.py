"""What a cache holds, what was removed, and why a step ran or did not: as text and as JSON documents."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner.pipeline.cache.collecting import Held, Holding, Removed
from runner.pipeline.cache.explaining import Explanation
from runner.report.origin import ago
from runner.report.text import count, one_line, size, table

SCHEMA_VERSION = 1


def holding_text(place: Path, held: Holding) -> str:
    """A row per entry, the one used last first, and the whole."""
    now = time.time()
    rows = [_row(each, now) for each in reversed(held.entries)]
    head = ("step", "run", "used", "size", "")
    whole = f"{count(len(rows), 'result')}, {size(held.bytes)} in {place}"
    return "\n".join([*table([head, *rows], right=frozenset({3})), "", whole]) if rows else whole


def _row(each: Held, now: float) -> tuple[str, ...]:
    note = each.fault or ("in use" if each.pinned else "")
    return (one_line(each.step) or each.key[:12], each.run, ago(now - each.used), size(each.bytes), one_line(note))


def holding_document(place: Path, held: Holding) -> dict[str, Any]:
    entries = [{**asdict(each), "bytes": each.bytes} for each in reversed(held.entries)]
    return {"schema_version": SCHEMA_VERSION, "directory": str(place), "bytes": held.bytes, "entries": entries}


def removed_text(removed: Removed, *, dry_run: bool) -> str:
    what = "would remove" if dry_run else "removed"
    rows = [f"{what} {each.step or each.key} of run {each.run or '?'}" for each in removed.entries]
    rows += [f"{what} what a killed run left: {path}" for path in removed.debris]
    facts = f"{count(len(removed.entries), 'result')}, {count(len(removed.trees), 'directory', 'directories')}"
    return "\n".join([*rows, f"{what} {facts}, {size(removed.bytes)}"])


def removed_document(removed: Removed, *, dry_run: bool) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "dry_run": dry_run,
        "bytes": removed.bytes,
        "entries": [{**asdict(each), "bytes": each.bytes} for each in removed.entries],
        "directories": list(removed.trees),
        "locks": removed.locks,
        "debris": [str(path) for path in removed.debris],
    }


def explanation_text(found: Explanation) -> str:
    note = found.note
    if note is None:
        return f"{found.step} in run {found.run}: that run did not ask the cache for it"
    word = f"hit, the result is that of run {found.origin}" if note.hit else f"ran: {note.why}"
    lines = [f"{found.step} in run {found.run}: {word}"]
    if found.compared and found.changes:
        lines.append(f"since run {found.compared}:")
        lines += [f"  {one_line(change.part)}: {one_line(change.text)}" for change in found.changes]
    elif found.compared and note.parts:
        lines.append(f"nothing that counts has changed since run {found.compared}")
    elif note.parts:
        lines.append("no earlier run of this file asked the cache for it")
    if not note.hit:
        lines.append("its result was kept for later runs" if note.kept else "its result was not kept")
    return "\n".join(lines)


def explanation_document(found: Explanation) -> dict[str, Any]:
    note = found.note
    return {
        "schema_version": SCHEMA_VERSION,
        "run": found.run,
        "step": found.step,
        "asked": note is not None,
        "hit": note.hit if note else False,
        "why": note.why if note else None,
        "key": note.key if note else None,
        "kept": note.kept if note else False,
        "from": found.origin or None,
        "compared_with": found.compared or None,
        "changes": [asdict(change) for change in found.changes],
    }
