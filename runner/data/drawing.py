"""Seeded values for a column.

Nothing is used of `random.Random` but `random()`, whose sequence Python promises not to change, and nothing of the C
library's mathematics, which differs between platforms.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from runner.errors import UsageError
from runner.spec.expects import ExpectedColumn
from runner.spec.families import Family
from runner.spec.values import moment, parsed

NULLS = 0.1
"""About so many values of a column are missing, where some may be."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CATEGORIES = ("a", "b", "c")
_WIDTH = 100
"""Of a range with one end, or none."""
_SPARSE = 10
"""Of a unique column: so many different values for each row."""
_TRIES = 1000
_DIGITS = 6
_START = datetime(2024, 1, 1, tzinfo=UTC)
_YEAR = 365 * 86400


class Dice:
    """Numbers from a seed; a column's own, whatever else is drawn."""

    def __init__(self, *seed: object) -> None:
        self.random = random.Random(":".join(map(str, seed))).random  # noqa: S311 (made-up data, no secret)

    def below(self, number: int) -> int:
        """From 0 to `number` - 1."""
        return min(int(self.random() * number), number - 1)


def values_of(name: str, wanted: ExpectedColumn, rows: int, seed: int) -> tuple[Family, list[Any]]:
    """The family and so many values: int, float, bool, str, datetime (UTC, without a zone), list, bytes, and None for
    missing ones. Raises UsageError where there are no such values, or too little is known."""
    family = _family(name, wanted)
    dice = Dice(seed, name)
    if wanted.values:
        choices = [_typed(value, family) for value in wanted.values]
        found = _from_few(name, choices, rows, dice, unique=wanted.unique)
    elif family in (Family.BOOL, Family.CATEGORY):
        choices = [True, False] if family is Family.BOOL else list(_CATEGORIES)
        found = _from_few(name, choices, rows, dice, unique=wanted.unique)
    else:
        draw = _DRAW[family](name, wanted, rows, dice)
        found = _different(name, draw, rows) if wanted.unique else [draw() for _ in range(rows)]
    return family, _with_nulls(found, wanted, Dice(seed, name, "nulls")) if wanted.nullable else found


def _family(name: str, wanted: ExpectedColumn) -> Family:
    if wanted.family is not None:
        return wanted.family
    ends = [end for end in (wanted.min, wanted.max) if end is not None]
    if wanted.values:
        kinds = {type(parsed(value, None)) for value in wanted.values}
        if str in kinds:
            return Family.CATEGORY
        return Family.FLOAT if float in kinds else Family.INT
    if not ends:
        raise UsageError(f"nothing says what column '{name}' holds", remedy="give its family under `columns`")
    if isinstance(ends[0], str):
        return Family.DATETIME
    return Family.INT if all(isinstance(end, int) for end in ends) else Family.FLOAT


def _typed(value: str, family: Family) -> Any:
    if family is Family.DATETIME:
        found = moment(value)
        return found and _plain(found)
    return parsed(value, family)


