"""The promises that are ratios of two contenders of a race, and which of all promises are broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.bench import NotAvailableError
from bench.contenders import COLD, DOCKER, HOST, STAGED, WARM
from bench.figures import Figure
from bench.local_mode import LOCAL
from bench.race import Race

SLACK = 1.25
"""Times the limit, before `--check` calls a promise broken: what a shared machine adds from run to run."""
GOALS: tuple[tuple[str, str, str, str, float], ...] = (
    ("pandas", "five pandas nodes, warm", WARM, HOST, 0.15),
    ("pandas", "five pandas nodes, cold first run", COLD, DOCKER, 0.75),
    ("trivial", "five trivial nodes, cold", COLD, LOCAL, 0.35),
    ("trivial", "five trivial nodes, warm", WARM, LOCAL, 0.08),
    ("big", "three nodes of 200 MB", STAGED, DOCKER, 1.0),
)
"""Race, promise, contender, against whom, at most how many times as long."""


def of_races(races: Mapping[str, Race]) -> list[Figure]:
    """One for each goal whose race was run."""
    return [
        _figure(races[name], promise, contender, other, limit)
        for name, promise, contender, other, limit in GOALS
        if name in races
    ]


def _figure(race: Race, promise: str, contender: str, other: str, limit: float) -> Figure:
    try:
        found = race.ratio(contender, other)
    except NotAvailableError as error:
        return Figure.unmeasured(promise, f"<= {limit:g}x {other}", str(error))
    return Figure.ratio(promise, other, limit, found)


def broken(figures: Sequence[Figure], recorded: Sequence[Figure]) -> list[str]:
    """What to say of each promise that is broken by more than the slack.

    One that the recorded table tells as not met is broken when it has become worse than recorded.
    """
    known = {figure.promise: figure for figure in recorded}
    return [told for figure in figures if (told := _broken(figure, known.get(figure.promise)))]


def _broken(figure: Figure, recorded: Figure | None) -> str:
    if figure.met is not False:
        return ""
    admitted = recorded is not None and recorded.met is False
    limit = recorded.value if admitted and recorded else figure.limit
    if figure.value is None or limit is None:
        return "" if admitted else f"{figure.promise}: {figure.measured}, goal {figure.goal}"
    if figure.value <= limit * SLACK:
        return ""
    against = "recorded as not met with" if admitted else "the limit is"
    return f"{figure.promise}: {figure.measured}; {against} {limit:.3g}, and with slack {limit * SLACK:.3g}"
