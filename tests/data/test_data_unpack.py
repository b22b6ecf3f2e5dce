"""Source archives on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from runner.data.materialise import bundle, code_tree
from runner.data.unpack import archived, holds, unpack
from runner.errors import WorkspaceError


def pack(path: Path, *members: tuple[str, bytes | str, int]) -> Path:
    """Name, content or a link's target, mode."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def test_an_archive_is_laid_out_as_it_is(tmp_path: Path) -> None:
    source = pack(
        tmp_path / "c.tar.gz", ("./a.py", b"1", 0o600), ("d/run", b"2", 0o755), ("d/l", "../a.py", 0), ("a.py", b"3", 0)
    )
    unpack(source, tmp_path / "out")
    assert (tmp_path / "out/a.py").read_bytes() == b"3"  # the last of a name counts
    assert (tmp_path / "out/a.py").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "out/d/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/d/l").readlink() == Path("../a.py")
    digests = {"a.py": hashlib.sha256(b"3").hexdigest(), "d/run": hashlib.sha256(b"2").hexdigest()}
    assert archived(source) == {**digests, "d/l": "link to ../a.py"}
    assert [holds(source, name) for name in ("a.py", "run")] == [True, False]


def test_an_archive_that_changed_for_the_worse_is_refused(tmp_path: Path) -> None:
    source = pack(tmp_path / "c.tar.gz", ("../../outside.py", b"1", 0o644))
    with pytest.raises(WorkspaceError, match="leads out of the archive"):
        unpack(source, tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("outside.py"))
    assert not holds(source, "outside.py")


def test_a_bundle_has_the_same_bytes_each_time_and_keeps_empty_directories(tmp_path: Path) -> None:
    (tmp_path / "src/pkg/empty").mkdir(parents=True)
    (tmp_path / "src/a.py").write_text("A = 1\n")
    found = []
    for name in ("x", "y"):
        code_tree(tmp_path / "src", tmp_path / name / "code")
        bundle(tmp_path / "src", tmp_path / name / "code", tmp_path / name / "in" / "sourcedir.tar.gz")
        found.append((tmp_path / name / "in" / "sourcedir.tar.gz").read_bytes())
    assert found[0] == found[1]
    with tarfile.open(fileobj=io.BytesIO(found[0])) as archive:
        assert sorted(archive.getnames()) == ["a.py", "pkg", "pkg/empty"]


def test_an_archive_is_its_own_bundle(tmp_path: Path) -> None:
    source = pack(tmp_path / "c.tar.gz", ("a.py", b"1", 0o644))
    bundle(source, tmp_path / "unpacked", tmp_path / "in" / "sourcedir.tar.gz")
    assert (tmp_path / "in" / "sourcedir.tar.gz").read_bytes() == source.read_bytes()
