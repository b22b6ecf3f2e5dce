"""The process that holds warm containers between runs: one thread that never blocks, and children for all that takes
time.

1. A container that waits is held by its stream alone: when this process is gone, however it went, its containers end.
2. A lent container belongs to the connection that asked for it. It is removed here when it is said to be gone, and with
   its scratch directory when the connection breaks before that.
3. Containers are made only while none is lent: a run is not disturbed by the preparation of the next.
4. Without use for `ttl` seconds everything ends, this process too. The clock is monotonic.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runner.engine.janitor import Janitor
from runner.engine.pool import channel, children
from runner.engine.pool.shelf import Limits, Shelf, Waiting

log = logging.getLogger(__name__)

Runner = Callable[[dict[str, Any], list[int]], int]
"""Runs a command in a child: the request, and its files (stdin, stdout, stderr, directory); returns the exit code."""


@dataclass
class Guest:
    """One connection."""

    line: socket.socket
    inbox: channel.Inbox
    lent: dict[str, str] = field(default_factory=dict)
    """Scratch directory by container."""
    run: int = 0
    """The pid of the command that runs for it."""
    patient: str = ""
    """What it waits for: `stock` or `end`."""


class Keeper:
    def __init__(self, listener: socket.socket, run: Runner, refusal: Callable[[dict[str, Any]], str]) -> None:
        self._listener, self._run, self._refusal = listener, run, refusal
        self._shelf = Shelf(Limits())
        self._pool_id = f"pool-{secrets.token_hex(4)}"
        self._janitor: Janitor | None = None
        self._environ: dict[str, str] = {}
        self._guests: dict[int, Guest] = {}
        self._children: dict[int, tuple[int, Callable[[int], None]]] = {}
        """By descriptor of the process: its pid, and what its end brings."""
        self._used = time.monotonic()
        self._ending = False
        self._selector = selectors.DefaultSelector()

    # -- the loop

    def serve(self) -> None:
        """Until nothing is left to keep."""
        wake, alarm = socket.socketpair()
        for end in (wake, alarm):
            end.setblocking(False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._asked_to_end)
        signal.set_wakeup_fd(alarm.fileno())
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(512))
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        while not self._finished():
            for key, _ in self._selector.select(self._left()):
                if key.fd in self._selector.get_map():  # what came before it may have closed it
                    key.data()
            if not self._busy() and time.monotonic() - self._used >= self._shelf.limits.ttl:
                self._end()
            self._make_next()
        self._listener.close()
        if self._janitor is not None:
            self._janitor.dismiss()

    def _asked_to_end(self, _number: int, _frame: object) -> None:
        self._ending = True

    def _left(self) -> float | None:
        """Seconds until the time to live is over; None while it does not run."""
        return None if self._busy() else max(0.0, self._used + self._shelf.limits.ttl - time.monotonic())

    def _busy(self) -> bool:
        return bool(self._children) or any(guest.lent or guest.run for guest in self._guests.values())

    def _finished(self) -> bool:
        if self._ending:
            self._end()
        return self._ending and not self._busy()

    def _end(self) -> None:
        self._ending = True
        self._drop(self._shelf.clear())

    # -- connections

    def _accept(self) -> None:
        line, _ = self._listener.accept()
        if channel.peer(line) != os.getuid():
            line.close()
            return
        guest = Guest(line, channel.Inbox(line))
        self._guests[line.fileno()] = guest
        self._selector.register(line, selectors.EVENT_READ, lambda: self._hear(guest))

    def _hear(self, guest: Guest) -> None:
        try:
            going = guest.inbox.fill()
            while going and (message := guest.inbox.take()) is not None:
                self._used = time.monotonic()
                getattr(self, f"_on_{message['op']}")(guest, message)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            log.debug("a connection breaks off: %r", error)
            going = False
        if not going:
            self._leave(guest)

    def _leave(self, guest: Guest) -> None:
        """A connection has ended; what was lent over it goes, and a command that runs for it is killed as it was."""
        self._selector.unregister(guest.line)
        self._guests.pop(guest.line.fileno(), None)
        for descriptor in guest.inbox.take_files():
            os.close(descriptor)
        guest.line.close()
        if guest.run:
            os.kill(guest.run, signal.SIGKILL)
        self._remove(list(guest.lent.items()))

    def _tell(self, guest: Guest, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
        try:
            channel.send(guest.line, message, files)
        except OSError as error:
            log.debug("a guest does not listen: %s", error)

    def _on_lend(self, guest: Guest, message: dict[str, Any]) -> None:
        found = self._shelf.take(str(message["key"])) if not self._ending else None
        if found is None:
            self._tell(guest, {"id": None})
            return
        self._selector.unregister(found.attach)
        guest.lent[found.id] = str(message["scratch"])
        self._tell(guest, {"id": found.id}, (found.attach, found.wait))
        _close(found)

    def _on_gone(self, guest: Guest, message: dict[str, Any]) -> None:
        identifier = str(message["id"])
        if guest.lent.pop(identifier, None) is not None:
            self._remove([(identifier, "")])

    def _on_stock(self, guest: Guest, message: dict[str, Any]) -> None:
        (descriptor,) = guest.inbox.take_files()
        with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor
            wishes = json.load(file)
        self._environ = dict(message["environ"])
        self._shelf.limits = Limits(**message["limits"])
        self._drop(self._shelf.wish(wishes, self._environ))
        if message["wait"]:
            guest.patient = "stock"
            self._tell_patient()

    def _on_status(self, guest: Guest, _message: dict[str, Any]) -> None:
        self._tell(guest, {**self._shelf.to_json(time.monotonic()), "pid": os.getpid()})

    def _on_end(self, guest: Guest, _message: dict[str, Any]) -> None:
        guest.patient = "end"
        self._end()
        self._tell_patient()

    def _tell_patient(self) -> None:
        """Answer those who wait for what is done now."""
        stocked = not self._shelf.queue and self._shelf.making is None
        for guest in list(self._guests.values()):
            if (guest.patient == "stock" and stocked) or (guest.patient == "end" and not self._children):
                guest.patient = ""
                self._on_status(guest, {})

    def _on_run(self, guest: Guest, message: dict[str, Any]) -> None:
        files = guest.inbox.take_files()
        why = "it is ending" if self._ending else self._refusal(message)
        if why or len(files) != 4 or guest.run:
            self._tell(guest, {"refused": why or "the request is not whole"})
            self._ending = self._ending or bool(why)  # another keeper takes its place
        else:
            guest.run = children.fork(lambda: self._run(message, files), keep=files)
            self._watch(guest.run, lambda status: self._ended(guest, status))
            self._tell(guest, {"pid": guest.run})
        for descriptor in files:
            os.close(descriptor)

    def _on_signal(self, guest: Guest, message: dict[str, Any]) -> None:
        if guest.run:
            os.kill(guest.run, int(message["number"]))

    def _ended(self, guest: Guest, status: int) -> None:
        guest.run = 0
        self._used = time.monotonic()
        code, number = os.waitstatus_to_exitcode(status), 0
        if code < 0:
            code, number = 128 - code, -code
        self._tell(guest, {"exit": code, "signal": number})

    # -- containers

    def _make_next(self) -> None:
        lent = any(guest.lent for guest in self._guests.values())
        wish = self._shelf.next() if not lent and not self._ending else None
        if wish is None:
            return
        if self._janitor is None:
            self._janitor = Janitor(self._pool_id)
        mine, its = socket.socketpair()
        others = [waiting.id for waiting in self._shelf.ready]
        memory = self._shelf.limits.memory
        pid = children.fork(lambda: children.make(wish, self._pool_id, others, memory, its), keep=(its.fileno(),))
        its.close()
        self._watch(pid, lambda _: self._made(wish, mine))

    def _made(self, wish: dict[str, Any], line: socket.socket) -> None:
        """The child has ended, so all that it says is there."""
        self._shelf.making = None
        inbox = channel.Inbox(line)
        with line:
            try:
                answer = inbox.wait() or {"error": "the process that was to make a container died"}
            except (OSError, ValueError) as error:
                answer = {"error": str(error)}
        files = inbox.take_files()
        if len(files) != 2:
            self._shelf.full(f"{wish['step']}: {answer.get('full') or answer.get('error')}")
        else:
            fixed = {name: str(wish[name]) for name in ("key", "slot", "step", "image", "image_id")}
            modules = tuple(wish["modules"])
            found = Waiting(
                id=answer["id"], modules=modules, attach=files[0], wait=files[1], since=time.monotonic(), **fixed
            )
            self._shelf.put(found)
            self._selector.register(found.attach, selectors.EVENT_READ, lambda: self._died(found))
            if self._ending:
                self._drop(self._shelf.clear())
        self._tell_patient()

    def _died(self, waiting: Waiting) -> None:
        """A container that waits says nothing: its stream tells of its end, or of something that does not belong."""
        if self._shelf.holding(waiting.attach) is not None:
            self._drop([waiting])

    def _drop(self, idle: list[Waiting]) -> None:
        for waiting in idle:
            with contextlib.suppress(KeyError):
                self._selector.unregister(waiting.attach)
            _close(waiting)
        self._remove([(waiting.id, "") for waiting in idle])

    def _remove(self, containers: list[tuple[str, str]]) -> None:
        if containers:
            pid = children.fork(lambda: children.remove(self._environ, containers))
            self._watch(pid, lambda _: self._tell_patient())

    def _watch(self, pid: int, end: Callable[[int], None]) -> None:
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = (pid, end)
        self._selector.register(descriptor, selectors.EVENT_READ, lambda: self._reap(descriptor))

    def _reap(self, descriptor: int) -> None:
        pid, end = self._children.pop(descriptor)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        end(status)


def _close(waiting: Waiting) -> None:
    os.close(waiting.attach)
    os.close(waiting.wait)
