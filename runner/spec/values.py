"""Values of columns as people write them: in `expects:`, and in the lists and ranges of a table's columns."""

from __future__ import annotations

from datetime import UTC, datetime

from runner.spec.families import NUMBERS, Family

Bound = int | float | str
"""A number, or a time in ISO 8601."""


def moment(text: str) -> datetime | None:
    """A time in ISO 8601, in UTC where it names no zone; None for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def above(one: Bound, other: Bound) -> bool:
    """Whether `one` is the greater; both are numbers, or both times."""
    if isinstance(one, str) or isinstance(other, str):
        left, right = moment(str(one)), moment(str(other))
        return left is not None and right is not None and left > right
    return one > other


def parsed(value: str, family: Family | None) -> Bound | bool | None:
    """A text as a value of the family; None for what is none of it. Without a family: a number if it looks like one."""
    if family is None:
        found = next((found for each in NUMBERS if (found := parsed(value, each)) is not None), None)
        return value if found is None else found
    if family is Family.BOOL:
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower())
    if family in NUMBERS:
        try:
            return int(value) if family is Family.INT else float(value)
        except ValueError:
            return None
    if family is Family.DATETIME:
        return value if moment(value) is not None else None
    return value if family not in (Family.NESTED, Family.BINARY, Family.NULL) else None


def span(low: Bound | None, high: Bound | None) -> str:
    """`1 to 5`, `at least 1`, `at most 5`, `5`."""
    if low is None or high is None:
        return f"at least {low}" if low is not None else f"at most {high}"
    return f"{low}" if low == high else f"{low} to {high}"
