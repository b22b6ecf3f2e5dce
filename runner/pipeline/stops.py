"""The containers that run now, and how all of them, or that of one step, are stopped.

A step's `stop_grace` (120 s unless the pipeline file says otherwise) is what it gets after its time-out, as on
SageMaker. It does not apply here: whoever presses Ctrl-C waits for a prompt, so a script has `GRACE` seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from runner.engine.base import Container, StopReason

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL after the first signal, whatever `stop_grace` a step has; after a second signal
there are none."""


class Stops:
    """Thread-safe. A container that is added after a stop was asked for is refused: it must not run.

    A step that is retired is stopped alone: what it runs on has changed, and the others go on.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._lock = threading.Lock()
        self._live: dict[str, tuple[str, Container]] = {}
        self._retired: dict[str, str] = {}
        self._asked = False

    @property
    def all_asked(self) -> bool:
        """Whether the whole run is to stop."""
        return self._asked

    def asked(self, step: str) -> bool:
        """Whether this step is to stop, alone or with all others."""
        return self._asked or step in self._retired

    def why(self, step: str) -> str:
        """Why a step was stopped alone; empty where it was not."""
        return self._retired.get(step, "")

    def add(self, step: str, container: Container) -> bool:
        """Whether the container may run."""
        with self._lock:
            allowed = not self.asked(step)
            if allowed:
                self._live[container.id] = (step, container)
            return allowed

    def discard(self, container: Container) -> None:
        with self._lock:
            self._live.pop(container.id, None)

    def retire(self, step: str, why: str) -> None:
        """Stop what this step runs, if anything, and let it run nothing more; `why` goes on after "stopped: "."""
        with self._lock:
            self._retired.setdefault(step, why)
            live = [container for owner, container in self._live.values() if owner == step]
        self._stop(live, GRACE)

    def stop_all(self, grace: float) -> None:
        """Stop what runs and let nothing more run. One that cannot be told is named; the others are told."""
        with self._lock:
            self._asked = True
            live = [container for _, container in self._live.values()]
        self._stop(live, grace)

    def _stop(self, containers: Iterable[Container], grace: float) -> None:
        for container in containers:
            try:
                container.stop(StopReason.CANCELLED, grace)
            except Exception as error:
                self._notice(f"cannot stop container {container.id}: {error}")
