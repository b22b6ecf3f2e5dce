"""What is told of files that real editors, scripts and hands change, by the kernel's own events and by polling."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.errors import EnvironmentFault
from runner.pipeline import watch_notify
from runner.pipeline.watch_contents import Reader
from runner.pipeline.watch_files import Change, Files
from runner.pipeline.watched import Role, Watched

PATIENCE = 20.0


class Follower:
    """Follows files in a thread, and keeps all that is told."""

    def __init__(self, base: Path, *items: Watched, poll: float | None = None) -> None:
        self.base, self.items = base, items
        self.files = Files(base, [base / "runs"], poll=poll)
        self.told: list[Change] = []
        self._more = threading.Condition()
        self.sentinel = Watched(base / "sentinel", Role.CODE, ("sentinel",))
        self.sentinel.path.write_text("0")
        self.files.follow([*items, self.sentinel])
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for changes in self.files.changes():
            with self._more:
                self.told += changes
                self._more.notify_all()

    def until(self, item: Watched, condition: Callable[[Change], bool] = lambda change: True) -> Change:
        """The first change of `item` that is so; it is taken off, with all before it."""
        with self._more:
            assert self._more.wait_for(
                lambda: any(each.item == item and condition(each) for each in self.told), PATIENCE
            ), self.told
            index = next(n for n, each in enumerate(self.told) if each.item == item and condition(each))
            found = self.told[index]
            self.told = self.told[index + 1 :]
            return found

    def nothing_of(self, item: Watched) -> None:
        """Whatever was done before this call is no change of `item`: a later save of another file is told, alone."""
        self.sentinel.path.write_text(str(time.monotonic_ns()))
        with self._more:
            seen = lambda: any(each.item == self.sentinel for each in self.told)  # noqa: E731
            assert self._more.wait_for(seen, PATIENCE)
            assert not [each for each in self.told if each.item == item], self.told
            self.told.clear()

    def end(self) -> None:
        self.files.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.files.release()


@pytest.fixture(params=["kernel", "polling"])
def follow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def start(*items: Watched) -> Follower:
        made.append(Follower(tmp_path, *items, poll=None if request.param == "kernel" else 0.1))
        return made[-1]

    yield start
    for each in made:
        each.end()


def script(tmp_path: Path, text: str = "old\n") -> Watched:
    path = tmp_path / "step.py"
    path.write_text(text)
    return Watched(path, Role.CODE, ("step",))


def in_place(path: Path) -> None:
    path.write_text("new\n")


def by_rename(path: Path) -> None:
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text("new\n")
    fresh.rename(path)


def removed_first(path: Path) -> None:
    path.unlink()
    path.write_text("new\n")


def backup_first(path: Path) -> None:
    """As vim does with `backupcopy=no`, and as JetBrains' safe write."""
    path.rename(path.with_name(f"{path.name}~"))
    path.write_text("new\n")
    path.with_name(f"{path.name}~").unlink()


def by_vim(path: Path) -> None:
    if shutil.which("vim") is None:
        pytest.skip("needs vim")
    words = ["vim", "-Nes", "-u", "NONE", "-c", "call setline(1, 'new')", "-c", "wq", str(path)]
    subprocess.run(words, check=True, timeout=20, stdin=subprocess.DEVNULL)


def by_link(path: Path) -> None:
    fresh = path.with_name("other.py")
    fresh.write_text("new\n")
    fresh.with_name("link").symlink_to("other.py")
    fresh.with_name("link").rename(path)


@pytest.mark.parametrize("save", [in_place, by_rename, removed_first, backup_first, by_vim, by_link])
def test_every_way_of_saving_is_a_change(follow, tmp_path: Path, save: Callable[[Path], None]) -> None:
    item = script(tmp_path)
    follower = follow(item)
    save(item.path)
    change = follower.until(item)
    assert (change.files, change.gone, str(change)) == (("",), False, f"{item.path} changed")
    assert item.path.read_text() == "new\n"
    removed_first(item.path)
    follower.nothing_of(item)
    item.path.write_text("newer\n")
    follower.until(item)


