"""Who has taken a container of the pool: its label names the keeper, which may die before the run that uses it.

A pin is a file beside the keeper's socket, named by the container, that holds the run's owner (`engine.labels`). What
is pinned by a living process is no leftover.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from runner.engine import labels
from runner.engine.pool import channel


def pin(container: str) -> None:
    """This process has taken it. Where that cannot be written, the container lives as long as the keeper does."""
    with contextlib.suppress(OSError):
        _path(container).write_text(labels.owner())


def unpin(container: str) -> None:
    with contextlib.suppress(OSError):
        _path(container).unlink()


def pinned(container: str) -> bool:
    """Whether a living process has taken it."""
    try:
        return channel.own_directory(channel.directory()) and labels.owner_alive(_path(container).read_text())
    except OSError:
        return False


def _path(container: str) -> Path:
    return Path(channel.directory(), f"taken-{container}")
