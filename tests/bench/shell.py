"""The plain way: a shell script that calls `docker run`, or the host's Python, once for each node."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

CODE = "/opt/ml/processing/input/code"
CONFIG = "/opt/ml/config"
INPUT = "/opt/ml/processing/input/data"
OUTPUT = "/opt/ml/processing/output/out"


def docker_run(tag: str, mounts: Mapping[str, Path], argv: Sequence[str]) -> str:
    """A line of shell: the container is gone afterwards, and as private as a step of the runner. `mounts`: inside ->
    outside."""
    line = ["docker", "run", "--rm", "--network", "none", "--hostname", "algo-1", "--add-host", "algo-1:127.0.0.1"]
    if os.getuid():
        line += ["--user", f"{os.getuid()}:{os.getgid()}"]  # or this user could not remove what the chain wrote
    for inside, outside in mounts.items():
        line += ["--mount", f"type=bind,source={outside},target={inside}"]
    return shlex.join([*line, tag, *argv])


def config(root: Path) -> Path:
    """A directory with what SageMaker tells every container about its cluster, made in `root`."""
    place = root / "config"
    place.mkdir()
    (place / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    return place


def script(levels: Sequence[Sequence[str]], lanes: int) -> str:
    """A bash script that runs one level of lines after another, and `lanes` lines of a level at a time."""
    parts = ["set -e"]
    for level in levels:
        if len(level) == 1 or lanes == 1:
            parts += level
            continue
        shares = [level[lane::lanes] for lane in range(min(lanes, len(level)))]
        for lane, share in enumerate(shares):
            parts += ["(set -e", *share, f") & lane{lane}=$!"]
        parts += [f"wait $lane{lane}" for lane in range(len(shares))]
    return "\n".join([*parts, ""])
