from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pool.warmed import Warmed, end_keeper

from runner.engine import connect
from runner.engine.base import StartMode
from runner.engine.pool.link import open_or_start


@pytest.fixture
def pool_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pool of the test's own; its keeper is gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="rp-", dir="/tmp"))  # a socket's path may not be long
    monkeypatch.setenv("RUN_PIPELINE_POOL", str(path))
    yield path
    end_keeper(path)
    shutil.rmtree(path)


@pytest.fixture
def warmed(pool_dir: Path, engine: Any, tmp_path: Path, python_image: str) -> Iterator[Warmed]:
    """An engine with a share in a pool, and launches for it."""
    from runner.cli.warmth import start_keeper

    link = open_or_start(start_keeper)
    assert link is not None
    own = connect(link, pooling=True)
    image = own.image(python_image)
    if image.mode is not StartMode.STAGED:
        pytest.skip("this host does not let a container mount, so none can wait for its data")
    yield Warmed(own, tmp_path, image)
    own.close()
