"""What a measurement found, next to what was promised, and how both are shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

HEADINGS = ("promise", "goal", "measured", "")


@dataclass(frozen=True)
class Figure:
    """One promise. `met` is None where there is a figure and no goal."""

    promise: str
    goal: str
    measured: str
    met: bool | None
    detail: dict[str, Any] = field(default_factory=dict)
    """Every single measurement, for `--json`: seconds, bytes and ratios, by name."""

    @property
    def verdict(self) -> str:
        return {True: "met", False: "NOT MET", None: ""}[self.met]

    def to_json(self) -> dict[str, Any]:
        return {
            "promise": self.promise,
            "goal": self.goal,
            "measured": self.measured,
            "met": self.met,
            "detail": self.detail,
        }


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def table(figures: Sequence[Figure]) -> str:
    """Aligned columns; no line ends in spaces."""
    rows = [HEADINGS, *((f.promise, f.goal, f.measured, f.verdict) for f in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
