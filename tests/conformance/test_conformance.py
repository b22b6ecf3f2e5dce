"""The container contract, case by case, on a real engine. Cases stand in the `section_*.py` modules beside this."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conformance.cases import Case, execute, lay_out
from conformance.contract import CONTRACT, POINTS


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


def test_every_reproduced_point_has_a_case() -> None:
    proven = {point for case in CASES for point in case.points}
    missing = [point.name for point in CONTRACT if point.status == "reproduced" and point.name not in proven]
    assert not missing, missing


def test_every_other_point_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = [line for line in readme.partition("## What is not like SageMaker")[2].splitlines() if line.startswith("|")]
    others = [point for point in CONTRACT if point.status != "reproduced"]
    assert others
    missing = [point.name for point in others if not any(point.readme and point.readme in row for row in rows)]
    assert not missing, missing


def test_the_readme_counts_the_points() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    number = Counter(point.status for point in CONTRACT)
    said = f"{number['reproduced']} of its points are reproduced, {number['different']} are different, "
    assert f"{said}{number['unknown']} are settled by no public text" in " ".join(readme.split())
