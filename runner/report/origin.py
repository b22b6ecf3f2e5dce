"""Where the result of a cached step comes from, in words."""

from __future__ import annotations

from datetime import datetime

from runner.pipeline.events import StepResult

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"))


def source(result: StepResult) -> str:
    """Of a cached step: `run 20261120T211214Z-ff75c2, 3 min ago`; empty for any other. The time is that between the
    end there and the use here."""
    if result.cached is None:
        return ""
    age = _between(result.cached.at, result.finished_at or "")
    return f"run {result.cached.run}" + (f", {ago(age)}" if age is not None else "")


def ago(seconds: float) -> str:
    """`3 min ago`, to the largest unit."""
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{max(int(seconds), 0)} s ago"


def _between(begin: str, end: str) -> float | None:
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    except (ValueError, TypeError):
        return None