def _plain(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


def _from_few(name: str, choices: list[Any], rows: int, dice: Dice, *, unique: bool) -> list[Any]:
    if not unique:
        return [choices[dice.below(len(choices))] for _ in range(rows)]
    if len(choices) < rows:
        raise _too_few(name, rows, len(choices))
    left = list(choices)
    return [left.pop(dice.below(len(left))) for _ in range(rows)]


def _different(name: str, draw: Callable[[], Any], rows: int) -> list[Any]:
    found: dict[Any, None] = {}
    for _ in range(rows):
        for _ in range(_TRIES):
            value = draw()
            if value not in found:
                found[value] = None
                break
        else:
            raise _too_few(name, rows, len(found))
    return list(found)


def _too_few(name: str, rows: int, number: int) -> UsageError:
    message = f"column '{name}' is to be unique in {rows:,} rows, and there are only {number:,} values for it"
    return UsageError(message, remedy="widen its range or its values, or ask for fewer rows")


def _empty(name: str, wanted: ExpectedColumn, family: Family) -> UsageError:
    message = f"column '{name}': there is no {family} from {wanted.min} to {wanted.max}"
    return UsageError(message, remedy="widen its range")


def _ints(name: str, wanted: ExpectedColumn, rows: int, dice: Dice) -> Callable[[], int]:
    width = max(_WIDTH, _SPARSE * rows) if wanted.unique else _WIDTH
    low = None if wanted.min is None else math.ceil(float_of(wanted.min))
    high = None if wanted.max is None else math.floor(float_of(wanted.max))
    if low is None:
        low = 0 if high is None or high > 0 else high - width
    if high is None:
        high = low + width
    if low > high:
        raise _empty(name, wanted, Family.INT)
    size = high - low + 1
    if wanted.unique and size < _SPARSE * rows:  # drawing until one is new would take long near the end
        left = _from_few(name, list(range(low, high + 1)), rows, dice, unique=True)
        return iter(left).__next__
    return lambda: low + dice.below(size)


def float_of(bound: float | str) -> float | int:
    """A bound of a column of numbers, which the model has checked."""
    return bound if isinstance(bound, int | float) else float(bound)


def _floats(name: str, wanted: ExpectedColumn, rows: int, dice: Dice) -> Callable[[], float]:  # noqa: ARG001
    low = None if wanted.min is None else float(float_of(wanted.min))
    high = None if wanted.max is None else float(float_of(wanted.max))
    if low is None:
        low = 0.0 if high is None or high > 0 else high - 1.0
    if high is None:
        high = low + (1.0 if wanted.min is None else float(_WIDTH))
    width = high - low
    fine = width < rows * _SPARSE * 10**-_DIGITS

    def draw() -> float:
        value = low + width * dice.random()
        return min(max(value if fine else round(value, _DIGITS), low), high)

    return draw


def _times(name: str, wanted: ExpectedColumn, rows: int, dice: Dice) -> Callable[[], datetime]:
    """Whole seconds."""
    low = moment(str(wanted.min)) if wanted.min is not None else None
    high = moment(str(wanted.max)) if wanted.max is not None else None
    width = max(_YEAR, _SPARSE * rows) if wanted.unique else _YEAR
    if low is None:
        low = _START if high is None else high - timedelta(seconds=width)
    low += timedelta(microseconds=-low.microsecond % 1_000_000)
    seconds = width if high is None else (high - low) // timedelta(seconds=1)
    if seconds < 0:
        raise _empty(name, wanted, Family.DATETIME)
    start = _plain(low)
    return lambda: start + timedelta(seconds=dice.below(seconds + 1))


def _texts(name: str, wanted: ExpectedColumn, rows: int, dice: Dice) -> Callable[[], str]:  # noqa: ARG001
    return lambda: "".join(_LETTERS[dice.below(len(_LETTERS))] for _ in range(8))


def _vectors(name: str, wanted: ExpectedColumn, rows: int, dice: Dice) -> Callable[[], list[float]]:  # noqa: ARG001
    if wanted.unique:
        raise UsageError(f"column '{name}': nested values are not told apart", remedy="leave out `unique`")
    return lambda: [round(dice.random(), _DIGITS) for _ in range(3)]


def _bytes(name: str, wanted: ExpectedColumn, rows: int, dice: Dice) -> Callable[[], bytes]:  # noqa: ARG001
    return lambda: bytes(dice.below(256) for _ in range(8))


_DRAW: dict[Family, Callable[[str, ExpectedColumn, int, Dice], Callable[[], Any]]] = {
    Family.INT: _ints,
    Family.FLOAT: _floats,
    Family.DATETIME: _times,
    Family.STRING: _texts,
    Family.NESTED: _vectors,
    Family.BINARY: _bytes,
}


def _with_nulls(found: list[Any], wanted: ExpectedColumn, dice: Dice) -> list[Any]:
    """Some values missing: at least one and not all, where there are two. One alone where they are unique, since not
    every reader leaves a missing one out when it looks for values that come twice."""
    if len(found) < 2:
        return found
    missing = {dice.below(len(found))}
    if not wanted.unique:
        missing |= {index for index in range(len(found)) if dice.random() < NULLS}
    if len(missing) == len(found):
        missing.discard(min(missing))
    return [None if index in missing else value for index, value in enumerate(found)]
