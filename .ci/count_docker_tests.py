"""Fails when fewer tests marked `docker` ran than exist: `count_docker_tests.py JUNIT_XML`."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter


def existing() -> Counter[str]:
    """Test functions marked `docker`, with the number of their parameter sets."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "docker", "-p", "no:cacheprovider"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 5):  # 5: nothing collected
        sys.exit(f"pytest could not list the tests:\n{result.stdout}{result.stderr}")
    return Counter(line.split("[")[0].rpartition("::")[2] for line in result.stdout.splitlines() if "::" in line)


def ran(report: str) -> Counter[str]:
    """Test functions that were not skipped."""
    cases = ElementTree.parse(report).iter("testcase")
    return Counter(case.get("name", "").split("[")[0] for case in cases if case.find("skipped") is None)


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
