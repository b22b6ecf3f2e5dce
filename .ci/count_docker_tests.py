"""Fails when fewer tests marked `docker` ran than exist: `count_docker_tests.py JUNIT_XML`."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from junitparser import JUnitXml


def existing() -> Counter[str]:
    """Test functions marked `docker`, with the number of their parameter sets."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "docker", "-p", "no:cacheprovider"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 5):  # 5: nothing collected
        sys.exit(f"pytest could not list the tests:\n{result.stdout}{result.stderr}")
    identifiers = (line.split("[")[0] for line in result.stdout.splitlines() if "::" in line)
    return Counter(name.replace(".py::", ".").replace("::", ".").replace("/", ".") for name in identifiers)


def ran(report: str) -> Counter[str]:
    """Test functions that were not skipped."""
    cases = (case for suite in JUnitXml.fromfile(report) for case in suite if not case.is_skipped)
    return Counter(f"{case.classname}.{case.name.split('[')[0]}" for case in cases)


def main() -> None:
    wanted, done = existing(), ran(sys.argv[1])
    missing = {name: number - done[name] for name, number in wanted.items() if done[name] < number}
    if not wanted:
        sys.exit("error: there is no test that needs Docker; there should be")
    if missing:
        sys.exit(f"error: tests that need Docker did not run: {missing}")
    print(f"{wanted.total()} tests ran in real containers", file=sys.stderr)


if __name__ == "__main__":
    main()
