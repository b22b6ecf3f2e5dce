from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.launches import Workbench

from runner.engine.base import StartMode


@pytest.fixture
def bench(engine: Any, tmp_path: Path, python_image: str) -> Workbench:
    return Workbench(engine, tmp_path, engine.image(python_image))


@pytest.fixture(params=list(StartMode))
def mode(request: pytest.FixtureRequest, bench: Workbench) -> StartMode:
    """All three ways to start; on a host that forbids mounts inside containers, staged is not to be had."""
    wanted: StartMode = request.param
    if wanted is StartMode.STAGED and bench.image.mode is not StartMode.STAGED:
        pytest.skip("this host does not let a container mount: the plain way is used instead")
    return wanted
