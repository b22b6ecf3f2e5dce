"""Manifests and archives of trees of any kind."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import socket
import tarfile
from pathlib import Path

import pytest

from runner.data import archive
from runner.data.files import copy_file, json_bytes, os_fault, printable, remove_tree, write_atomic
from runner.data.manifest import scan

ODD = [b"new\nline", b'quo"te', b"co:lon", b"com,ma", b"sp ace", b"\xff\xfe raw", "ünï".encode(), b"back\\slash", b"-x"]


def fill(root: Path, names: list[bytes] = ODD) -> Path:
    root.mkdir()
    for name in names:
        (root / os.fsdecode(name)).write_bytes(name)
    return root


def test_names_of_any_bytes_survive_in_valid_json(tmp_path: Path) -> None:
    manifest = scan(fill(tmp_path / "t"))
    document = json.loads(json_bytes(manifest.to_json()).decode("utf-8", "strict"))
    back = [
        base64.b64decode(e["path_base64"]) if "path_base64" in e else e["path"].encode() for e in document["entries"]
    ]
    assert back == sorted(ODD)
    assert [e["sha256"] for e in document["entries"]] == [hashlib.sha256(n).hexdigest() for n in sorted(ODD)]
    (raw,) = [e for e in document["entries"] if "path_base64" in e]
    assert raw["path"] == "\ufffd\ufffd raw"


def test_entries_are_sorted_by_bytes_and_deep_trees_are_walked(tmp_path: Path) -> None:
    root = tmp_path / "t"
    deep = root
    for _ in range(200):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "f").write_text("1")
    (root / "d.txt").write_text("2")
    (root / "Z").write_text("3")
    paths = [e.path for e in scan(root).entries]
    assert paths == ["Z", "d.txt", "d/" * 200 + "f"]


def test_the_digest_sees_a_byte_a_name_and_a_boundary_and_nothing_else(tmp_path: Path) -> None:
    one = scan(fill(tmp_path / "1", [b"a", b"b"]))
    (tmp_path / "1/a").touch()
    (tmp_path / "1/a").chmod(0o700)
    assert scan(tmp_path / "1").digest == one.digest
    assert scan(fill(tmp_path / "2", [b"a", b"c"])).digest != one.digest
    (tmp_path / "1/a").write_bytes(b"x")
    assert scan(tmp_path / "1").digest != one.digest
    inner = one.entries[1].sha256
    trick = f"a\n{inner} 1:b".encode()
    both = scan(fill(tmp_path / "3", [trick]))
    assert both.digest != one.digest


def test_what_is_no_file_is_named_and_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fill(tmp_path / "t", [b"file"])
    (root / "link").symlink_to("/etc")
    (root / "loop").symlink_to(".")
    (root / "broken").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    (root / "void/inner").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # a socket's path must be short
        listener.bind("sock")
        manifest = scan(root)
    assert [e.path for e in manifest.entries] == ["file"]
    assert {s.path: s.kind for s in manifest.skipped} == {
        "link": "symlink", "loop": "symlink", "broken": "symlink", "pipe": "FIFO", "sock": "socket",
        "void/inner": "empty directory",
    }  # fmt: skip
    warning = manifest.warning("out")
    assert warning is not None
    assert "broken (symlink)" in warning
    assert "and 1 more" in warning
    link = next(s for s in manifest.to_json()["skipped"] if s["path"] == "link")  # type: ignore[attr-defined]
    assert link["target"] == "/etc"


def test_ten_thousand_files(tmp_path: Path) -> None:
    root = tmp_path / "t"
    root.mkdir()
    for number in range(10_000):
        (root / f"{number:05}").write_bytes(b"%d" % number)
    manifest = scan(root)
    assert len(manifest.entries) == 10_000
    assert manifest.size == sum(len(str(n)) for n in range(10_000))


def test_files_that_their_owner_may_not_read_are_read(tmp_path: Path) -> None:
    root = fill(tmp_path / "t", [b"a"])
    (root / "shut").mkdir()
    (root / "shut/b").write_text("b")
    (root / "a").chmod(0)
    (root / "shut").chmod(0)
    assert [e.path for e in scan(root).entries] == ["a", "shut/b"]


def test_an_archive_is_the_same_bytes_whoever_packs_it(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "1"), fill(tmp_path / "2", list(reversed(ODD)))
    for root, mode, when in ((one, 0o600, 1), (two, 0o644, 2_000_000_000)):
        (root / "sub").mkdir()
        (root / "sub/run").write_text("x")
        (root / "sub/run").chmod(0o755)
        for path in root.iterdir():
            if path.is_file():
                path.chmod(mode)
                os.utime(path, (when, when))
        archive.pack(root, scan(root), tmp_path / f"{root.name}.tar.gz")
    packed = (tmp_path / "1.tar.gz").read_bytes()
    assert packed == (tmp_path / "2.tar.gz").read_bytes()
    assert packed[3] == 0, "no file name in the gzip header"
    assert packed[4:8] == bytes(4), "no time in the gzip header"
    with tarfile.open(tmp_path / "1.tar.gz", encoding="utf-8", errors="surrogateescape") as opened:
        members = opened.getmembers()
        assert {m.name for m in members} == {os.fsdecode(n) for n in ODD} | {"sub", "sub/run"}
        assert {(m.uid, m.gid, m.mtime) for m in members} == {(0, 0, 0)}
        assert {m.name: m.mode for m in members}["sub/run"] == 0o755
    with pytest.raises(FileExistsError):
        archive.pack(one, scan(one), tmp_path / "1.tar.gz")


def test_archives_of_long_names_and_of_nothing(tmp_path: Path) -> None:
    root = tmp_path / "t"
    long = Path("d" * 120, "e" * 120, "f" * 120)
    (root / long).parent.mkdir(parents=True)
    (root / long).write_text("far")
    archive.pack(root, scan(root), tmp_path / "long.tar.gz")
    with tarfile.open(tmp_path / "long.tar.gz") as opened:
        assert opened.extractfile(str(long)).read() == b"far"  # type: ignore[union-attr]
    (tmp_path / "empty").mkdir()
    archive.pack(tmp_path / "empty", scan(tmp_path / "empty"), tmp_path / "empty.tar.gz")
    assert len(gzip.decompress((tmp_path / "empty.tar.gz").read_bytes())) % 512 == 0
    with tarfile.open(tmp_path / "empty.tar.gz") as opened:
        assert opened.getnames() == []


def test_packing_and_hashing_do_not_grow_with_the_data(tmp_path: Path) -> None:
    import tracemalloc

    root = tmp_path / "t"
    root.mkdir()
    with (root / "big").open("wb") as stream:
        stream.truncate(64 << 20)
    tracemalloc.start()
    archive.pack(root, scan(root), tmp_path / "big.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_printable_names_stay_on_one_line() -> None:
    assert printable("a\nb\x1b[0m") == r"a\nb\x1b[0m"
    assert printable(os.fsdecode(b"\xff")) == r"\xff"
    assert printable("ünï x") == "ünï x"


def test_a_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "f"
    write_atomic(target, b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_os_faults_in_words(tmp_path: Path) -> None:
    full = os_fault(OSError(28, "x", str(tmp_path / "dir/f")), tmp_path, "cannot write")
    assert str(full) == f"no space left in {tmp_path}/dir (cannot write)"
    assert "free some space" in full.remedy
    other = os_fault(OSError(13, "Permission denied"), tmp_path / "g", "cannot write")
    assert str(other) == f"cannot write: {tmp_path}/g: Permission denied"


def test_copies_are_exact_and_readable(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"\0" * 3_000_000 + b"end")
    (tmp_path / "s").chmod(0o700)
    copy_file(tmp_path / "s", tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == (tmp_path / "s").read_bytes()
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o744


def test_trees_without_write_permission_are_removed(tmp_path: Path) -> None:
    (tmp_path / "t/sub").mkdir(parents=True)
    (tmp_path / "t/sub/f").write_text("1")
    (tmp_path / "t/sub").chmod(0o500)
    remove_tree(tmp_path / "t")
    remove_tree(tmp_path / "t")
    assert not (tmp_path / "t").exists()
