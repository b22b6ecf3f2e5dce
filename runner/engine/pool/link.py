"""A run's side of the pool: ask the keeper for containers, and say what the next run will need.

Whatever goes wrong here costs time and is said in the log: the run then makes its containers itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.engine.pool import channel
from runner.engine.pool.shelf import Limits
from runner.engine.pool.wish import Wish

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for an answer that the keeper has at hand."""
_DOCKER = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "HOME")
"""What says where the engine is: the keeper may have been started with others."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A container that waits for a job, and the two ends that it is held by: its streams, and the pending wait."""

    id: str
    attach: socket.socket
    wait: socket.socket

    def close(self) -> None:
        self.attach.close()
        self.wait.close()


class Link:
    """One connection to the keeper. Thread-safe. Once it has broken there is no pool any more."""

    def __init__(self, line: socket.socket) -> None:
        self._line: socket.socket | None = line
        self._inbox = channel.Inbox(line)
        self._silent = False
        """It has not answered in time: nothing more is asked. The line stays, as what was lent over it goes with it."""
        self._lock = threading.Lock()

    @property
    def broken(self) -> bool:
        return self._line is None or self._silent

    @classmethod
    def open(cls, path: str = "") -> Link | None:
        """None when there is no keeper. `path`: its socket, of a certain one."""
        line = channel.connect(path)
        return cls(line) if line is not None else None

    def lend(self, wish: Wish, scratch: Path) -> Lent | None:
        """A container with this key, which is the caller's from here on; None when none is ready. `scratch` goes with
        the container if the caller dies."""
        with self._lock:
            answer = self._ask({"op": "lend", "key": wish.key, "scratch": str(scratch)})
            files = self._inbox.take_files()
            if answer is None or not answer.get("id") or len(files) != 2:
                for descriptor in files:
                    os.close(descriptor)
                return None
            return Lent(str(answer["id"]), *(socket.socket(fileno=descriptor) for descriptor in files))

    def give_back(self, container: str) -> bool:
        """Have the keeper remove a lent container that has ended; False where it does not hear."""
        with self._lock:
            return self._say({"op": "gone", "id": container})

    def stock(self, wishes: Sequence[Wish], limits: Limits, *, wait: bool = False) -> dict[str, Any] | None:
        """Have these containers made, in this order; with `wait` returns the keeper's status when that is done."""
        if not wishes:
            return None
        environ = {name: os.environ[name] for name in _DOCKER if name in os.environ}
        body = json.dumps([asdict(wish) for wish in wishes]).encode()
        descriptor = os.memfd_create("wishes", os.MFD_CLOEXEC)  # larger than what a socket takes at once
        try:
            os.pwrite(descriptor, body, 0)
            with self._lock:
                message = {"op": "stock", "environ": environ, "wait": wait, "limits": asdict(limits)}
                if not wait:
                    self._say(message, (descriptor,))
                    return None
                return self._ask(message, (descriptor,), patient=True)
        finally:
            os.close(descriptor)

    def status(self) -> dict[str, Any] | None:
        """What the keeper holds; None when it does not answer."""
        with self._lock:
            return self._ask({"op": "status"})

    def end(self) -> None:
        """Have the keeper end every container that waits, and itself; returns when that is done."""
        with self._lock:
            self._ask({"op": "end"}, patient=True)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _ask(
        self, message: dict[str, Any], files: tuple[int, ...] = (), *, patient: bool = False
    ) -> dict[str, Any] | None:
        if self._silent or not self._say(message, files):
            return None
        assert self._line is not None  # noqa: S101  it took the message
        try:
            self._line.settimeout(None if patient else PATIENCE)
            answer: dict[str, Any] | None = self._inbox.wait()
        except (OSError, ValueError) as error:
            log.debug("the keeper does not answer: %s", error)
            self._silent = True
            return None
        if answer is None:
            self._drop()
        return answer

    def _say(self, message: dict[str, Any], files: tuple[int, ...] = ()) -> bool:
        if self._line is None:
            return False
        try:
            channel.send(self._line, message, files)
        except OSError as error:
            log.debug("the keeper does not listen: %s", error)
            self._drop()
            return False
        return True

    def _drop(self) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.close()
        self._line = None


Start = Callable[[], None]
"""Starts a keeper; returns when it listens, or has failed."""


def open_or_start(start: Start) -> Link | None:
    """A link to this user's keeper, which is started where there is none. None where that cannot be."""
    link = Link.open()
    if link is None:
        start()
        link = Link.open()
    return link
