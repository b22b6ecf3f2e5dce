"""How `contracts` shows the contracts that it found, and where each differs from its script."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.report.text import count, one_line, table

if TYPE_CHECKING:
    from runner.spec.contracts.review import Review

SCHEMA_VERSION = 1


def text(reviews: list[Review]) -> str:
    """A table, then what each contract has against its script, then what was not compared."""
    rows: list[tuple[str, ...]] = [("CONTRACT", "FILE", "ENTRY POINT", "SCRIPT", "VERDICT")]
    rows += [_row(each) for each in reviews]
    lines = table(rows)
    for each in reviews:
        said = [*map(str, each.problems), *map(str, each.disagreements)]
        if each.found is not None and each.script is None:
            said.append(_no_script(each))
        said += [f"note: {remark}" for remark in each.unchecked]
        if said:
            lines += ["", f"{_name(each)}: {each.verdict}", *(f"  {line}" for one in said for line in one.split("\n"))]
    faulty = sum(each.verdict != "agrees" for each in reviews)
    differ = "1 does not agree with its script" if faulty == 1 else f"{faulty} do not agree with their scripts"
    ending = differ if faulty else "all agree with their scripts"
    return "\n".join([*lines, "", f"{count(len(reviews), 'contract')}: {ending}"])


def _name(each: Review) -> str:
    return one_line(each.found.name if each.found else each.path.name)


def _row(each: Review) -> tuple[str, ...]:
    if each.found is None:
        return "-", _shown(each.path), "-", "-", each.verdict
    how = f" ({each.method})" if each.method else ""
    script = _shown(each.script) if each.script else "-"
    return _name(each), _shown(each.path) + how, one_line(each.found.contract.entry_point), script, each.verdict


def _no_script(each: Review) -> str:
    from runner.spec.contracts.review import where

    if each.found is None:
        return ""
    message = f"no script '{each.found.contract.entry_point}': looked for {where(each.found)}"
    return str(each.found.problem(("entry_point",), message))


def document(reviews: list[Review]) -> dict[str, Any]:
    """The JSON form. Paths are as messages show them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "agree": all(each.verdict == "agrees" for each in reviews),
        "contracts": [
            {
                "name": each.found.name if each.found else None,
                "class": type(each.found.contract).__name__ if each.found else None,
                "file": _shown(each.path),
                "discovery_method": each.method,
                "entry_point": each.found.contract.entry_point if each.found else None,
                "script": _shown(each.script) if each.script else None,
                "verdict": each.verdict,
                "contract": each.found.contract.model_dump() if each.found else None,
                "disagreements": [asdict(one) for one in each.disagreements],
                "not_compared": list(each.unchecked),
                "problems": [asdict(problem) for problem in each.problems],
            }
            for each in reviews
        ],
    }


def _shown(path: Path) -> str:
    from runner.spec.document import shown

    return one_line(shown(path))
