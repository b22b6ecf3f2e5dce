"""Calls the measurements one after another, shows what they found, and checks or keeps it."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import plot, promises, race, readme
from bench.bench import Bench, Effort, NotAvailableError
from bench.figures import Figure, aligned, table
from bench.results import PLACE, Results, described, document, machine, race_rows

RACES = tuple(f"race.{name}" for name in race.RACES)
MEASUREMENTS = (
    "overhead.overhead",
    "startup.cached",
    "memory_many.many",
    "memory.output",
    "memory_many.waiting",
    "startup.answers",
    "startup.plugin",
    "chain.trivial",
    "chain.pandas",
    "chain.other_modes",
    "planning.dag",
    "planning.schedule",
    "private.overlay",
    "tracing.files",
    "tracing.imports",
    "cleanup.killed",
    "watching.decisions",
    "watching.starts",
)
"""Module and function: `(Bench) -> list[Figure]`."""
BUSY = 1.0


def main(chosen: argparse.Namespace) -> int:
    names = [name for name in (*RACES, *MEASUREMENTS) if chosen.only in name]
    if chosen.list:
        print("\n".join(names))
        return 0
    if chosen.readme:
        return _written(Results.load())
    if not names:
        print(f"error: no measurement has {chosen.only!r} in its name; --list shows them", file=sys.stderr)
        return 2
    if chosen.save and chosen.only:
        print("error: --save keeps whole measurements only; leave --only out", file=sys.stderr)
        return 2
    results = measure(names, chosen.quick)
    if chosen.json:
        chosen.json.write_text(_json(results))
    code = 1 if results.failures else 0
    if chosen.check:
        code |= check(results)
    if chosen.save:
        PLACE.mkdir(exist_ok=True)
        (PLACE / "results.json").write_text(_json(results))
        code |= _written(results)
    return code


def measure(names: list[str], quick: bool) -> Results:
    """Everything named, shown as a table; a measurement that fails stops no other."""
    results = Results(quick, machine())
    if float(results.machine["load"]) > BUSY:
        print(f"warning: the load is {results.machine['load']}: these figures will be rough", file=sys.stderr)
    began = time.perf_counter()
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            with Bench(Effort(quick)) as bench:
                if name in RACES:
                    key = name.partition(".")[2]
                    results.races[key] = race.run(key, bench)
                else:
                    figures += function(name)(bench)
        except NotAvailableError as error:
            figures.append(Figure.unmeasured(name, "-", str(error)))
        except Exception as error:
            results.failures.append(f"{name}: {type(error).__name__}: {error}")
    results.figures = [*promises.of_races(results.races), *figures]
    for each in results.races.values():
        print(aligned(race_rows(each)), end="\n\n")
    if results.figures:
        print(table(results.figures))
    took = time.perf_counter() - began
    print(
        f"\n{results.summary()}; took {took:.0f} s on {described(results.machine)}; load now {os.getloadavg()[0]:.1f}"
    )
    for failure in results.failures:
        print(f"could not be measured: {failure}", file=sys.stderr)
    return results


def function(name: str) -> Callable[[Bench], list[Figure]]:
    """Raises NotAvailableError when there is no such module (yet)."""
    module, _, attribute = name.partition(".")
    try:
        found: Callable[[Bench], list[Figure]] = getattr(importlib.import_module(f"bench.{module}"), attribute)
    except ModuleNotFoundError as error:
        if error.name != f"bench.{module}":
            raise
        raise NotAvailableError(f"there is no {Path(__file__).parent.name}/{module}.py") from None
    return found


def check(results: Results) -> int:
    """Says what is broken. 1 when anything is."""
    recorded = Results.load()
    told = promises.broken(results.figures, recorded.figures)
    if difference := readme.differs():
        told.append(difference)
    for line in told:
        print(f"broken: {line}", file=sys.stderr)
    return 1 if told else 0


def _written(results: Results) -> int:
    """The table, README.md and the plot; 1 without the plot."""
    (PLACE / "table.md").write_text(document(results))
    readme.README.write_text(readme.written(readme.README.read_text(), results))
    try:
        plot.draw(results, PLACE)
    except NotAvailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _json(results: Results) -> str:
    return json.dumps(results.to_json(), indent=1) + "\n"
