"""`cache gc`: what goes first, and what never goes."""

from __future__ import annotations

import os
import time
from collections import namedtuple
from pathlib import Path

import pytest
from pipeline.caching import Cached
from pipeline.helpers import OUT, step

from runner.engine import labels
from runner.engine.fake import Canned
from runner.pipeline.cache import collecting
from runner.pipeline.cache.collecting import Bounds, collect, holding
from runner.pipeline.cache.folder import Folder, open_folder
from runner.pipeline.cache.locks import try_lock

DAY = 86400.0


@pytest.fixture
def filled(tmp_path: Path) -> Cached:
    """Results of 1, 2 and 3 kB; `old` was used 20 days ago, `mid` 10 days, `new` just now."""
    sizes = {"old": 1000, "mid": 2000, "new": 3000}
    cached = Cached(tmp_path, scripts={name: Canned(files={f"{OUT}/out/x": b"x" * n}) for name, n in sizes.items()})
    cached.run(**{name: step() for name in sizes})
    for each in holding(place(cached)).entries:
        age = {"old": 20, "mid": 10, "new": 0}[each.step] * DAY
        os.utime(cached.root / "entries" / f"{each.key}.json", (time.time() - age,) * 2)
    return cached


def place(cached: Cached) -> Folder:
    return open_folder(cached.root)


def left(cached: Cached) -> list[str]:
    return [each.step for each in holding(place(cached)).entries]


def test_what_is_held(filled: Cached) -> None:
    held = holding(place(filled))
    assert [each.step for each in held.entries] == ["old", "mid", "new"]
    assert [each.bytes for each in held.entries] == [1000, 2000, 3000]
    assert held.bytes == 6000
    assert {each.run for each in held.entries} == {filled.harness.root.name}


@pytest.mark.parametrize(
    ("bounds", "stay"),
    [
        (Bounds(), ["old", "mid", "new"]),
        (Bounds(max_bytes=5500), ["mid", "new"]),
        (Bounds(max_bytes=3000), ["new"]),
        (Bounds(max_bytes=0), []),
        (Bounds(max_age=15 * DAY), ["mid", "new"]),
        (Bounds(max_age=5 * DAY, max_bytes=6000), ["new"]),
    ],
)
def test_bounds(filled: Cached, bounds: Bounds, stay: list[str]) -> None:
    foreseen = collect(place(filled), bounds, dry_run=True)
    assert left(filled) == ["old", "mid", "new"]
    removed = collect(place(filled), bounds)
    assert left(filled) == stay
    assert (removed.entries, removed.trees) == (foreseen.entries, foreseen.trees)
    assert removed.bytes == 6000 - holding(place(filled)).bytes
    assert (filled.step("old") / "outputs/out/x").read_bytes() == b"x" * 1000


def test_the_share_of_the_disk_that_is_to_be_free(filled: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = namedtuple("disk", "total used free")
    # Each removed result frees its files.
    monkeypatch.setattr(
        collecting.shutil, "disk_usage", lambda _: disk(100_000, 0, 16_000 - holding(place(filled)).bytes)
    )
    assert [each.step for each in collect(place(filled), Bounds(min_free=0.105), dry_run=True).entries] == ["old"]
    collect(place(filled), Bounds(min_free=0.105))
    assert left(filled) == ["mid", "new"]


def test_what_a_live_run_uses_stays(filled: Cached) -> None:
    old = holding(place(filled)).entries[0]
    place(filled).pin("live")
    place(filled).use("live", old.key)
    collect(place(filled), Bounds(max_bytes=0))
    assert left(filled) == ["old"]
    (filled.root / "pins/live").write_text(f"{labels.owner().replace('|', '|x', 1)}\n{old.key}\n")  # it died
    collect(place(filled), Bounds(max_bytes=0))
    assert left(filled) == []
    assert not list((filled.root / "pins").iterdir())


def test_what_is_of_no_use_goes_whatever_the_bounds(filled: Cached) -> None:
    held = holding(place(filled)).entries
    (filled.root / "entries" / f"{held[0].key}.json").write_text("{")
    (filled.root / "new/dead").mkdir()
    lock = try_lock(filled.root / "locks" / held[1].key)
    assert lock is not None
    removed = collect(place(filled), Bounds())
    assert left(filled) == ["mid", "new"]
    assert removed.trees == (held[0].trees[0],)
    assert [path.name for path in removed.debris] == ["dead"]
    assert [path.name for path in filled.files("locks")] == [held[1].key]
    lock.free()


def test_a_new_tree_stays_while_a_run_lives(filled: Cached) -> None:
    """Its entry is about to be written."""
    held = holding(place(filled)).entries[0]
    (filled.root / "entries" / f"{held.key}.json").unlink()
    place(filled).pin("live")
    assert collect(place(filled), Bounds()).trees == ()
    place(filled).unpin("live")
    assert collect(place(filled), Bounds()).trees == (held.trees[0],)


def test_a_run_that_ends_makes_room(filled: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "LIMIT", 5500)
    filled.engine_options["scripts"]["more"] = Canned(files={f"{OUT}/out/x": b"m"})
    filled.run(more=step())
    assert left(filled) == ["mid", "new", "more"]
    assert [text for text in filled.notices if "1 results that were used longest ago were removed" in text]
    filled.run(more=step())
    assert left(filled) == ["mid", "new", "more"]


def test_a_lock_file_that_is_removed_under_a_waiting_one(filled: Cached) -> None:
    """Who comes next must not hold a file that nobody else can find."""
    path = filled.root / "locks/key"
    first = try_lock(path)
    assert first is not None
    path.unlink()
    second = try_lock(path)
    assert second is not None
    assert try_lock(path) is None
    first.free()
    assert try_lock(path) is None
    second.free()
