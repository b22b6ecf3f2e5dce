"""A directory with everything that a pipeline file may point to, and a short way to load a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from runner.errors import SpecError
from runner.spec import load
from runner.spec.models import Pipeline

Load = Callable[..., Pipeline]
Refuse = Callable[..., list[str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: `a.py`, `src/main.py`, `data/raw/rows.csv`, `data/empty/`, `data/hollow/` (empty ones)."""
    (tmp_path / "a.py").write_text("print('a')\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("import os\n")
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "rows.csv").write_text("x\n1\n")
    (tmp_path / "data" / "empty").mkdir()
    (tmp_path / "data" / "hollow" / "a" / "b").mkdir(parents=True)
    (tmp_path / "data" / "hollow" / "c").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load_text(project: Path) -> Load:
    def load_it(text: str, name: str = "pipeline.yaml", specs: Path | None = None) -> Pipeline:
        path = project / name
        path.write_text(dedent(text))
        return load(path, specs)

    return load_it


@pytest.fixture
def refuse(load_text: Load) -> Refuse:
    """The lines of the SpecError that loading the text raises."""

    def refuse_it(text: str, name: str = "pipeline.yaml", specs: Path | None = None) -> list[str]:
        with pytest.raises(SpecError) as caught:
            load_text(text, name, specs)
        assert caught.value.exit_code == 2
        return str(caught.value).splitlines()

    return refuse_it
