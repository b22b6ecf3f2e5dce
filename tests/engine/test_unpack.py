"""A model's archive may be anybody's."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from runner.engine.unpack import BadModel, Stopped, find_archive, unpack
from runner.spec import modelarchive


def archive(root: Path, *members: tuple[str, dict[str, Any], bytes]) -> Path:
    path = root / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, fields, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for field, value in fields.items():
                setattr(entry, field, value)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "in" / "model").mkdir(parents=True)
    return tmp_path / "in" / "model"


def go(path: Path, target: Path) -> None:
    unpack(path, target, lambda: False)


def test_files_directories_and_links_inside(tmp_path: Path, target: Path) -> None:
    path = archive(
        tmp_path,
        ("./", {"type": tarfile.DIRTYPE, "mode": 0o700}, b""),
        ("./a", {"mode": 0o600, "uid": 12}, b"a"),
        ("code/run", {"mode": 0o700}, b"r"),
        ("again", {"type": tarfile.LNKTYPE, "linkname": "./a"}, b""),
        ("code/soft", {"type": tarfile.SYMTYPE, "linkname": "../a"}, b""),
    )
    go(path, target)
    modes = {str(p.relative_to(target)): p.lstat().st_mode & 0o777 for p in target.rglob("*") if not p.is_symlink()}
    assert modes == {"a": 0o644, "code": 0o755, "code/run": 0o755, "again": 0o644}
    assert (target / "again").read_bytes() == (target / "code" / "soft").read_bytes() == b"a"
    assert (target / "a").stat().st_uid == os.getuid()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil-of-a-model", "a/../../evil"])
def test_no_member_lands_outside(tmp_path: Path, target: Path, name: str) -> None:
    with pytest.raises(
        BadModel, match=r"model.tar.gz has the member '.*evil.*', which would land outside of /opt/ml/model"
    ):
        go(archive(tmp_path, (name, {}, b"x")), target)
    assert not list(target.iterdir())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "model", "model.tar.gz"]


def test_no_link_leads_a_member_outside(tmp_path: Path, target: Path) -> None:
    """Neither a symlink nor a hard link."""
    path = archive(tmp_path, ("up", {"type": tarfile.SYMTYPE, "linkname": str(tmp_path)}, b""), ("up/evil", {}, b"x"))
    with pytest.raises(BadModel, match=r"model.tar.gz has the member 'up/evil', which lies below 'up', a link"):
        go(path, target)
    assert not (tmp_path / "evil").exists()
    (tmp_path / "secret").write_text("s")
    hard = archive(tmp_path, ("hard", {"type": tarfile.LNKTYPE, "linkname": "../../secret"}, b""))
    with pytest.raises(BadModel, match=r"a link to '../../secret', and no file of that name comes before it"):
        go(hard, target)


def test_no_link_leads_another_link_outside(tmp_path: Path, target: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "mine").write_text("kept")
    up, below = {"type": tarfile.SYMTYPE, "linkname": str(outside)}, {"type": tarfile.SYMTYPE, "linkname": "x"}
    for members in ([("up", up), ("up/mine", below)], [("up/mine", below), ("up", up)]):
        with pytest.raises(BadModel, match="'up"):
            go(archive(tmp_path, *((name, fields, b"") for name, fields in members)), target)
        assert (outside / "mine").read_text() == "kept"
        assert outside.stat().st_mode & 0o777 == 0o700


def test_a_device_is_no_part_of_a_model(tmp_path: Path, target: Path) -> None:
    with pytest.raises(
        BadModel, match=r"model.tar.gz has the member 'pipe', which is neither a file, a directory nor a link"
    ):
        go(archive(tmp_path, ("pipe", {"type": tarfile.FIFOTYPE}, b"")), target)


LINK = {"type": tarfile.SYMTYPE, "linkname": "x"}
CLASHES = [
    ([("a", {}), ("a/b", {})], "'a/b', which lies below 'a', a file"),
    ([("a", {}), ("a/b/c", LINK)], "'a/b/c', which lies below 'a', a file"),
    ([("a/b", {}), ("a", {})], "'a', a file where it also has a directory"),
    ([("a/b", {}), ("./a", LINK)], "'./a', a link where it also has a directory"),
    ([("a", {}), ("a", {"type": tarfile.DIRTYPE})], "'a', a directory where it also has a file"),
    ([("a", {"type": tarfile.LNKTYPE, "linkname": "b"})], "'a', a link to 'b', and no file of that name comes"),
    ([("a" * 256, {})], "whose name no file system takes"),
    ([("a", {"type": tarfile.SYMTYPE, "linkname": ""})], "'a', a link to nothing"),
    ([(".", {})], "'.', a file where it also has a directory"),
]


@pytest.mark.parametrize(("members", "words"), CLASHES, ids=[words for _, words in CLASHES])
def test_what_cannot_lie_together(
    tmp_path: Path, target: Path, members: list[tuple[str, dict[str, Any]]], words: str
) -> None:
    path = archive(tmp_path, *((name, fields, b"") for name, fields in members))
    with pytest.raises(BadModel) as caught:
        go(path, target)
    assert str(caught.value).startswith("model.tar.gz has the member ")
    assert words in str(caught.value)
    assert modelarchive.fault(path) == str(caught.value)  # the same before a run starts


def test_of_one_name_the_last_counts(tmp_path: Path, target: Path) -> None:
    path = archive(tmp_path, ("a", {}, b"1"), ("b", LINK, b""), ("a", LINK, b""), ("b", {}, b"2"), ("c", {}, b"3"))
    assert modelarchive.fault(path) == ""
    go(path, target)
    assert (str((target / "a").readlink()), (target / "b").read_text()) == ("x", "2")


def test_a_large_model_is_looked_at_as_far_as_its_beginning(tmp_path: Path) -> None:
    path = archive(tmp_path, ("a", {}, bytes(100_000)), ("b", {}, b""), ("a", {"type": tarfile.DIRTYPE}, b""))
    assert "'a', a directory" in modelarchive.fault(path)
    assert modelarchive.fault(path, 50_000) == ""


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_what_is_no_archive(tmp_path: Path, target: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(BadModel, match=r"model.tar.gz cannot be unpacked"):
        go(path, target)


def test_an_archive_that_ends_early_and_one_that_is_not_packed(tmp_path: Path, target: Path) -> None:
    path = archive(tmp_path, ("a", {}, os.urandom(100_000)))
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(BadModel, match="cannot be unpacked"):
        go(path, target)
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO())
    with pytest.raises(BadModel, match="cannot be unpacked"):
        go(path, target)


def test_a_stop_is_heard_between_members(tmp_path: Path, target: Path) -> None:
    with pytest.raises(Stopped):
        unpack(archive(tmp_path, ("a", {}, b"x")), target, lambda: True)
    assert not list(target.iterdir())


def test_which_file_is_the_model(tmp_path: Path) -> None:
    (tmp_path / "mine.tar.gz").touch()
    assert find_archive(tmp_path).name == "mine.tar.gz"
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadModel, match=r"holds no model.tar.gz; it holds 'mine.tar.gz', 'notes.txt'"):
        find_archive(tmp_path)
    (tmp_path / "model.tar.gz").touch()
    assert find_archive(tmp_path).name == "model.tar.gz"
