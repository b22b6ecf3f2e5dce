"""`make bench`: the promises on speed, memory and clean-up, measured on this machine and told as they are.

Speeds are ratios of two commands that ran in alternation: an absolute time says more about the machine than about the
tool. The exit status is 0 also when a promise is not met, and 1 when something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.figures import Figure


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute, and rougher")
    parser.add_argument("--only", metavar="WORD", default="", help="only measurements whose name holds this word")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every single measurement as JSON")
    chosen = parser.parse_args()
    sys.path[0] = str(Path(__file__).parents[1])  # `bench` is a package there, and its modules hide no others
    return measure(chosen)


def measure(chosen: argparse.Namespace) -> int:
    from bench import chain, cleanup, memory, overhead, planning, private, startup, tracing, watching
    from bench.bench import Bench, Effort
    from bench.figures import table

    measurements = (
        startup.answers,
        startup.plugin,
        *chain.MEASUREMENTS,
        overhead.overhead,
        memory.output,
        planning.dag,
        private.overlay,
        tracing.files,
        tracing.imports,
        cleanup.killed,
        watching.decisions,
        watching.starts,
    )
    figures: list[Figure] = []
    failures: list[str] = []
    began = time.perf_counter()
    for measurement in measurements:
        name = f"{measurement.__module__.removeprefix('bench.')}.{measurement.__name__}"
        if chosen.only not in name:
            continue
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            with Bench(Effort(chosen.quick)) as bench:
                figures += measurement(bench)
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    print(table(figures))
    print(f"\n{summary(figures, failures)}; took {time.perf_counter() - began:.0f} s on {machine()}")
    for failure in failures:
        print(f"could not be measured: {failure}", file=sys.stderr)
    if chosen.json:
        document = {
            "schema": 1,
            "quick": chosen.quick,
            "machine": machine(),
            "figures": [figure.to_json() for figure in figures],
            "failures": failures,
        }
        chosen.json.write_text(json.dumps(document, indent=2) + "\n")
    return 1 if failures else 0


def summary(figures: Sequence[Figure], failures: Sequence[str]) -> str:
    met, missed = (sum(figure.met is wanted for figure in figures) for wanted in (True, False))
    told = f"{met} met, {missed} not met"
    return f"{told}, {len(failures)} could not be measured" if failures else told


def machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}, load {load:.1f}"


if __name__ == "__main__":
    sys.exit(main())
