from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pool.warmed import end_keeper

from runner.engine.pool.link import open_or_start


@pytest.fixture(scope="module", autouse=True)
def _pool() -> Iterator[None]:
    """A pool for the ways that take from one."""
    from runner.cli.warmth import start_keeper

    path = Path(tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUN_PIPELINE_POOL", str(path))
        link = open_or_start(start_keeper)
        assert link is not None
        link.close()
        yield
        end_keeper(path)
    shutil.rmtree(path)
