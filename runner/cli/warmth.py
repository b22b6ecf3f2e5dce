"""The pool as the commands use it: a link to its keeper, and the keeper's start."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.pool.link import Link


def link() -> Link | None:
    """To the keeper that is there; None where none is, or none is wanted."""
    from runner.engine.pool import channel
    from runner.engine.pool.link import Link

    return Link.open() if channel.enabled() else None


def start_keeper() -> None:
    """Returns when it listens, or has ended without."""
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
