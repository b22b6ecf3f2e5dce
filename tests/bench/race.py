"""Contenders side by side on one work load: in alternation, each round the other way round, so that a drift of the
machine hits all alike; and what they wrote must be equal."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.bench import Bench, Effort, MeasurementError, NotAvailableError
from bench.contenders import CACHED, COLD, STAGED, WARM, Contender, DockerChain, HostChain, Runner
from bench.figures import Spread, spread
from bench.loads import Load, big, fan_out, frames, many, trivial
from bench.local_mode import LocalMode

Maker = Callable[[Bench, Load, Path], Contender]


@dataclass
class Race:
    """`rounds`: seconds of each contender that took part in a round, in the order of the rounds. `missing`: who could
    not take part, and why."""

    name: str
    title: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        found: dict[str, None] = {}
        for each in self.rounds:
            found |= dict.fromkeys(each)
        return list(found)

    def seconds(self, name: str) -> Spread:
        """Raises NotAvailableError where `name` did not take part."""
        return spread([each[name] for each in self._rounds_of(name)])

    def ratio(self, name: str, other: str) -> Spread:
        """Of the rounds in which both took part."""
        self._rounds_of(other)
        both = [each for each in self._rounds_of(name) if other in each]
        return spread([each[name] / each[other] for each in both])

    def _rounds_of(self, name: str) -> list[dict[str, float]]:
        found = [each for each in self.rounds if name in each]
        if not found:
            raise NotAvailableError(self.missing.get(name, f"{name} took no part in {self.title}"))
        return found

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def _runner(mode: str) -> Maker:
    return lambda bench, load, shared: Runner(bench, load, shared, mode)


OURS: tuple[Maker, ...] = tuple(map(_runner, (COLD, STAGED, WARM, CACHED)))


class Entry(NamedTuple):
    """Rounds: all of them, and quick. Where there are few, each is long enough to hide what only a first time costs."""

    load: Callable[[Effort], Load]
    contenders: tuple[Maker, ...]
    full: int
    quick: int

    @property
    def warm_up(self) -> bool:
        return self.full > 3


PLAIN: tuple[Maker, ...] = (DockerChain, HostChain)
RACES: dict[str, Entry] = {
    "trivial": Entry(lambda _: trivial(), (*OURS, *PLAIN, LocalMode), 7, 2),
    "pandas": Entry(lambda _: frames(), (*OURS, *PLAIN, LocalMode), 7, 2),
    "big": Entry(lambda _: big(), (*OURS, *PLAIN), 5, 2),
    "fan-out": Entry(lambda _: fan_out(), (*OURS, *PLAIN), 3, 1),
    "many": Entry(lambda effort: many(effort(50, 4)), (_runner(STAGED), *PLAIN), 1, 1),
}


def run(name: str, bench: Bench) -> Race:
    """Raises MeasurementError where a contender fails, or writes something else than the others."""
    entry = RACES[name]
    load = entry.load(bench.effort)
    shared = bench.place(f"race-{name}")
    load.lay_out(shared)
    race = Race(load.name, load.title)
    with ExitStack() as stack:
        contenders = [each for maker in entry.contenders if (each := _ready(maker(bench, load, shared), race, stack))]
        results: dict[str, str] = {}
        if entry.warm_up:
            _round(contenders, results)
        for number in range(bench.effort(entry.full, entry.quick)):
            present = [each for each in contenders if number % each.every == 0]
            race.rounds.append(_round(present if number % 2 == 0 else present[::-1], results))
    return race


def _ready(contender: Contender, race: Race, stack: ExitStack) -> Contender | None:
    try:
        contender.ready()
    except NotAvailableError as error:
        race.missing[contender.name] = str(error)
        print(f"  {contender.name}: {error}", file=sys.stderr, flush=True)
        return None
    stack.callback(contender.close)
    return contender


def _round(contenders: Sequence[Contender], results: dict[str, str]) -> dict[str, float]:
    """`results`: what each contender wrote, which is compared the first time."""
    seconds: dict[str, float] = {}
    for contender in contenders:
        try:
            contender.before()
            seconds |= contender.run()
            contender.check()
            if contender.name not in results:
                results[contender.name] = _result(contender)
        finally:
            contender.after()
    if len(set(results.values())) > 1:
        raise MeasurementError(f"the contenders wrote different files: {results}")
    return seconds


def _result(contender: Contender) -> str:
    """A digest of the files of the last nodes."""
    digest = hashlib.sha256()
    for node in contender.load.ends():
        place = contender.output(node)
        files = sorted(path for path in place.rglob("*") if path.is_file())
        if not files:
            raise MeasurementError(f"{contender.name}: node {node} wrote no file")
        for path in files:
            digest.update(f"{node}/{path.relative_to(place)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
