"""When to clear up after a step: not while another one starts or ends, if that can be helped.

To end and remove a container takes the engine and the kernel about a tenth of a second of both, in which a step that
starts waits for its mounts: a chain of short steps takes twice as long for it. So it is put off until nothing runs, or
what runs has been in its script for a while. Never more than `MOST` wait, and nobody waits once the run is to stop.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

LULL = 0.2
"""Seconds after a step was started, or its script was, in which its neighbours' containers stay."""
MOST = 8
"""Containers that wait to be removed; each holds little but an idle interpreter."""


class Lull:
    """Thread-safe. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._busy: dict[str, float] = {}
        self._waiting: deque[object] = deque()
        self._released = False

    def begin(self, step: str) -> None:
        """A step was started, or its script was."""
        with self._changed:
            self._busy[step] = self._clock()

    def end(self, step: str) -> None:
        """It has ended, and whatever waited for it has begun."""
        with self._changed:
            self._busy.pop(step, None)
            self._changed.notify_all()

    def release(self) -> None:
        """From now on nobody waits."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def wait(self) -> None:
        """Until it is time to clear up after a step that has ended."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.notify_all()  # the first of too many may go
            while (left := self._left(ticket)) > 0:
                self._changed.wait(left)
            self._waiting.remove(ticket)

    def _left(self, ticket: object) -> float:
        """Seconds to wait if nothing changes; none when it is time."""
        if self._released or (len(self._waiting) > MOST and self._waiting[0] is ticket):
            return 0.0
        return max(self._busy.values(), default=self._clock() - LULL) + LULL - self._clock()
