"""How an input is made private: the order of the ways, what is told, and what a copy keeps. Real file systems."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.agent.copying import copy_tree
from runner.agent.inputs import OPTIONS_SIZE, check_bare, check_whole, make_private, overlay_options
from runner.agent.kernel import Failure
from runner.engine import privacy
from runner.engine.base import BoundInput, Launch
from runner.errors import WorkspaceError

as_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a file system, which needs root")


def refuse(words: str) -> Callable[[], str]:
    def attempt() -> str:
        raise OSError(1, words)

    return attempt


@pytest.mark.parametrize(
    ("wish", "working", "made", "note"),
    [
        ("overlay", "overlay copy read-only", "overlay", None),
        ("overlay", "copy read-only", "copy", "input 'x' is a copy: an overlay cannot be had (no overlay)"),
        (
            "overlay",
            "read-only",
            "read-only",
            "input 'x' is read-only, and a script that writes to it fails: an overlay cannot be had (no overlay), "
            "a copy cannot be had (no copy)",
        ),
        ("copy", "overlay copy read-only", "copy", None),
        (
            "copy",
            "overlay read-only",
            "read-only",
            "input 'x' is read-only, and a script that writes to it fails: a copy cannot be had (no copy)",
        ),
        ("read-only", "overlay copy read-only", "read-only", None),
        ("read-only", "overlay", "read-only", None),
        ("read-only", "copy", "read-only", None),
    ],
)
def test_the_first_way_that_works_is_taken_and_told_unless_it_was_the_wish(
    wish: str, working: str, made: str, note: str | None
) -> None:
    attempts = {
        way: (lambda way=way: way) if way in working.split() else refuse(f"no {way}")
        for way in ("overlay", "copy", "read-only")
    }
    notes: list[str] = []
    assert make_private("x", wish, attempts, notes) == made
    assert notes == ([note] if note else [])


def test_no_way_at_all_names_every_reason() -> None:
    attempts = {way: refuse(f"no {way}") for way in ("overlay", "copy", "read-only")}
    with pytest.raises(Failure, match=r"input 'x' .*\(no overlay\), .*\(no copy\), .*\(no read-only\)"):
        make_private("x", "overlay", attempts, [])


def test_option_strings_are_escaped_and_never_cut_off() -> None:
    options = overlay_options("/a:b,c\\d", "/u p", "/w")
    assert options.startswith("lowerdir=/a\\:b\\,c\\\\d,upperdir=/u p,workdir=/w,")
    fits = OPTIONS_SIZE - len(overlay_options("", "", ""))
    assert len(overlay_options("x" * fits, "", "")) == OPTIONS_SIZE
    with pytest.raises(OSError, match="longer than mount options"):
        overlay_options("x" * (fits + 1), "", "")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Modes, times, links, a hole, a pipe, and names that shells dislike."""
    root = tmp_path / "tree"
    (root / "sub" / "e m,p:t\\y\n").mkdir(parents=True)
    (root / "sub/file").write_bytes(bytes(range(256)) * 9000)
    (root / "sub/empty").touch()
    with (root / "holes").open("wb") as handle:
        handle.seek(8 << 20)
        handle.write(b"end")
        handle.truncate(16 << 20)
    os.link(root / "sub/file", root / "again")
    (root / "link").symlink_to("sub/file")
    (root / "dangling").symlink_to("/nowhere")
    os.mkfifo(root / "pipe")
    (root / "sub/file").chmod(0o4751)
    os.utime(root / "sub/file", ns=(10**18, 10**18 + 123456789))
    (root / "sub").chmod(0o500)
    os.utime(root / "sub", ns=(10**18, 10**18 + 5))
    return root


def seen(root: Path) -> dict[str, tuple[object, ...]]:
    """Type, mode, owner, time and content of everything in a tree."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        link = str(path.readlink()) if path.is_symlink() else None
        owner = (status.st_uid, status.st_gid)
        found[str(path.relative_to(root))] = (status.st_mode, owner, status.st_mtime_ns, content, link)
    return found


def test_a_copy_keeps_all_that_a_script_can_see(tree: Path, tmp_path: Path) -> None:
    if os.getuid() == 0:
        os.chown(tree / "holes", 12345, 54321)
    before = seen(tree)
    assert copy_tree(str(tree), str(tmp_path / "copy")) in ("copy", "reflink")
    assert seen(tmp_path / "copy") == before
    assert seen(tree) == before
    assert (tmp_path / "copy/holes").stat().st_blocks * 512 < 1 << 20
    assert (tmp_path / "copy/again").stat().st_nlink == 1


def test_a_tree_deeper_than_paths_and_recursion_allow_is_copied(tmp_path: Path) -> None:
    from runner.engine import trees

    (tmp_path / "deep").mkdir()
    handle = os.open(tmp_path / "deep", os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    copy_tree(str(tmp_path / "deep"), str(tmp_path / "copy"))
    assert [entry.name for folder in trees.walk(tmp_path / "copy") for entry in folder.entries] == ["leaf"]
    for name in ("deep", "copy"):
        trees.remove(tmp_path / name)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system on a new directory: `disk("-t", "tmpfs", "tmpfs")`."""
    mounted: list[Path] = []

    def mount(*words: str, at: Path | None = None) -> Path:
        place = at or tmp_path / f"disk-{len(mounted)}"
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", *words, place], check=True)
        mounted.append(place)
        return place

    yield mount
    for place in reversed(mounted):
        subprocess.run(["umount", "-l", place], check=True)


