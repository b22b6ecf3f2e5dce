"""What the conformance cases build for themselves goes when they are through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance import serving_image


@pytest.fixture(scope="session", autouse=True)
def _serving_image() -> Iterator[None]:
    yield
    serving_image.remove()
