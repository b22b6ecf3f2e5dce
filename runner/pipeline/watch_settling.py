"""When to look after files have changed: soon, but not in the middle of a save. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Hashable

QUIET = 0.02
"""Seconds without a further event after which a save counts as over: editors make theirs in less than 5 ms."""
CEILING = 0.08
"""Seconds after the first event when to look whatever comes: who saves without a pause is told of the first saves."""
OPEN = 1.0
"""Seconds without a write after which a file that its writer keeps open is looked at all the same."""


class Settling:
    """Notes events and says when to look. All times are seconds of one clock."""

    def __init__(self) -> None:
        self.first: float | None = None
        """When the first event came that was not looked at yet."""
        self._last = 0.0
        self._later = 0.0
        self._writing: dict[Hashable, float] = {}

    def note(self, now: float) -> None:
        """Something happened."""
        self.first = now if self.first is None else self.first
        self._last = now

    def writing(self, file: Hashable, now: float) -> None:
        """A file was written to, and is not closed yet: what it holds may be half of a save."""
        self.note(now)
        self._writing[file] = now

    def closed(self, file: Hashable, now: float) -> None:
        """Its writer closed it, or its name is another file's now."""
        self.note(now)
        self._writing.pop(file, None)

    def postpone(self, until: float) -> None:
        """Look once more, not before then."""
        self.note(until)
        self._later = until

    def due(self) -> float | None:
        """When to look; None: there is nothing to look at."""
        if self.first is None:
            return None
        soon = min(self._last + QUIET, max(self.first, self._later) + CEILING)
        return max([soon, *(written + OPEN for written in self._writing.values())])

    def take(self) -> float:
        """It is being looked at: returns when the first event came."""
        first = self.first if self.first is not None else self._last
        self.first = None
        self._later = 0.0
        self._writing.clear()
        return first
