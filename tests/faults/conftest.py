from __future__ import annotations

from pathlib import Path

import pytest
from faults.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, python_image: str) -> Workspace:
    return Workspace(tmp_path / "ws")
