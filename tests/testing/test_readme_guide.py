"""The README's guide to the runtime-testing API: its blocks run, in their order, and its list of names is the list."""

from __future__ import annotations

import re

import pytest
from testing import workspaces

import runner

README = (workspaces.ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = README.partition("## Testing scripts from Python\n")[2].partition("\n## ")[0]


def test_blocks_are_all_in_the_guide():
    assert GUIDE.count("```python") == 5


@pytest.mark.docker
def test_every_block_runs(tmp_path, monkeypatch, xgboost_image, capsys):
    project = workspaces.copy(tmp_path / "project", monkeypatch)
    names: dict[str, object] = {"__name__": "guide"}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL), 1):
        exec(compile(block, f"README block {number}", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("tabular_preprocessing") and ": PASS (" in said[0]
    assert said[1] == "tabular_preprocessing -> xgboost_training: COMPATIBLE (CSV -> CSV)"
    assert (project / "out/metrics/metrics.json").is_file()


def test_names_are_all_listed():
    listed = GUIDE.partition("`from runner import` gives:")[2]
    assert re.findall(r"`(\w+)`", listed) == runner.__all__


def test_room_is_described():
    assert "reserved" not in README.partition("## Architecture")[2].partition("```\n\nWhat keeps")[0]
