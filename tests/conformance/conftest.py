"""Lets a failed check of a case show both sides, as in a test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite(*(f"conformance.{path.stem}" for path in Path(__file__).parent.glob("section_*.py")))