@pytest.mark.parametrize("save", [in_place, by_rename, removed_first, Path.touch])
def test_equal_bytes_are_no_change(follow, tmp_path: Path, save: Callable[[Path], None]) -> None:
    item = script(tmp_path, "new\n")
    follower = follow(item)
    save(item.path)
    follower.nothing_of(item)


def test_a_change_that_is_taken_back_is_none(follow, tmp_path: Path) -> None:
    item = script(tmp_path)
    follower = follow(item)
    with item.path.open("w") as stream:
        stream.write("new\n")
        stream.flush()
        stream.seek(0)
        stream.write("old\n")
    follower.nothing_of(item)


def test_the_mode_of_a_script_is_content(follow, tmp_path: Path) -> None:
    item = script(tmp_path)
    follower = follow(item)
    item.path.chmod(0o755)
    assert follower.until(item).files == ("",)


def test_same_size_and_same_time_is_a_change_all_the_same(tmp_path: Path) -> None:
    item = script(tmp_path)
    before = item.path.stat()
    follower = Follower(tmp_path, item)
    try:
        item.path.write_text("new\n")
        os.utime(item.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        follower.until(item)
    finally:
        follower.end()


def test_a_file_that_goes_and_comes(follow, tmp_path: Path) -> None:
    item = script(tmp_path)
    follower = follow(item)
    item.path.unlink()
    change = follower.until(item)
    assert change.gone
    assert str(change) == f"{item.path} is gone"
    item.path.write_text("new\n")
    change = follower.until(item)
    assert change.new
    assert str(change) == f"{item.path} appeared"


def test_its_directory_goes_and_comes(follow, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    item = script(folder)
    follower = follow(item)
    shutil.rmtree(tmp_path / "a")
    assert follower.until(item).gone
    folder.mkdir(parents=True)
    item.path.write_text("new\n")
    assert follower.until(item).new


def test_a_directory_is_exchanged_as_a_whole(follow, tmp_path: Path) -> None:
    for name, text in (("src", "old\n"), ("src.new", "new\n")):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "step.py").write_text(text)
    item = Watched(tmp_path / "src" / "sub" / "step.py", Role.CODE, ("step",))
    follower = follow(item)
    (tmp_path / "src").rename(tmp_path / "src.old")
    (tmp_path / "src.new").rename(tmp_path / "src")
    follower.until(item)
    item.path.write_text("newer\n")
    follower.until(item)


def test_a_link_on_the_way_leads_elsewhere(follow, tmp_path: Path) -> None:
    """As releases are switched, and as a mounted ConfigMap is."""
    for name, text in (("one", "old\n"), ("two", "new\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "step.py").write_text(text)
    (tmp_path / "now").symlink_to("one")
    item = Watched(tmp_path / "now" / "step.py", Role.CODE, ("step",))
    follower = follow(item)
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "now")
    follower.until(item)
    (tmp_path / "one" / "step.py").write_text("nobody runs this\n")
    follower.nothing_of(item)
    (tmp_path / "two" / "step.py").write_text("newer\n")
    follower.until(item)


def test_links_that_lead_in_a_circle_are_no_endless_way(follow, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    item = Watched(tmp_path / "a", Role.CODE, ("step",))
    follower = follow(item)
    (tmp_path / "b").unlink()
    (tmp_path / "b").write_text("new\n")
    follower.until(item)


def tree(tmp_path: Path, role: Role = Role.CODE) -> Watched:
    root = tmp_path / "tree"
    (root / "package").mkdir(parents=True)
    (root / "main.py").write_text("old\n")
    (root / "package" / "part.py").write_text("old\n")
    return Watched(root, role, ("step",))


@pytest.mark.parametrize("role", [Role.CODE, Role.DATA])
def test_files_and_directories_come_and_go_in_a_tree(follow, tmp_path: Path, role: Role) -> None:
    item = tree(tmp_path, role)
    follower = follow(item)
    (item.path / "package" / "part.py").write_text("new\n")
    assert follower.until(item).files == ("package/part.py",)
    deep = item.path / "new" / "deeper"
    deep.mkdir(parents=True)
    (deep / "more.csv").write_text("1\n")
    follower.until(item, lambda change: "new/deeper/more.csv" in change.files)
    (deep / "more.csv").write_text("2\n")
    assert follower.until(item).files == ("new/deeper/more.csv",)
    shutil.rmtree(item.path / "new")
    change = follower.until(item)
    assert change.files == ("new/deeper/more.csv",)
    assert not change.gone
    assert str(change) == f"{item.path} changed (new/deeper/more.csv)"


def test_what_editors_and_python_leave_in_a_tree_is_no_change(follow, tmp_path: Path) -> None:
    item = tree(tmp_path)
    follower = follow(item)
    for name in (".main.py.swp", "main.py~", ".#main.py", "#main.py#", "4913", "main.py___jb_tmp___"):
        (item.path / name).write_text("x")
    for name in ("__pycache__", ".git", "package/__pycache__"):
        (item.path / name).mkdir()
        (item.path / name / "x").write_text("x")
    follower.nothing_of(item)


def test_the_run_directories_are_no_one_s_save(follow, tmp_path: Path) -> None:
    """The whole project is a source directory or an input: what the runs write must not start the next run."""
    code, data = Watched(tmp_path, Role.CODE, ("step",)), Watched(tmp_path, Role.DATA, ("other",))
    follower = follow(code, data)
    (tmp_path / "runs" / "1" / "steps").mkdir(parents=True)
    (tmp_path / "runs" / "1" / "steps" / "result.json").write_text("{}")
    follower.sentinel.path.write_text("1")
    for item in (code, data):
        assert follower.until(item).files == ("sentinel",)


def test_links_in_code_are_followed_and_links_in_data_are_text(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.py").write_text("old\n")
    code, data = tree(tmp_path / "c"), tree(tmp_path / "d", Role.DATA)
    for item in (code, data):
        (item.path / "link").symlink_to(outside)
    follower = Follower(tmp_path, code, data)
    try:
        (outside / "x.py").write_text("new\n")
        assert follower.until(code).files == ("link/x.py",)
        (outside.parent / "single.py").write_text("old\n")
        (code.path / "single").symlink_to(outside.parent / "single.py")
        assert follower.until(code).files == ("single",)
        (outside.parent / "single.py").write_text("new\n")
        assert follower.until(code).files == ("single",)
        follower.nothing_of(data)
        (data.path / "link").unlink()
        (data.path / "link").symlink_to("elsewhere")
        assert follower.until(data).files == ("link",)
    finally:
        follower.end()


def test_only_specs_count_in_a_directory_of_specs(follow, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    item = Watched(folder, Role.SPECS, names="_runtime_test_spec.json")
    follower = follow(item)
    (folder / "notes.txt").write_text("x")
    follower.nothing_of(item)
    (folder / "a_runtime_test_spec.json").write_text("{}")
    assert follower.until(item).files == ("a_runtime_test_spec.json",)


def test_a_large_file_counts_by_its_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.pipeline.watch_contents.LIMIT", 3)
    item = script(tmp_path)
    follower = Follower(tmp_path, item)
    try:
        item.path.touch()
        follower.until(item)
    finally:
        follower.end()


def test_a_file_that_is_written_slowly_is_told_when_it_is_whole(tmp_path: Path) -> None:
    """By the kernel's events: as long as its writer has it open, and goes on writing, no half of it is told."""
    item = script(tmp_path)
    follower = Follower(tmp_path, item)
    try:
        with item.path.open("w") as stream:
            for part in range(20):
                stream.write(f"{part}\n")
                stream.flush()
                time.sleep(0.01)
        follower.until(item)
        follower.nothing_of(item)
    finally:
        follower.end()


def test_a_burst_ends_with_what_was_saved_last(follow, tmp_path: Path) -> None:
    item = script(tmp_path)
    follower = follow(item)
    for number in range(100):
        item.path.write_text(f"{number}\n")
    follower.until(item)
    follower.nothing_of(Watched(tmp_path / "nobody", Role.CODE))
    assert follower.files._contents[item] == follower.files._reader.read(item, frozenset(), anything)


def anything(path: Path, *, link: bool) -> None:
    """Nothing is watched."""


class Clumsy:
    """Does one thing after the other to a tree, whatever there is."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root, random.Random(seed)

    def go(self) -> None:
        path, other = self._path(), self._path()
        with contextlib.suppress(OSError, shutil.Error):
            match self.random.choice(("write", "write", "append", "remove", "mkdir", "move", "link", "touch", "copy")):
                case "write":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(str(self.random.random()))
                case "append":
                    with path.open("a") as stream:
                        stream.write("x")
                case "remove":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                case "mkdir":
                    path.mkdir(parents=True)
                case "move":
                    path.rename(other)
                case "link":
                    path.symlink_to(other.relative_to(self.root))
                case "touch":
                    path.touch()
                case "copy":
                    shutil.copytree(path, other, symlinks=True)

    def _path(self) -> Path:
        return self.root.joinpath(*self.random.choices("abc", k=self.random.randint(1, 3)))


@pytest.mark.parametrize("role", [Role.CODE, Role.DATA])
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_in_a_tree_what_is_known_is_what_is_there(tmp_path: Path, role: Role, seed: int) -> None:
    item = tree(tmp_path, role)
    follower, clumsy = Follower(tmp_path, item), Clumsy(item.path, seed)
    try:
        for _ in range(12):
            for _ in range(clumsy.random.randint(1, 6)):
                clumsy.go()
            follower.nothing_of(Watched(tmp_path / "nobody", Role.CODE))
            there = Reader().read(item, frozenset(), anything)
            assert follower.files._contents[item] == there
    finally:
        follower.end()


def test_what_is_followed_no_more_is_not_told(follow, tmp_path: Path) -> None:
    item, other = script(tmp_path), tree(tmp_path)
    follower = follow(item)
    follower.files.follow([other, follower.sentinel])
    item.path.write_text("new\n")
    follower.nothing_of(item)
    (other.path / "main.py").write_text("new\n")
    follower.until(other)
    assert follower.files.count == 3


def test_nothing_is_lost_between_two_lists(tmp_path: Path) -> None:
    """Of a file that is in both, a save that nobody has looked at yet."""
    item = script(tmp_path)
    files = Files(tmp_path)
    files.follow([item])
    item.path.write_text("new\n")
    again = Watched(item.path, item.role, ("step", "another"))
    files.follow([again])
    assert [change.item for change in next(files.changes())] == [again]
    files.close()
    files.release()


def test_no_inotify_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "inotify_simple", None)
    with pytest.raises(EnvironmentFault) as raised:
        Files(tmp_path)
    assert "--poll 1" in raised.value.remedy
    Files(tmp_path, poll=1.0).release()


@pytest.mark.parametrize("kind", ["nfs4", "fuse.sshfs", "9p"])
def test_a_silent_file_system_is_polled_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(watch_notify, "_file_system", lambda path: kind)
    monkeypatch.setattr("runner.pipeline.watch_files.POLL", 0.1)
    item = script(tmp_path)
    follower = Follower(tmp_path, item)
    try:
        assert dict(follower.files.polled)[item] == f"on {kind}, of which the kernel does not tell everything"
        item.path.write_text("new\n")
        follower.until(item)
    finally:
        follower.end()


def test_too_many_directories_are_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import inotify_simple

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.pipeline.watch_files.POLL", 0.1)
    monkeypatch.setattr(inotify_simple.INotify, "add_watch", full)
    item = script(tmp_path)
    follower = Follower(tmp_path, item)
    try:
        assert "max_user_watches" in dict(follower.files.polled)[item]
        item.path.write_text("new\n")
        follower.until(item)
    finally:
        follower.end()


def test_events_that_the_kernel_dropped_are_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = script(tmp_path)
    notice = watch_notify.Notifier.read

    def forgetful(self: watch_notify.Notifier) -> watch_notify.Heard:
        heard = notice(self)
        return watch_notify.Heard(lost=bool(heard.changed))

    monkeypatch.setattr(watch_notify.Notifier, "read", forgetful)
    follower = Follower(tmp_path, item)
    try:
        item.path.write_text("new\n")
        follower.until(item)
    finally:
        follower.end()


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    follower = Follower(tmp_path, script(tmp_path), tree(tmp_path))
    follower.end()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
