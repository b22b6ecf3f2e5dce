"""Directories of the user's that a step reads in place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.data.hostdata import look


def filled(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "a").write_text("1")
    (root / "sub/b").write_text("2")
    (root / "in").symlink_to("sub/b")
    (root / "sub/up").symlink_to("../a")
    return root


def longer(root: Path) -> None:
    with (root / "sub/b").open("a") as stream:
        stream.write("x")


def in_place(root: Path) -> None:
    """Same size, another time."""
    (root / "a").write_text("9")
    os.utime(root / "a", ns=(1, 1))


def relinked(root: Path) -> None:
    status = (root / "in").lstat()
    (root / "in").unlink()
    (root / "in").symlink_to("sub/c")
    os.utime(root / "in", ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


CHANGES: list[Callable[[Path], object]] = [
    longer,
    in_place,
    relinked,
    lambda root: (root / "new").touch(),
    lambda root: (root / "empty").mkdir(),
    lambda root: (root / "sub/b").unlink(),
    lambda root: (root / "sub/b").rename(root / "sub/c"),
    lambda root: root.rename(root.with_name("gone")),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    seen = look("DATA", filled(tmp_path / "data"))
    change(tmp_path / "data")
    assert seen.change() == "input DATA changed on the host while the step ran"


def test_reading_is_no_change(tmp_path: Path) -> None:
    seen = look("DATA", filled(tmp_path / "data"))
    (tmp_path / "data/a").read_text()
    (tmp_path / "data/a").chmod(0o600)
    assert seen.change() is None
    assert seen.warning() is None


def test_links_that_lead_out_are_named_up_to_three(tmp_path: Path) -> None:
    root = filled(tmp_path / "data")
    (root / "sub/x").symlink_to("../../elsewhere")
    assert look("DATA", root).warning() == (
        "link 'sub/x' points outside of input DATA and cannot be followed in the container"
    )
    for name, target in (("abs", str(root / "a")), ("parent", ".."), ("etc", "/etc/passwd"), ("z", "sub/../../z")):
        (root / name).symlink_to(target)
    assert look("DATA", root).warning() == (
        "links 'abs', 'etc', 'parent' and 2 more point outside of input DATA and cannot be followed in the container"
    )


def test_what_cannot_be_seen_is_no_fault(tmp_path: Path) -> None:
    seen = look("DATA", tmp_path / "nowhere")
    assert seen.change() is None
    (tmp_path / "nowhere").mkdir()
    assert seen.change() is not None
