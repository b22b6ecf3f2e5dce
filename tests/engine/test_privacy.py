"""Private inputs that cannot be made: the machine's fault, in words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.engine import privacy
from runner.engine.base import BoundInput, Launch
from runner.errors import WorkspaceError


def launch(tmp_path: Path) -> Launch:
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in/f").write_text("1")
    bound = BoundInput("DATA", "/opt/in", tmp_path / "in")
    return cast("Launch", SimpleNamespace(inputs=(bound,), scratch=tmp_path / "scratch"))


def test_a_copy_is_whole_and_made_once(tmp_path: Path) -> None:
    made = privacy.copy(launch(tmp_path), 0)
    assert made.directory is not None
    assert (made.directory / "f").read_text() == "1"
    assert privacy.copy(launch(tmp_path), 0) == made


@pytest.mark.parametrize("words", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_keeps_the_words_of_cp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    text = f"cp: something else\ncp: error writing '/x': {words}\n"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess((), 1, "", text))
    with pytest.raises(WorkspaceError, match=f"input 'DATA' .*{words}") as raised:
        privacy.copy(launch(tmp_path), 0)
    assert "free some space" in raised.value.remedy


def test_another_fault_of_cp_is_named_without_a_false_remedy(tmp_path: Path) -> None:
    given = launch(tmp_path)
    given.scratch.mkdir()
    (given.scratch / "input-0").mkdir()
    (given.inputs[0].host / "f").unlink()
    given.inputs[0].host.rmdir()
    with pytest.raises(WorkspaceError, match="No such file or directory") as raised:
        privacy.copy(given, 0)
    assert raised.value.remedy == ""


def test_a_scratch_directory_that_cannot_be_made_is_the_machines_fault(tmp_path: Path) -> None:
    given = launch(tmp_path)
    given.scratch.write_text("in the way")
    for make in (lambda: privacy.copies(given), lambda: privacy.volumes(cast("Any", None), given)):
        with pytest.raises(WorkspaceError, match=os.strerror(20)):
            make()
