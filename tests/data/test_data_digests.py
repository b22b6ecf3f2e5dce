"""Digests that are remembered by `stat`: when a file is read again, and what does not count."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.data import digests
from runner.data.digests import RACY, Changing, Digests
from runner.data.reading import Reading, Stopped

LATER = 10 * RACY


class Counted(Reading):
    """Counts the files that are read."""

    read = 0

    def sha256(self, stream):  # type: ignore[no-untyped-def]
        Counted.read += 1
        return super().sha256(stream)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many files were read since the last call."""
    monkeypatch.setattr(digests, "Reading", Counted)
    Counted.read = 0

    def since() -> int:
        found, Counted.read = Counted.read, 0
        return found

    return since


def memory(tmp_path: Path, told: list[str] | None = None, later: int = LATER) -> Digests:
    """As seen some time after all the files were written."""
    place = tmp_path / "memory"
    place.mkdir(exist_ok=True)
    warn = (told if told is not None else []).append
    return Digests(place, warn, clock=lambda: time.time_ns() + later)


def data(tmp_path: Path, files: int = 3) -> Path:
    root = tmp_path / "data"
    (root / "deep").mkdir(parents=True)
    for number in range(files):
        (root / "deep" / f"{number}.csv").write_text(f"{number}\n")
    return root


def test_a_tree_is_read_once(tmp_path: Path, reads: Callable[[], int]) -> None:
    root = data(tmp_path)
    first = memory(tmp_path).tree(root)
    assert reads() == 3
    assert memory(tmp_path).tree(root) == first
    assert reads() == 0


@pytest.mark.parametrize("touch", [True, False])
def test_a_touched_file_is_read_again_and_has_the_same_digest(
    tmp_path: Path, reads: Callable[[], int], touch: bool
) -> None:
    root = data(tmp_path)
    first = memory(tmp_path).tree(root)
    reads()
    if touch:
        os.utime(root / "deep/1.csv", ns=(1, 1))
    again = memory(tmp_path).tree(root)
    assert reads() == int(touch)
    assert again.digest == first.digest
    assert (again.state == first.state) is not touch


def _byte(root: Path) -> None:
    """The same size, and the time of change set back."""
    path = root / "deep/1.csv"
    times = path.stat()
    path.write_text("9\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "byte": _byte,
    "name": lambda root: (root / "deep/1.csv").rename(root / "deep/7.csv"),
    "mode": lambda root: (root / "deep/1.csv").chmod(0o755),
    "empty directory": lambda root: (root / "new").mkdir(),
    "link": lambda root: (root / "link").symlink_to("deep/1.csv"),
    "gone": lambda root: (root / "deep/1.csv").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_a_digest(tmp_path: Path, change: str) -> None:
    root = data(tmp_path)
    before = memory(tmp_path).tree(root)
    CHANGES[change](root)
    after = memory(tmp_path).tree(root)
    assert after.digest != before.digest
    assert after.state != before.state


def test_code_is_seen_as_its_copy_will_be(tmp_path: Path) -> None:
    root = data(tmp_path)
    (root / "outside").symlink_to(tmp_path / "script.py")
    (tmp_path / "script.py").write_text("1")
    (root / "__pycache__").mkdir()
    first = Digests(None, print).code(root)
    assert "outside" in first.files
    (root / "__pycache__" / "x.pyc").write_text("x")
    (root / "deep/1.csv").chmod(0o600)  # readable in the copy all the same
    assert Digests(None, print).code(root).digest == first.digest
    (tmp_path / "script.py").write_text("2")
    assert Digests(None, print).code(root).digest != first.digest
    (tmp_path / "script.py").write_text("1")
    (tmp_path / "script.py").chmod(0o755)
    assert Digests(None, print).code(root).digest != first.digest


@pytest.mark.parametrize("later", [0, -LATER], ids=["a moment ago", "in the future"])
def test_what_was_changed_just_now_or_in_the_future_is_not_remembered(
    tmp_path: Path, reads: Callable[[], int], later: int
) -> None:
    root = data(tmp_path)
    for _ in range(2):
        memory(tmp_path, later=later).tree(root)
        assert reads() == 3


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 0, "files": {}}', '{"version": 1, "files": {"deep/1.csv": [[1], "x"]}}']
)
def test_a_memory_that_cannot_be_used_is_made_anew_with_a_warning(
    tmp_path: Path, reads: Callable[[], int], content: str
) -> None:
    root = data(tmp_path)
    first = memory(tmp_path).tree(root)
    (place,) = (tmp_path / "memory").iterdir()
    place.write_text(content)
    reads()
    told: list[str] = []
    assert memory(tmp_path, told).tree(root) == first
    assert reads() == 3
    assert [text for text in told if "made anew" in text]
    assert memory(tmp_path, told).tree(root) == first
    assert reads() == 0


def test_a_memory_that_is_gone_is_told_once_and_costs_nothing_else(tmp_path: Path) -> None:
    root = data(tmp_path)
    told: list[str] = []
    seen = memory(tmp_path, told)
    first = seen.tree(root)
    for path in (tmp_path / "memory").iterdir():
        path.unlink()
    (tmp_path / "memory").rmdir()
    assert seen.tree(root) == first
    (text,) = told
    assert "cannot be remembered" in text


class _Busy(Counted):
    """Somebody writes while a file is read."""

    path: Path

    def sha256(self, stream):  # type: ignore[no-untyped-def]
        found = super().sha256(stream)
        with _Busy.path.open("a") as file:
            file.write("more\n")
        return found


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = data(tmp_path)
    monkeypatch.setattr(digests, "Reading", _Busy)
    _Busy.path = root / "deep/1.csv"
    with pytest.raises(Changing, match=r"1\.csv changes while it is read"):
        memory(tmp_path).tree(root)


def test_a_stop_ends_the_reading(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    with (root / "large").open("wb") as file:
        file.truncate(256 << 20)
    with pytest.raises(Stopped):
        Digests(None, print, lambda: True).tree(root)


def test_names_that_are_no_text(tmp_path: Path, reads: Callable[[], int]) -> None:
    root = data(tmp_path, 0)
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\n.csv")).write_text("x")
    first = memory(tmp_path).tree(root)
    reads()
    assert memory(tmp_path).tree(root) == first
    assert reads() == 0
    assert [json.loads(path.read_bytes())["version"] for path in (tmp_path / "memory").iterdir()] == [1]


def test_five_thousand_files_are_looked_at_in_a_fraction_of_the_time_that_reading_takes(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(5000):
        (root / f"{number}.bin").write_bytes(b"%d" % number * 4000)

    def timed(seen: Digests) -> float:
        began = time.process_time()
        seen.tree(root)
        return time.process_time() - began

    whole = min(timed(Digests(None, print)) for _ in range(2))
    memory(tmp_path).tree(root)
    assert min(timed(memory(tmp_path)) for _ in range(3)) < 0.5 * whole
