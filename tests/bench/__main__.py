"""`make bench`: the promises on speed, memory and clean-up, measured on this machine and told as they are.

Speeds are ratios of two commands that ran in alternation: an absolute time says more about the machine than about the
tool. The exit status is 0 also when a promise is not met, and 1 when something could not be measured. With `--check` it
is 1, too, when a promise is broken by more than a quarter of its limit (one that the recorded table admits as not met:
by more than a quarter of what is recorded), or when README.md tells other figures than the recorded ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    sys.path[0] = str(Path(__file__).parents[1])  # `bench` is a package there, and its modules hide no others
    from bench import run

    return run.main(parser().parse_args())


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="tests/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="fewer rounds: faster, and rougher")
    made.add_argument("--only", metavar="WORD", default="", help="only measurements whose name holds this word")
    made.add_argument("--list", action="store_true", help="print the names of the measurements, and measure nothing")
    made.add_argument("--json", metavar="FILE", type=Path, help="write every single measurement as JSON")
    told = made.add_mutually_exclusive_group()
    told.add_argument("--check", action="store_true", help="end with 1 when a promise is broken")
    told.add_argument("--save", action="store_true", help="write tests/bench/results, and the figures of README.md")
    told.add_argument("--readme", action="store_true", help="measure nothing: write the same from results.json")
    return made


if __name__ == "__main__":
    sys.exit(main())
