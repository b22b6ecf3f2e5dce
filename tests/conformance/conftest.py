"""Lets a failed check of a case show both sides, as in a test; what the cases build for themselves goes at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(*(f"conformance.{path.stem}" for path in Path(__file__).parent.glob("section_*.py")))


@pytest.fixture(scope="session", autouse=True)
def _serving_image() -> Iterator[None]:
    from conformance import serving_image

    yield
    serving_image.remove()
