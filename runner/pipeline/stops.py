"""The containers that run now, and how all of them are stopped at once.

A step's `stop_grace` (120 s unless the pipeline file says otherwise) is what it gets after its time-out, as on
SageMaker. It does not apply here: whoever presses Ctrl-C waits for a prompt, so a script has `GRACE` seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from runner.engine.base import Container, StopReason

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL after the first signal, whatever `stop_grace` a step has; after a second signal
there are none."""


class Stops:
    """Thread-safe. A container that is added after a stop was asked for is refused: it must not run."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._lock = threading.Lock()
        self._live: dict[str, Container] = {}
        self._asked = False

    @property
    def asked(self) -> bool:
        return self._asked

    def add(self, container: Container) -> bool:
        """Whether the container may run."""
        with self._lock:
            if not self._asked:
                self._live[container.id] = container
            return not self._asked

    def discard(self, container: Container) -> None:
        with self._lock:
            self._live.pop(container.id, None)

    def stop_all(self, grace: float) -> None:
        """Stop what runs and let nothing more run. One that cannot be told is named; the others are told."""
        with self._lock:
            self._asked = True
            live = list(self._live.values())
        for container in live:
            try:
                container.stop(StopReason.CANCELLED, grace)
            except Exception as error:
                self._notice(f"cannot stop container {container.id}: {error}")
