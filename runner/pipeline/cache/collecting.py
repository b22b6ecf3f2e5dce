"""What a cache holds, and the removal of what was used longest ago, or is of no use any more.

Never removed: what a live run uses, and what it may be about to keep.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.data.files import remove_tree
from runner.pipeline.cache import entries, trees
from runner.pipeline.cache.folder import Folder
from runner.pipeline.cache.locks import remove_unheld
from runner.pipeline.cache.trees import Damaged

LIMIT = 10 * 1024**3
"""Bytes of kept files above which a run that ends removes what was used longest ago."""
_YOUNG = 3600.0
"""Seconds in which a tree without an entry may be one whose entry a live run is about to write."""


@dataclass(frozen=True, slots=True)
class Held:
    """One entry."""

    key: str
    step: str
    run: str
    used: float
    """When it was made or last used; seconds since the epoch."""
    trees: tuple[str, ...]
    pinned: bool
    """A live run uses it."""
    fault: str = ""
    """Why it is no use; empty when it is."""

    @property
    def bytes(self) -> int:
        """Of its files, which other entries may share."""
        return sum(map(trees.size_in, self.trees))


@dataclass(frozen=True, slots=True)
class Holding:
    """All entries, the one that was used longest ago first."""

    entries: tuple[Held, ...]
    bytes: int
    """Of all kept files, each counted once; those that run directories share by link take no more space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """None: no bound."""

    max_bytes: int | None = None
    max_age: float | None = None
    """Seconds since the last use."""
    min_free: float | None = None
    """Share of the file system that is to be free, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Removed:
    entries: tuple[Held, ...]
    trees: tuple[str, ...]
    locks: int
    debris: tuple[Path, ...]
    """What killed runs left."""

    @property
    def bytes(self) -> int:
        """Of the removed files. A run directory that shares them by link keeps them."""
        return sum(map(trees.size_in, self.trees))


def kept_bytes(place: Folder) -> int:
    """Of all kept files, each counted once, by the names of directories alone. Raises OSError."""
    return _total(_trees(place))


def holding(place: Folder) -> Holding:
    """Raises OSError."""
    pinned = place.pinned()
    found = [_held(place, path, pinned) for path in place.entries.glob("*.json")]
    return Holding(tuple(sorted(found, key=lambda each: (each.used, each.key))), kept_bytes(place))


def collect(place: Folder, bounds: Bounds, *, dry_run: bool = False) -> Removed:
    """Remove entries until the bounds hold, then what belongs to no entry. Raises OSError."""
    held = holding(place).entries
    users = Counter(tree for each in held for tree in each.trees)
    present = set(_trees(place))
    removed: list[Held] = []
    gone: list[str] = []
    for each in held:
        wanted = each.fault or _exceeded(place, bounds, each, present, gone, dry_run=dry_run)
        if wanted and each.key not in place.pinned():  # asked anew: a run may have come meanwhile
            removed.append(each)
            users.subtract(each.trees)
            mine = [tree for tree in dict.fromkeys(each.trees) if users[tree] <= 0 and tree in present]
            _remove(place, [each.key], mine, dry_run=dry_run)
            present.difference_update(mine)
            gone += mine
    orphans = [tree for tree in sorted(present) if users[tree] <= 0 and not _maybe_new(place, tree)]
    _remove(place, [], orphans, dry_run=dry_run)
    debris = place.dead()
    return Removed(
        tuple(removed),
        (*gone, *orphans),
        0 if dry_run else sum(remove_unheld(path) for path in place.locks.iterdir()),
        tuple(debris if dry_run else _without(debris)),
    )


def _exceeded(place: Folder, bounds: Bounds, each: Held, present: set[str], gone: list[str], *, dry_run: bool) -> bool:
    if bounds.max_age is not None and time.time() - each.used > bounds.max_age:
        return True
    if bounds.max_bytes is not None and _total(present) > bounds.max_bytes:
        return True
    if bounds.min_free is None:
        return False
    disk = shutil.disk_usage(place.root)
    regained = _total(gone) if dry_run else 0
    return disk.free + regained < bounds.min_free * disk.total


def _remove(place: Folder, keys: list[str], names: list[str], *, dry_run: bool) -> None:
    """The entries first: none is ever without its trees."""
    if dry_run:
        return
    for key in keys:
        entries.drop(place.entries, key)
    for name in names:
        trees.drop(place.trees, name)


def _without(debris: list[Path]) -> Iterator[Path]:
    for path in debris:
        if path.is_dir():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
        yield path


def _held(place: Folder, path: Path, pinned: frozenset[str]) -> Held:
    key, used, is_pinned = path.stem, path.stat().st_mtime, path.stem in pinned
    try:
        kept = entries.read(place.entries, key)
        needed = tuple(kept.trees()) if kept is not None else ()
    except Damaged as error:
        return Held(key, "", "", used, (), is_pinned, str(error))
    if kept is None:
        return Held(key, "", "", used, (), is_pinned, "it has gone")
    return Held(key, str(kept.result.get("step", "")), kept.run_id, used, needed, is_pinned)


def _trees(place: Folder) -> list[str]:
    return sorted({path.name.removesuffix(".json") for path in place.trees.iterdir() if not path.name.startswith(".")})


def _total(names: list[str] | set[str]) -> int:
    return sum(map(trees.size_in, names))


def _maybe_new(place: Folder, tree: str) -> bool:
    if not place.live():
        return False
    try:
        return time.time() - (place.trees / tree).stat().st_ctime < _YOUNG
    except FileNotFoundError:
        return False
