"""The pool as the commands use it: its limits, its keeper's start, and what is wished for after a run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.engine.pool.link import Link
    from runner.engine.pool.shelf import Limits

TTL = "RUN_PIPELINE_POOL_TTL"
MEMORY = "RUN_PIPELINE_POOL_MEMORY"
_SHARE = 4
"""The pool takes at most this part of the machine's memory, unless told otherwise."""


def limits() -> Limits:
    """Of the pool, from the environment. Raises UsageError."""
    from runner.engine.pool.shelf import Limits

    found = Limits()
    found.memory = min(found.memory, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _SHARE)
    if os.environ.get(TTL):
        found.ttl = _number(TTL, "seconds, as in 600")
    if os.environ.get(MEMORY):
        found.memory = int(_number(MEMORY, "mebibytes, as in 2048") * (1 << 20))
    return found


def _number(name: str, what: str) -> float:
    text = os.environ[name]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise UsageError(
            f"{name} is {text!r}: a number of {what}, is expected", remedy=f"set it right, or unset {name}"
        )
    return value


def link() -> Link | None:
    """To the keeper that is there; None where none is, or none is wanted."""
    from runner.engine.pool import channel
    from runner.engine.pool.link import Link

    return Link.open() if channel.enabled() else None


def start_keeper() -> None:
    """Returns when it listens, or has ended without."""
    limits()  # what is wrong with them is told here, where somebody reads it
    process = subprocess.Popen(
        # -P: the current directory must not shadow the package that this file belongs to.
        [sys.executable, "-P", "-m", "runner.cli.keeper"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101  it is piped
    with process.stdout as said:
        said.readline()
    process.returncode = process.poll() or 0  # it is nobody's to wait for