@as_root
def test_a_full_disk_keeps_nothing_of_a_copy(tree: Path, disk: Callable[..., Path]) -> None:
    small = disk("-t", "tmpfs", "-o", "size=1m", "tmpfs")
    with pytest.raises(OSError, match="No space left on device"):
        copy_tree(str(tree), str(small / "copy"))
    assert list(small.iterdir()) == []


@as_root
@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_a_copy_shares_its_blocks_where_the_file_system_can(
    kind: str, tree: Path, tmp_path: Path, disk: Callable[..., Path]
) -> None:
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"needs mkfs.{kind}")
    with (tmp_path / "image").open("wb") as handle:
        handle.truncate(512 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", tmp_path / "image"], check=True)
    place = disk("-o", "loop", str(tmp_path / "image"))
    shutil.copytree(tree / "sub", place / "tree")
    with (place / "tree/big").open("wb") as handle:
        handle.write(os.urandom(64 << 20))
    os.sync()
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    assert copy_tree(str(place / "tree"), str(place / "copy")) == "reflink"
    os.sync()
    assert free - os.statvfs(place).f_bavail * os.statvfs(place).f_frsize < 8 << 20
    (place / "copy/big").write_bytes(b"mine")
    assert (place / "tree/big").stat().st_size == 64 << 20


@as_root
def test_a_mount_inside_is_seen_by_a_copy_only(tmp_path: Path, disk: Callable[..., Path]) -> None:
    source = tmp_path / "da ta"
    (source / "in\\side\n").mkdir(parents=True)
    check_whole(str(source))
    check_bare(str(source), [])
    inside = disk("-t", "tmpfs", "tmpfs", at=source / "in\\side\n")
    (inside / "f").write_text("x")
    for check in (lambda: check_whole(str(source)), lambda: check_bare(str(source), [])):
        with pytest.raises(OSError, match=r"another file system is mounted in it, at in\\side\n"):
            check()
    copy_tree(str(source), str(tmp_path / "copy"))
    assert (tmp_path / "copy/in\\side\n/f").read_text() == "x"


def test_a_source_without_the_directory_for_another_mount_is_not_bare(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    check_bare(str(tmp_path), ["there"])
    with pytest.raises(OSError, match="no directory missing"):
        check_bare(str(tmp_path), ["there", "missing"])


def launch(tmp_path: Path, private: str = "copy") -> Launch:
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in/f").write_text("1")
    bound = BoundInput("DATA", "/opt/in", tmp_path / "in", private)
    given = SimpleNamespace(
        inputs=(bound,), outputs=(), config=(), written=(), scratch=tmp_path / "scratch", run_id="r"
    )
    return cast("Launch", given)


NO_ENGINE = cast("Any", None)


def test_a_private_copy_on_the_host(tmp_path: Path) -> None:
    made = privacy.make(NO_ENGINE, launch(tmp_path), 0)
    assert (made.volume, made.read_only, made.notes) == (None, False, ())
    assert made.how in ("copy", "reflink")
    assert made.directory is not None
    assert (made.directory / "f").read_text() == "1"


def test_what_refuses_an_overlay_is_told(tmp_path: Path) -> None:
    made = privacy.make(NO_ENGINE, launch(tmp_path, "overlay"), 0, "the engine is rootless")
    assert made.how in ("copy", "reflink")
    assert made.notes == ("input 'DATA' is a copy: an overlay cannot be had (the engine is rootless)",)


def test_read_only_is_the_source_itself(tmp_path: Path) -> None:
    made = privacy.make(NO_ENGINE, launch(tmp_path, "read-only"), 0)
    assert (made.directory, made.read_only, made.how, made.notes) == (tmp_path / "in", True, "read-only", ())


@as_root
def test_no_way_is_the_machines_fault_with_a_remedy(tmp_path: Path, disk: Callable[..., Path]) -> None:
    """Nothing fits, and a mount inside forbids the rest."""
    given = launch(tmp_path)
    given.scratch.mkdir()
    disk("-t", "tmpfs", "-o", "size=64k", "tmpfs", at=given.scratch)
    inside = disk("-t", "tmpfs", "tmpfs", at=tmp_path / "in/mounted")
    (inside / "big").write_bytes(bytes(1 << 20))
    with pytest.raises(WorkspaceError, match=r"input 'DATA' .*No space left on device.*at mounted") as raised:
        privacy.make(NO_ENGINE, given, 0)
    assert "free some space" in raised.value.remedy


def test_an_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    given = launch(tmp_path)
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(WorkspaceError, match=r"input 'DATA' is not there"):
        privacy.make(NO_ENGINE, given, 0)
