"""`cache.json`: what the cache knew of a step in one run, with all parts of its key; `explain` compares these."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.data.files import json_bytes
from runner.pipeline.cache.key import Key, Parts
from runner.pipeline.events import Cached
from runner.pipeline.records import plain
from runner.pipeline.store import read_or_nothing

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Note:
    """Of one step in one run."""

    key: str | None
    hit: bool
    why: str
    """Why it ran, or that it did not have to."""
    kept: bool
    """Whether later runs can have the result."""
    parts: Parts
    """Empty where there is no key."""
    sealed_by: str
    """Which secret the keyed hashes are made with: those of two can not be compared."""


def write_note(path: Path, key: Key | None, why: str, *, kept: bool, cached: Cached | None, secret: bytes) -> None:
    """Raises OSError."""
    document = {
        "schema_version": SCHEMA,
        "key": key.digest if key else None,
        "hit": cached is not None,
        "from": plain(cached),
        "why": why,
        "kept": kept,
        "parts": key.parts if key else {},
        "sealed_by": hashlib.sha256(b"name of a secret\0" + secret).hexdigest()[:16],
    }
    path.write_bytes(json_bytes(document))


def read_note(path: Path) -> Note | None:
    """None where there is none, or none that can be read."""
    found: dict[str, Any] = read_or_nothing(path)
    try:
        return Note(
            key=found["key"],
            hit=bool(found["hit"]),
            why=str(found["why"]),
            kept=bool(found["kept"]),
            parts=dict(found["parts"]),
            sealed_by=str(found["sealed_by"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
