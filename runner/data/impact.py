"""What it means to a script that its data is other than it was, or other than it expects."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from runner.spec.families import Family
from runner.spec.names import listed, nearest


class Impact(enum.StrEnum):
    """Worst first."""

    BREAKING = "breaking"
    """What reads the data fails, or computes something else than it was written for."""
    RISKY = "risky"
    """It may: that depends on the script."""
    SAFE = "safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is other than it should be."""

    impact: Impact
    file: str
    """Relative to the directory that was looked at; empty for what is about all files together."""
    column: str | None = None
    message: str
    """A sentence with both sides, and with a remedy where there is one to name."""

    def __str__(self) -> str:
        return self.message


Ruling = tuple[Impact, str]
"""The impact, and why."""

_NUMBERS = (Family.INT, Family.FLOAT, Family.BOOL)
_TEXTS = (Family.STRING, Family.CATEGORY)
_OPAQUE = (Family.NESTED, Family.BINARY)
_SINGLE: dict[tuple[Family, Family], Ruling] = {
    (Family.INT, Family.FLOAT): (
        Impact.RISKY,
        "sums and models go on, but a fraction, or '1.0' for '1', is no label, key or index",
    ),
    (Family.FLOAT, Family.INT): (Impact.SAFE, "every whole number is a number"),
    (Family.INT, Family.BOOL): (Impact.RISKY, "True and False count as 1 and 0, but are written otherwise"),
    (Family.BOOL, Family.INT): (Impact.RISKY, "0 and 1 are no words such as True, and 2 is neither"),
    (Family.FLOAT, Family.BOOL): (Impact.BREAKING, "a measure became a flag"),
    (Family.BOOL, Family.FLOAT): (Impact.BREAKING, "a flag became a measure"),
    (Family.CATEGORY, Family.STRING): (Impact.RISKY, "an encoder of few categories meets many different values"),
    (Family.STRING, Family.CATEGORY): (Impact.SAFE, "text all the same, with few different values"),
    (Family.STRING, Family.DATETIME): (Impact.RISKY, "a text in a CSV file, but no text where the file has types"),
    (Family.CATEGORY, Family.DATETIME): (Impact.BREAKING, "times are no categories"),
}


def _table() -> dict[tuple[Family, Family], Ruling]:
    """Every pair of two families. Groups first; what is said of a single pair wins."""
    found: dict[tuple[Family, Family], Ruling] = {}
    groups: list[tuple[Iterable[Family], Iterable[Family], Ruling]] = [
        (_NUMBERS, (*_TEXTS, Family.DATETIME), (Impact.BREAKING, "arithmetic on it fails")),
        (_TEXTS, _NUMBERS, (Impact.RISKY, "work on text fails, and leading zeros are gone")),
        ((Family.DATETIME,), (*_TEXTS, *_NUMBERS), (Impact.BREAKING, "it is no longer read as a time")),
        (Family, _OPAQUE, (Impact.BREAKING, "it is no single value any more")),
        (_OPAQUE, Family, (Impact.BREAKING, "what takes it apart finds a single value")),
        (Family, (Family.NULL,), (Impact.RISKY, "not one value is there")),
        ((Family.NULL,), Family, (Impact.RISKY, "there was not one value before")),
    ]
    for befores, afters, verdict in groups:
        found |= dict.fromkeys(product(befores, afters), verdict)
    return found | _SINGLE | {(family, family): (Impact.SAFE, "the same") for family in Family}


FAMILIES = _table()
"""By family that a script was written for, and family that it gets."""


def has(names: Iterable[str], wanted: str) -> str:
    """`has 'a', 'b' (nearest: 'b')`: what is there in place of a name that is not."""
    every = list(names)
    best = nearest(wanted, every)
    return f"has {listed(every, none='no columns')}" + (f" (nearest: '{best}')" if best is not None else "")
