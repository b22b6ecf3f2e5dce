"""An engine's share in the pool: what it takes out, and what it wishes for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from runner.engine.base import Launch
from runner.engine.client import endpoint
from runner.engine.pool import pins
from runner.engine.pool.link import Link, open_or_start
from runner.engine.pool.shelf import Limits, of_environment
from runner.engine.pool.wish import Wish, poolable, wish
from runner.engine.wire import HeldWait, HeldWire


class Share:
    """Thread-safe. Without a link nothing is taken, and wishes are noted all the same."""

    def __init__(self, api: Any, link: Link | None) -> None:
        self._api, self._link = api, link
        self._wishes: list[Wish] = []
        self._lock = threading.Lock()

    def wish_for(self, launch: Launch, engine_id: str) -> Wish | None:
        """Note the container that this launch takes, for the next run; None for one that cannot be kept ready."""
        if not poolable(launch):
            return None
        wanted = wish(self._api, launch, engine_id)
        with self._lock:
            self._wishes.append(wanted)
        return wanted

    def take(self, wanted: Wish, launch: Launch) -> tuple[str, HeldWire] | None:
        """A container that waits, and its connections; the caller's from here on. None when there is none."""
        lent = self._link.lend(wanted, launch.scratch) if self._link is not None else None
        if lent is None:
            return None
        pins.pin(lent.id)
        return lent.id, HeldWire(lent.attach, HeldWait(lent.wait))

    def runs(self, container: str) -> bool:
        """Whether a container is as it was left: it may have been paused or killed from outside."""
        from docker.errors import NotFound

        try:
            state = self._api.inspect_container(container)["State"]
        except NotFound:
            return False
        return bool(state["Running"]) and not state["Paused"]

    def give_back(self, container: str) -> bool:
        """Have one that was taken, and has ended, removed; False where nobody will."""
        pins.unpin(container)
        return self._link is not None and self._link.give_back(container)

    def stock(
        self, start: Callable[[], None], *, wait: bool = False, limits: Limits | None = None
    ) -> dict[str, Any] | None:
        """Have the wishes fulfilled; `start` starts a keeper where there is none. With `wait`: returns the keeper's
        status when they are. None where there is nothing to wish for, or no keeper. Raises UsageError for limits
        that are none."""
        if not self._wishes or endpoint().socket is None:  # an encrypted connection cannot be handed on
            return None
        if self._link is None or self._link.broken:  # a keeper without use ends
            self._link = open_or_start(start)
        if self._link is None:
            return None
        with self._lock:
            wishes, self._wishes = self._wishes, []
        return self._link.stock(wishes, limits or of_environment(), wait=wait)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
