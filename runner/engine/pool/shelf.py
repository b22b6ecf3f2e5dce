"""What the keeper holds and what it is still to make: decisions without clock or processes.

1. A container is handed out at most once, and only for its own key; of several the oldest goes first.
2. Of a step only the newest wish counts: containers for earlier ones are ended when another key is wished for it.
3. An image that was made anew ends the containers of the old one.
4. Never more than `most` containers, nor more than `memory` bytes as far as they were measured.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import UsageError


@dataclass(frozen=True, slots=True)
class Waiting:
    """A container that stands ready, with the descriptors that hold it."""

    id: str
    key: str
    slot: str
    step: str
    image: str
    image_id: str
    modules: tuple[str, ...]
    environ: Mapping[str, str]
    """What says where its engine is."""
    attach: int
    wait: int
    since: float
    """On the keeper's clock, in seconds."""


@dataclass(slots=True)
class Limits:
    """Of a pool. `ttl` in seconds without any use, `memory` in bytes."""

    ttl: float = 600.0
    memory: int = 2 << 30
    most: int = 16


TTL = "RUN_PIPELINE_POOL_TTL"
MEMORY = "RUN_PIPELINE_POOL_MEMORY"
_SHARE = 4
"""The pool takes at most this part of the machine's memory, unless told otherwise."""


def of_environment() -> Limits:
    """Of the pool, from the environment. Raises UsageError."""
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


class Shelf:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.ready: list[Waiting] = []
        self.queue: deque[dict[str, Any]] = deque()
        """Wishes to fulfil, first things first."""
        self.making: dict[str, Any] | None = None
        self.note = ""
        """Why the last wish was not fulfilled."""

    def put(self, waiting: Waiting) -> None:
        self.ready.append(waiting)

    def take(self, key: str) -> Waiting | None:
        found = next((waiting for waiting in self.ready if waiting.key == key), None)
        if found is not None:
            self.ready.remove(found)
        return found

    def holding(self, descriptor: int) -> Waiting | None:
        """The container whose stream this is, taken off: it has ended."""
        found = next((waiting for waiting in self.ready if waiting.attach == descriptor), None)
        if found is not None:
            self.ready.remove(found)
        return found

    def wish(self, wishes: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> list[Waiting]:
        """Queue what is not there yet; returns the containers that no wish stands behind any more, taken off."""
        self.note = ""
        newest = {str(each["slot"]): str(each["key"]) for each in wishes}
        images = {str(each["image"]): str(each["image_id"]) for each in wishes}
        idle = [
            waiting
            for waiting in self.ready
            if newest.get(waiting.slot, waiting.key) != waiting.key
            or images.get(waiting.image, waiting.image_id) != waiting.image_id
        ]
        self.ready = [waiting for waiting in self.ready if waiting not in idle]
        there = [waiting.key for waiting in self.ready]
        there += [each["key"] for each in (*self.queue, *([self.making] if self.making else ()))]
        for each in wishes:
            if each["key"] in there:
                there.remove(each["key"])
            else:
                self.queue.append({**each, "environ": dict(environ)})
        return idle

    def next(self) -> dict[str, Any] | None:
        """The wish to fulfil now; None when there is none, or no room."""
        if self.making is not None or not self.queue:
            return None
        if len(self.ready) >= self.limits.most:
            self.full(f"the pool holds {self.limits.most} containers, its most")
            return None
        self.making = self.queue.popleft()
        return self.making

    def full(self, why: str) -> None:
        self.note = why
        self.queue.clear()

    def clear(self) -> list[Waiting]:
        """Take everything off."""
        ready, self.ready = self.ready, []
        self.queue.clear()
        return ready

    def to_json(self, clock: float) -> dict[str, Any]:
        """As `status` tells it; ages in seconds."""
        return {
            "ready": [
                {
                    "id": waiting.id,
                    "step": waiting.step,
                    "image": waiting.image,
                    "modules": list(waiting.modules),
                    "age": round(clock - waiting.since, 1),
                }
                for waiting in self.ready
            ],
            "coming": [each["step"] for each in (*([self.making] if self.making else ()), *self.queue)],
            "note": self.note,
            "ttl": self.limits.ttl,
            "memory_limit": self.limits.memory,
            "most": self.limits.most,
        }
