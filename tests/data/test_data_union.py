"""What several hosts wrote to one output, brought together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.data.reading import Stopped, Unfit
from runner.data.union import unite


class Hosts:
    """Two or more hosts' directories, and the union's."""

    def __init__(self, root: Path, *trees: dict[str, str]) -> None:
        self.target = root / "union"
        self.target.mkdir()
        self.parts = []
        for number, tree in enumerate(trees, 1):
            part = root / f"part-{number}"
            part.mkdir()
            for name, text in tree.items():
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                (part / name).write_text(text)
            self.parts.append((f"algo-{number}", part))

    def unite(self) -> list[str]:
        return unite("out", self.parts, self.target)

    @property
    def files(self) -> dict[str, str]:
        found = [path for path in self.target.rglob("*") if path.is_file() and not path.is_symlink()]
        return {str(path.relative_to(self.target)): path.read_text() for path in found}


def test_different_paths_are_all_there(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {"a": "1", "d/a": "1"}, {"b": "2", "d/b": "2", "e/f/g": "2"}, {"d/h/c": "3"})
    assert hosts.unite() == []
    assert hosts.files == {"a": "1", "d/a": "1", "b": "2", "d/b": "2", "e/f/g": "2", "d/h/c": "3"}


def test_of_one_path_the_first_host_s_file_is_kept_and_named(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {"d/a": "1", "same": "x"}, {"d/a": "2", "same": "x", "b": "2"}, {"b": "3", "same": "y"})
    first, second, third = sorted(hosts.unite())
    assert "b was written by algo-2 and algo-3: that of algo-2 is kept" in first
    assert "d/a was written by algo-1 and algo-2: that of algo-1 is kept" in second
    assert "same was written by algo-1 and algo-3" in third
    assert hosts.files == {"d/a": "1", "same": "x", "b": "2"}


def test_a_file_where_another_has_a_directory_is_a_clash(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {"a": "1", "b/c": "1"}, {"a/x/y": "2", "b": "2", "new/z": "2"}, {"new": "3"})
    warnings = sorted(hosts.unite())
    assert [text.split(" was")[0] for text in warnings] == [
        "output 'out': a/x/y", "output 'out': b", "output 'out': new"
    ]  # fmt: skip
    assert "that of algo-2 is kept" in warnings[2]
    assert hosts.files == {"a": "1", "b/c": "1", "new/z": "2"}


def test_links_are_never_followed_and_never_win(tmp_path: Path) -> None:
    """A script chooses where its links point: nothing of another host's may be written there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    hosts = Hosts(tmp_path, {"kept": "1"}, {"d/a": "2", "e": "2"})
    (tmp_path / "part-1" / "d").symlink_to(outside)
    (tmp_path / "part-1" / "e").symlink_to(outside / "e")
    (tmp_path / "part-2" / "kept").symlink_to("/etc/passwd")
    (tmp_path / "part-2" / "only").symlink_to("/etc/passwd")
    assert hosts.unite() == []
    assert list(outside.iterdir()) == []
    assert hosts.files == {"kept": "1", "d/a": "2", "e": "2"}
    assert (hosts.target / "only").is_symlink()  # for the manifest to name


def test_empty_directories_stay_for_the_manifest_to_name(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {}, {})
    (tmp_path / "part-2" / "d" / "empty").mkdir(parents=True)
    assert hosts.unite() == []
    assert (hosts.target / "d" / "empty").is_dir()


def test_many_clashes_are_counted(tmp_path: Path) -> None:
    names = [f"{n:02}" for n in range(20)]
    hosts = Hosts(tmp_path, dict.fromkeys(names, "1"), dict.fromkeys(names, "2"))
    warnings = hosts.unite()
    assert len(warnings) == 6
    assert "and 15 more paths" in warnings[-1]


def test_what_a_script_shut_is_opened(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {"d/a": "1", "same": "x"}, {"d/b": "2", "same": "x"})
    for path in (tmp_path / "part-1" / "d", tmp_path / "part-2" / "d"):
        path.chmod(0o500)
    (tmp_path / "part-2" / "same").chmod(0)
    assert hosts.unite() == []
    assert hosts.files == {"d/a": "1", "d/b": "2", "same": "x"}


def test_a_tree_deeper_than_any_path_is_no_crash(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {"a": "1"}, {"b": "2"})
    here = os.open(tmp_path / "part-2", os.O_RDONLY)
    for _ in range(100):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    assert hosts.unite() == []
    assert hosts.files == {"a": "1", "b": "2"}
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    hosts.parts[0] = ("algo-1", hosts.target)
    with pytest.raises(Unfit, match="the path of a file has"):
        unite("out", hosts.parts, tmp_path / "again")


def test_a_stop_ends_the_comparison(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, {}, {})
    for _, part in hosts.parts:
        with (part / "big").open("wb") as stream:
            stream.truncate(130 << 20)
    with pytest.raises(Stopped):
        unite("out", hosts.parts, hosts.target, lambda: True)
