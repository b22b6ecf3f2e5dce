"""What a measurement found, next to what was promised, and how both are shown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

HEADINGS = ("promise", "goal", "measured", "")


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of a number of measurements."""

    least: float
    median: float
    most: float
    count: int

    def ratio(self) -> str:
        if self.count == 1:
            return f"{self.median:.2f}x (one round)"
        return f"{self.median:.2f}x ({self.least:.2f} to {self.most:.2f})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), median(values), max(values), len(values))


@dataclass(frozen=True)
class Figure:
    """One promise. `met` is None where there is a figure and no goal, or no figure."""

    promise: str
    goal: str
    measured: str
    met: bool | None
    detail: dict[str, Any] = field(default_factory=dict)
    """Every single measurement, for `--json`: seconds, bytes and ratios, by name."""
    value: float | None = None
    limit: float | None = None
    """The number that was measured, and the most that it may be: `--check` looks at them."""
    missing: str = ""
    """Why there is no figure."""

    @property
    def verdict(self) -> str:
        if self.missing:
            return "NOT MEASURED"
        return {True: "met", False: "NOT MET", None: ""}[self.met]

    @classmethod
    def unmeasured(cls, promise: str, goal: str, reason: str) -> Self:
        return cls(promise, goal, f"could not be measured: {reason}", None, missing=reason)

    @classmethod
    def ratio(cls, promise: str, against: str, limit: float, found: Spread, **detail: Any) -> Self:
        """The median is what counts."""
        goal = f"<= {limit:g}x {against}"
        shown = found.ratio()
        return cls(promise, goal, shown, found.median <= limit, {**detail, **vars(found)}, found.median, limit)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(**document)


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def table(figures: Sequence[Figure]) -> str:
    """Aligned columns; no line ends in spaces."""
    return aligned([HEADINGS, *((f.promise, f.goal, f.measured, f.verdict) for f in figures)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in ruled]
    return "\n".join(line.rstrip() for line in lines)
