"""What is laid out for a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.data.materialise import code_file, code_tree, single_file
from runner.errors import WorkspaceError


def test_a_single_file_is_alone_and_a_copy_that_later_edits_do_not_reach(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "b.csv").write_text("2")
    placed = single_file(tmp_path / "a.csv", tmp_path / "in/x")
    assert [p.name for p in placed.parent.iterdir()] == ["a.csv"]
    with (tmp_path / "a.csv").open("r+") as stream:
        stream.write("3")
    assert placed.read_text() == "1"


@pytest.mark.parametrize("mode", [0o600, 0o755])
def test_a_single_file_has_the_mode_that_s3_would_give(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "a.csv").chmod(mode)
    assert single_file(tmp_path / "a.csv", tmp_path / "x").stat().st_mode & 0o7777 == 0o644


def test_a_symlink_gives_its_target_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("1")
    (tmp_path / "name.csv").symlink_to("real.csv")
    placed = single_file(tmp_path / "name.csv", tmp_path / "x")
    assert placed.name == "name.csv"
    assert not placed.is_symlink()
    assert placed.read_text() == "1"


@pytest.mark.parametrize("place", [single_file, code_file])
def test_what_is_no_file_is_refused(tmp_path: Path, place: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, message in (("pipe", "neither a file nor"), ("none", "cannot read"), ("loop", "cannot read")):
        with pytest.raises(WorkspaceError, match=message):
            place(tmp_path / name, tmp_path / "x")  # type: ignore[operator]
    assert not (tmp_path / "x").exists()


def test_code_is_a_copy_that_later_edits_do_not_reach(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    placed = code_file(tmp_path / "a.py", tmp_path / "code")
    (tmp_path / "a.py").write_text("2")
    assert placed.read_text() == "1"


def test_a_source_tree_is_copied_without_its_litter(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for name in ("pkg/__pycache__/x.pyc", ".git/config", "pkg/mod.py", "runs/latest/huge", ".hidden"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "linked.py").symlink_to("pkg/mod.py")
    (source / "pkg/up").symlink_to("..")
    os.mkfifo(source / "pipe")
    strange = code_tree(source, tmp_path / "code", leave_out=source / "runs")
    assert strange == ("pipe",)
    found = sorted(str(p.relative_to(tmp_path / "code")) for p in (tmp_path / "code").rglob("*") if p.is_file())
    assert found == [".hidden", "linked.py", "pkg/mod.py"]
    assert not (tmp_path / "code/linked.py").is_symlink()


def test_a_tree_that_holds_the_run_directory_does_not_copy_itself(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    code_tree(tmp_path, tmp_path / "runs/r1/code", leave_out=tmp_path / "runs")
    assert [p.name for p in (tmp_path / "runs/r1/code").iterdir()] == ["a.py"]


def test_a_broken_symlink_in_the_code_is_named(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/gone.py").symlink_to("nowhere")
    with pytest.raises(WorkspaceError, match=r"gone\.py"):
        code_tree(tmp_path / "src", tmp_path / "code")
    with pytest.raises(WorkspaceError, match="no directory"):
        code_tree(tmp_path / "none", tmp_path / "code2")
