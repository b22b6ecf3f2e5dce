"""Trees that a script can make in an instant and that would hang or break who reads them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from runner.data import archive, reading
from runner.data.files import foreign, remove_tree, shortened
from runner.data.manifest import file_manifest, scan
from runner.data.publish import Judgement, judge, publish
from runner.data.reading import Stopped, Unfit
from runner.engine import sweep, trees
from runner.engine.base import BoundOutput, Verdict
from runner.sagemaker.job import OutputMount

REMOVERS = [remove_tree, sweep.remove_tree, trees.remove]


def deep(root: Path, levels: int, name: str = "d") -> None:
    """Nested directories below a new directory, deeper than any path can say; a file in the last."""
    root.mkdir(parents=True)
    above = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=above)
        below = os.open(name, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)


def mount(name: str = "out", packed: str | None = None) -> OutputMount:
    return OutputMount(name=name, target=f"/opt/{name}", archive=packed, allow_empty=False)


def judged(attempt: Path, packed: str | None = None) -> Judgement:
    return judge([mount(packed=packed)], [BoundOutput("out", "/opt/out", attempt)])


@pytest.mark.parametrize("remove", REMOVERS)
def test_a_tree_deeper_than_a_path_can_say_is_removed(tmp_path: Path, remove: object) -> None:
    deep(tmp_path / "t", 3000, "dd")
    remove(tmp_path / "t")  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("remove", REMOVERS)
def test_a_removal_does_not_follow_symlinks(tmp_path: Path, remove: object) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/f").write_text("1")
    (tmp_path / "t/sub").mkdir(parents=True)
    (tmp_path / "t/sub/link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "t")  # type: ignore[operator]
    assert [p.name for p in tmp_path.rglob("*")] == ["kept", "f"]


def test_what_cannot_be_removed_does_not_save_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/f", "b/kept", "c/f"):
        (tmp_path / "t" / name).parent.mkdir(parents=True)
        (tmp_path / "t" / name).write_text("1")
    real = os.unlink

    def unlink(name: str, *, dir_fd: int) -> None:
        if name == "kept":
            raise PermissionError(13, "Permission denied", name)
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(PermissionError) as raised:
        trees.remove(tmp_path / "t")
    assert raised.value.filename == str(tmp_path / "t/b/kept")
    assert sorted(p.name for p in (tmp_path / "t").rglob("*")) == ["b", "kept"]
    sweep.remove_tree(tmp_path / "t")
    monkeypatch.undo()
    sweep.remove_tree(tmp_path / "t")
    assert not (tmp_path / "t").exists()


def descriptors() -> int:
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.is_dir() else 0


def test_a_walk_visits_every_directory_twice_and_leaves_no_descriptor(tmp_path: Path) -> None:
    for name in ("a/b", "a/c", "d"):
        (tmp_path / "t" / name).mkdir(parents=True)
    (tmp_path / "t/a/f").write_text("1")
    before = descriptors()
    seen = [(folder.path, folder.leaving) for folder in trees.walk(tmp_path / "t")]
    next(iter(trees.walk(tmp_path / "t")))
    assert sorted(path for path, leaving in seen if not leaving) == ["", "a", "a/b", "a/c", "d"]
    assert sorted(path for path, leaving in seen if leaving) == ["", "a", "a/b", "a/c", "d"]
    assert seen.index(("a", False)) < seen.index(("a/b", False)) < seen.index(("a/b", True)) < seen.index(("a", True))
    assert descriptors() == before


def test_a_path_that_s3_cannot_hold_is_an_invalid_output(tmp_path: Path) -> None:
    deep(tmp_path / "t", 1500)
    found = judged(tmp_path / "t")
    assert found.verdict is Verdict.INVALID_OUTPUT
    assert "output 'out': the path of a file has 3001 bytes and may have 1024 (S3's limit for a key): d/d/" in (
        found.reason
    )
    assert len(found.reason) < 300


def test_the_longest_path_that_s3_can_hold_is_published(tmp_path: Path) -> None:
    deep(tmp_path / "t", 511, "d")  # 511 times "d/", and "f": 1023 bytes
    (tmp_path / "t/ü").write_text("1")
    found = judged(tmp_path / "t")
    assert found.verdict is Verdict.PASSED
    publish(found.outputs, tmp_path / "outputs", tmp_path / "outputs.json")
    assert (tmp_path / "outputs/out" / ("d/" * 511) / "f").is_file()
    assert scan(tmp_path / "outputs/out").digest == found.outputs[0].manifest.digest


def test_an_archive_holds_longer_paths_than_s3(tmp_path: Path) -> None:
    deep(tmp_path / "t", 1000)
    found = judged(tmp_path / "t", "model.tar.gz")
    assert found.verdict is Verdict.PASSED
    publish(found.outputs, tmp_path / "outputs", tmp_path / "outputs.json")
    with tarfile.open(tmp_path / "outputs/out/model.tar.gz") as packed:
        assert "d/" * 1000 + "f" in packed.getnames()
    deep(tmp_path / "u", 1600)
    assert judged(tmp_path / "u", "model.tar.gz").verdict is Verdict.INVALID_OUTPUT


def test_deep_directories_without_a_file_are_left_out(tmp_path: Path) -> None:
    deep(tmp_path / "t", 1500)
    for folder in trees.walk(tmp_path / "t"):
        for entry in folder.entries:
            os.unlink(entry.name, dir_fd=folder.descriptor)
    (tmp_path / "t/f").write_text("1")
    found = judged(tmp_path / "t")
    assert found.verdict is Verdict.PASSED
    assert "(empty directory)" in found.warnings[0]
    publish(found.outputs, tmp_path / "outputs", tmp_path / "outputs.json")
    assert [p.name for p in (tmp_path / "outputs/out").iterdir()] == ["f"]


def hollow(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


@pytest.mark.parametrize("packed", [None, "model.tar.gz"])
def test_a_file_that_is_nearly_all_hole_is_an_invalid_output(tmp_path: Path, packed: str | None) -> None:
    hollow(tmp_path / "t/sub/huge", 1 << 41)
    found = judged(tmp_path / "t", packed)
    assert found.verdict is Verdict.INVALID_OUTPUT
    assert "output 'out': sub/huge claims 2,199,023,255,552 bytes and has 0 on disk" in found.reason


def test_a_file_with_holes_of_a_usual_size_is_read(tmp_path: Path) -> None:
    hollow(tmp_path / "t/f", 8 << 20)
    assert judged(tmp_path / "t").outputs[0].manifest.size == 8 << 20


class Asked:
    """No stop at the first questions, then one."""

    def __init__(self, after: int = 0) -> None:
        self.left = after
        self.times = 0

    def __call__(self) -> bool:
        self.times += 1
        self.left -= 1
        return self.left < 0


def test_a_stop_ends_the_reading_of_a_large_file(tmp_path: Path) -> None:
    hollow(tmp_path / "t/f", reading.HOLLOW_SIZE)
    for stopped in (Asked(), Asked(1)):
        with pytest.raises(Stopped):
            scan(tmp_path / "t", stopped)
        assert stopped.times <= 2
        with pytest.raises(Stopped):
            file_manifest(tmp_path / "t/f", stopped)


def test_a_stop_ends_the_reading_of_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BETWEEN", 1 << 20)
    (tmp_path / "t").mkdir()
    for number in range(100):
        (tmp_path / "t" / str(number)).touch()
    with pytest.raises(Stopped):
        scan(tmp_path / "t", Asked())


def test_what_takes_a_moment_is_finished_though_a_stop_is_asked_for(tmp_path: Path) -> None:
    hollow(tmp_path / "t/f", 1 << 20)
    assert scan(tmp_path / "t", Asked()).size == 1 << 20


def test_a_stop_while_packing_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hollow(tmp_path / "t/f", 32 << 20)
    found = judged(tmp_path / "t", "model.tar.gz")
    monkeypatch.setattr(reading, "_BETWEEN", 4 << 20)
    with pytest.raises(Stopped):
        publish(found.outputs, tmp_path / "outputs", tmp_path / "outputs.json", Asked(2))
    assert [p.name for p in tmp_path.iterdir()] == ["t"]
    with pytest.raises(Stopped):
        archive.pack(tmp_path / "t", found.outputs[0].manifest, tmp_path / "x.tar.gz", Asked())


def test_published_files_have_the_modes_that_s3_would_give(tmp_path: Path) -> None:
    (tmp_path / "t/shut").mkdir(parents=True)
    for name, mode in (("run", 0o755), ("shut/secret", 0o600), ("set", 0o4777)):
        (tmp_path / "t" / name).write_text("1")
        (tmp_path / "t" / name).chmod(mode)
    (tmp_path / "t/shut").chmod(0o700)
    (tmp_path / "t").chmod(0o777)
    found = judged(tmp_path / "t")
    publish(found.outputs, tmp_path / "outputs", tmp_path / "outputs.json")
    modes = {str(p.relative_to(tmp_path)): stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "outputs").rglob("*")}
    assert modes == {
        "outputs/out": 0o755, "outputs/out/shut": 0o755,
        "outputs/out/run": 0o644, "outputs/out/set": 0o644, "outputs/out/shut/secret": 0o644,
    }  # fmt: skip


def test_what_is_no_file_is_taken_out_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "t/only/links").mkdir(parents=True)
    (tmp_path / "t/only/links/l").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "t/pipe")
    (tmp_path / "t/f").write_text("1")
    found = judged(tmp_path / "t")
    publish(found.outputs, tmp_path / "outputs", tmp_path / "outputs.json")
    assert [p.name for p in (tmp_path / "outputs/out").rglob("*")] == ["f"]


FOREIGN = """
import os, sys
from pathlib import Path
from runner.data.files import foreign, remove_tree
from runner.data.manifest import scan
root = Path(sys.argv[1])
os.setgid(65534); os.setuid(65534)
(root / "own/shut").mkdir(parents=True)
(root / "own/shut/f").write_text("1")
(root / "own/shut").chmod(0)
print(foreign(root / "own"), foreign(root / "other"), foreign(root / "mixed"), len(scan(root / "own").entries))
(root / "own/shut").chmod(0)
remove_tree(root / "own")
print((root / "own").exists())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_shut_directories_are_opened_or_count_as_another_users() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # every user can reach it
        root = Path(name)
        root.chmod(0o777)
        (root / "other/shut").mkdir(parents=True)
        (root / "other/shut").chmod(0)
        (root / "mixed").mkdir()
        (root / "mixed/f").write_text("1")
        done = subprocess.run([sys.executable, "-c", FOREIGN, name], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("False True True 1\nFalse\n", "")


def test_a_directory_that_stays_shut_counts_as_anothers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid or 12345)
    assert isinstance(foreign(tmp_path), bool)
    monkeypatch.setattr(trees, "walk", refuse)
    assert foreign(tmp_path)


def test_a_root_that_is_no_directory_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1")
    with pytest.raises(NotADirectoryError) as raised:
        scan(tmp_path / "f")
    assert raised.value.filename == str(tmp_path / "f")
    with pytest.raises(Unfit, match="nearly all hole"):
        scan(hollow(tmp_path / "t/f", 1 << 40).parent)


def test_long_names_are_shown_short() -> None:
    assert shortened("a/b") == "a/b"
    assert len(shortened("d/" * 5000)) == 160
