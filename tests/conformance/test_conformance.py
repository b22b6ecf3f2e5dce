"""The container contract, case by case, on a real engine. Cases stand in the `section_*.py` modules beside this."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from conformance.cases import Case, execute, lay_out
from conformance.contract import POINTS


def _all() -> list[Case]:
    modules = sorted(path.stem for path in Path(__file__).parent.glob("section_*.py"))
    return [case for name in modules for case in importlib.import_module(f"conformance.{name}").CASES]


CASES = _all()


@pytest.mark.docker
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case: Case, engine: Any, tmp_path: Path) -> None:
    lay_out(case, tmp_path)
    ran = (case.run or execute)(engine, tmp_path)
    assert ran.exit_code == case.exit_code, (ran.exit_code, ran.notices)
    case.check(ran)


def test_every_case_is_named_once_and_proves_known_points() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    unknown = {point for case in CASES for point in case.points} - POINTS.keys()
    assert not unknown
    assert all(case.points for case in CASES)
