"""A model's archive may be anybody's."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from runner.engine.unpack import BadModel, Stopped, find_archive, unpack


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
    with pytest.raises(BadModel, match=r"would land outside of /opt/ml/model"):
        go(archive(tmp_path, (name, {}, b"x")), target)
    assert not list(target.iterdir())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "model", "model.tar.gz"]


def test_no_link_leads_a_member_outside(tmp_path: Path, target: Path) -> None:
    """Neither a symlink nor a hard link: while files are written there is no symlink."""
    path = archive(tmp_path, ("up", {"type": tarfile.SYMTYPE, "linkname": str(tmp_path)}, b""), ("up/evil", {}, b"x"))
    with pytest.raises(BadModel, match="is a directory and a file"):
        go(path, target)
    assert not (tmp_path / "evil").exists()
    (tmp_path / "secret").write_text("s")
    hard = archive(tmp_path, ("hard", {"type": tarfile.LNKTYPE, "linkname": "../../secret"}, b""))
    with pytest.raises(BadModel, match="outside"):
        go(hard, target)


def test_a_device_is_no_part_of_a_model(tmp_path: Path, target: Path) -> None:
    with pytest.raises(BadModel, match="'pipe' is neither a file, a directory nor a link"):
        go(archive(tmp_path, ("pipe", {"type": tarfile.FIFOTYPE}, b"")), target)


def test_a_member_below_a_file(tmp_path: Path, target: Path) -> None:
    with pytest.raises(BadModel, match="lies below another one that is a file"):
        go(archive(tmp_path, ("a", {}, b"x"), ("a/b", {}, b"x")), target)


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
