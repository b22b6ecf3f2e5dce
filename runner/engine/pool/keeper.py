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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.engine.janitor import Janitor
from runner.engine.pool import channel, children
from runner.engine.pool.shelf import Limits, Shelf, Waiting

log = logging.getLogger(__name__)

Runner = Callable[[dict[str, Any], list[int]], int]
"""Runs a command in a child: the request, and its files (stdin, stdout, stderr, directory); returns the exit code."""


Doomed = tuple[str, str, Mapping[str, str]]
"""A container to remove, its scratch directory if it has one, and the variables that say where its engine is."""


@dataclass
class Guest:
    """One connection."""

    line: socket.socket
    inbox: channel.Inbox
    lent: dict[str, Doomed] = field(default_factory=dict)
    """How to remove each, by container."""
    run: int = 0
    """The pid of the command that runs for it."""
    asked: tuple[dict[str, Any], list[int]] | None = None
    """The request and the files of a command that it may begin."""
    patient: str = ""
    """What it waits for: `stock` or `end`."""


class Keeper:
    def __init__(self, listener: socket.socket, run: Runner, refusal: Callable[[], str]) -> None:
        self._listener, self._run, self._refusal = listener, run, refusal
        self._shelf = Shelf(Limits())
        self._pool_id = f"pool-{secrets.token_hex(4)}"
        self._janitor: Janitor | None = None
        self._guests: dict[int, Guest] = {}
        self._children: dict[int, tuple[int, Callable[[int], None]]] = {}
        """By descriptor of the process: its pid, and what its end brings."""
        self._errands: set[int] = set()
        """Those of them that make or remove containers."""
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
            self._tell_patient()
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
        except Exception as error:  # whatever one guest says, the others stay
            log.warning("a connection breaks off: %r", error)
            going = False
        if not going:
            self._leave(guest)

    def _leave(self, guest: Guest) -> None:
        """A connection has ended; what was lent over it goes, and a command that runs for it is killed as it was."""
        self._selector.unregister(guest.line)
        self._guests.pop(guest.line.fileno(), None)
        for descriptor in (*guest.inbox.take_files(), *(guest.asked[1] if guest.asked else ())):
            os.close(descriptor)
        guest.line.close()
        if guest.run:
            os.kill(guest.run, signal.SIGKILL)
        self._remove(list(guest.lent.values()))

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
        guest.lent[found.id] = (found.id, str(message["scratch"]), found.environ)
        self._tell(guest, {"id": found.id}, (found.attach, found.wait))
        _close(found)

    def _on_gone(self, guest: Guest, message: dict[str, Any]) -> None:
        identifier = str(message["id"])
        lent = guest.lent.pop(identifier, None)
        if lent is not None:
            self._remove([(identifier, "", lent[2])])

    def _on_stock(self, guest: Guest, message: dict[str, Any]) -> None:
        (descriptor,) = guest.inbox.take_files()
        with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor
            wishes = json.load(file)
        self._shelf.limits = Limits(**message["limits"])
        self._drop(self._shelf.wish(wishes, dict(message["environ"])))
        if not message["wait"]:
            return
        if self._is_lending() or self._ending:
            self._shelf.note = "it is ending" if self._ending else "made when the run that goes on has ended"
            self._on_status(guest, {})
        else:
            guest.patient = "stock"

    def _on_status(self, guest: Guest, _message: dict[str, Any]) -> None:
        self._tell(guest, {**self._shelf.to_json(time.monotonic()), "pid": os.getpid()})

    def _on_end(self, guest: Guest, _message: dict[str, Any]) -> None:
        guest.patient = "end"
        self._end()

    def _tell_patient(self) -> None:
        """Answer those who wait for what is done now."""
        stocked = not self._shelf.queue and self._shelf.making is None
        for guest in list(self._guests.values()):
            if (guest.patient == "stock" and stocked) or (guest.patient == "end" and not self._errands):
                guest.patient = ""
                self._on_status(guest, {})

    def _on_run(self, guest: Guest, message: dict[str, Any]) -> None:
        files = guest.inbox.take_files()
        refused = "it is ending" if self._ending else self._refusal()
        if refused or len(files) != 4 or guest.run or guest.asked:
            self._tell(guest, {"refused": refused or "the request is not whole"})
            self._ending = self._ending or bool(refused)  # another one takes its place
            for descriptor in files:
                os.close(descriptor)
            return
        guest.asked = message, files
        self._tell(guest, {"accepted": True})

    def _on_begin(self, guest: Guest, _message: dict[str, Any]) -> None:
        """Only now: a guest that has lost its patience runs the command itself, and never says this."""
        if guest.asked is None:
            raise ValueError("nothing was asked for")
        (message, files), guest.asked = guest.asked, None
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

    def _is_lending(self) -> bool:
        return any(guest.lent for guest in self._guests.values())

    def _make_next(self) -> None:
        wish = self._shelf.next() if not self._is_lending() and not self._ending else None
        if wish is None:
            return
        if self._janitor is None:
            self._janitor = Janitor(self._pool_id)
        mine, its = socket.socketpair()
        others = [waiting.id for waiting in self._shelf.ready]
        memory = self._shelf.limits.memory
        pid = children.fork(lambda: children.make(wish, self._pool_id, others, memory, its), keep=(its.fileno(),))
        its.close()
        self._watch(pid, lambda _: self._made(wish, mine), errand=True)

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
                id=answer["id"],
                environ=wish["environ"],
                modules=modules,
                attach=files[0],
                wait=files[1],
                since=time.monotonic(),
                **fixed,
            )
            self._shelf.put(found)
            self._selector.register(found.attach, selectors.EVENT_READ, lambda: self._died(found))
            if self._ending:
                self._drop(self._shelf.clear())

    def _died(self, waiting: Waiting) -> None:
        """A container that waits says nothing: its stream tells of its end, or of something that does not belong."""
        if self._shelf.holding(waiting.attach) is not None:
            self._drop([waiting])

    def _drop(self, idle: list[Waiting]) -> None:
        for waiting in idle:
            with contextlib.suppress(KeyError):
                self._selector.unregister(waiting.attach)
            _close(waiting)
        self._remove([(waiting.id, "", waiting.environ) for waiting in idle])

    def _remove(self, containers: list[Doomed]) -> None:
        if containers:
            pid = children.fork(lambda: children.remove(containers))
            self._watch(pid, lambda _: None, errand=True)

    def _watch(self, pid: int, end: Callable[[int], None], *, errand: bool = False) -> None:
        descriptor = os.pidfd_open(pid)
        if errand:
            self._errands.add(descriptor)
        self._children[descriptor] = (pid, end)
        self._selector.register(descriptor, selectors.EVENT_READ, lambda: self._reap(descriptor))

    def _reap(self, descriptor: int) -> None:
        pid, end = self._children.pop(descriptor)
        self._errands.discard(descriptor)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        end(status)


def _close(waiting: Waiting) -> None:
    os.close(waiting.attach)
    os.close(waiting.wait)
