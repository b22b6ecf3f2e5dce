"""The pool as the commands use it: a link to its keeper, and the keeper's start."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.pool.link import Link


def link() -> Link | None:
    """To the keeper that is there; None where none is, or none is wanted."""
    from runner.engine.pool import channel
    from runner.engine.pool.link import Link

    return Link.open() if channel.enabled() else None


def start_keeper() -> None:
    """Returns when it listens, or has ended without."""
    from runner.engine.pool import channel

    with _log() as log:
        process = subprocess.Popen(
            # -P: the current directory must not shadow the package that this file belongs to.
            [sys.executable, "-P", "-m", "runner.cli.keeper", channel.socket_path()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101  it is piped
    with process.stdout as said:
        said.readline()
    process.returncode = process.poll() or 0  # it is nobody's to wait for


@contextlib.contextmanager
def _log() -> Iterator[IO[bytes] | int]:
    """`keeper.log` beside its socket, for what goes wrong there; nothing where it cannot be written."""
    from runner.engine.pool import channel

    place = Path(channel.directory())
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In a directory of another user's, that name could lead anywhere.
        log = (place / "keeper.log").open("wb") if channel.own_directory(str(place)) else None
    except OSError:
        log = None
    if log is None:
        yield subprocess.DEVNULL
        return
    with log:
        yield log
