"""ShardedByS3Key: every object on exactly one host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.data import shards
from runner.data.shards import Share, deal


def share(root: Path, hosts: int, *, published: bool = True) -> Share:
    targets = tuple((f"algo-{n}", root / f"host-{n}") for n in range(1, hosts + 1))
    (root / "data").mkdir(exist_ok=True)
    return Share("data", root / "data", targets, published)


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@settings(deadline=None)
@given(
    keys=st.sets(st.text("ab/", min_size=1, max_size=5).map(lambda key: f"x{key}.csv".replace("/", "_")), max_size=9),
    folders=st.integers(1, 3),
    hosts=st.integers(1, 5),
)
def test_every_object_is_on_exactly_one_host(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], folders: int, hosts: int
) -> None:
    root = tmp_path_factory.mktemp("deal")
    wanted = share(root, hosts)
    for number, key in enumerate(sorted(keys)):
        place = wanted.source / f"d{number % folders}" / key
        place.parent.mkdir(exist_ok=True)
        place.write_text(key)
    before = files(wanted.source)
    warnings = deal(wanted)
    parts = [files(target) for _, target in wanted.targets]
    assert sum(len(part) for part in parts) == len(before)
    assert {key: text for part in parts for key, text in part.items()} == before
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert bool(warnings) is (len(before) < hosts)


def test_the_order_is_that_of_the_keys(tmp_path: Path) -> None:
    wanted = share(tmp_path, 2)
    for name in ("b", "a", "c/d", "B"):
        (wanted.source / name).parent.mkdir(exist_ok=True)
        (wanted.source / name).write_text(name)
    assert deal(wanted) == []
    assert sorted(files(tmp_path / "host-1")) == ["B", "b"]
    assert sorted(files(tmp_path / "host-2")) == ["a", "c/d"]


def test_published_files_are_not_copied_and_the_users_own_are(tmp_path: Path) -> None:
    wanted = share(tmp_path, 1)
    (wanted.source / "a").write_text("x")
    deal(wanted)
    assert (tmp_path / "host-1" / "a").samefile(wanted.source / "a")
    own = Share("data", wanted.source, (("algo-1", tmp_path / "own"),), published=False)
    deal(own)
    assert not (tmp_path / "own" / "a").samefile(wanted.source / "a")
    (tmp_path / "own" / "a").write_text("edited in the run directory")
    assert (wanted.source / "a").read_text() == "x"


def test_without_links_it_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for a producer's run directory on another file system."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(shards.os, "link", refuse)
    wanted = share(tmp_path, 1)
    (wanted.source / "a").write_text("x")
    deal(wanted)
    assert files(tmp_path / "host-1") == {"a": "x"}


def test_links_to_files_count_and_what_is_no_file_is_named(tmp_path: Path) -> None:
    wanted = share(tmp_path, 2, published=False)
    (tmp_path / "elsewhere").write_text("x")
    (wanted.source / "link").symlink_to(tmp_path / "elsewhere")
    (wanted.source / "broken").symlink_to("nowhere")
    os.mkfifo(wanted.source / "fifo")
    fewer, left_out = deal(wanted)
    assert fewer == "input 'data': 1 file for 2 instances: nothing for algo-2"
    assert "broken, fifo" in left_out
    assert files(tmp_path / "host-1") == {"link": "x"}
    assert not (tmp_path / "host-1" / "link").is_symlink()
    assert (tmp_path / "host-2").is_dir()
