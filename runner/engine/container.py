"""One Docker container from `go` to removal.

Guarantees, each with a test of its name:
1. Attach and wait are armed before the start, so that neither a byte nor an exit status of a fast script is lost.
2. The verdict comes from inspect, before removal; removal never changes it. A pass is believed as soon as the agent
   reports it, since other steps wait for it, and inspected by `confirm`: no doubt stays a pass.
3. Both streams are drained to their end, or to the agent's trailers, before `run` returns.
4. A stop is SIGTERM, the grace, SIGKILL; if the agent does not answer, the engine kills.
5. Losing the engine ends the wait with an infrastructure verdict, never with a hang or a pass.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runner.engine import creation
from runner.engine.base import Launch, Outcome, Sink, StartMode, StopReason
from runner.engine.kill import kill
from runner.engine.outcomes import as_reported, has_passed, now, outcome_of, report_of
from runner.engine.streams import Sinks
from runner.engine.verdict import Evidence
from runner.engine.wire import HeldWire, Wire, knock

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger(__name__)

KILL_MARGIN = 3.0
"""Seconds that the agent has beyond the grace before the engine kills the container."""
DRAIN_MARGIN = 10.0
"""Seconds of silence, after the exit, after which an attach stream without an end is given up."""
END_MARGIN = 60.0
"""Seconds that a container has to end whose agent has reported a pass: it does nothing but exit."""
CHUNK = 1 << 18


class DockerContainer:
    """A created (and, when staged, started) container. Not reusable."""

    def __init__(
        self,
        api: APIClient,
        launch: Launch,
        container: str,
        wire: Wire | HeldWire,
        tidy: Callable[[], None],
        privates: Sequence[creation.Private],
    ) -> None:
        self.id = container
        self.mode = launch.image.mode
        self._api = api
        self._launch = launch
        self._wire = wire
        self._tidy = tidy
        self._privates = privates
        self._lost = ""
        self._start_error = ""
        self._stop: StopReason | None = None
        self._kill_at: float | None = None
        self._ended = False
        self._early = False
        """The agent has reported a pass, and the engine was not asked yet."""
        self._report: Any = None
        self.going = threading.Event()
        """Set in `run` when the container runs, or could not be started."""
        self._nonce = secrets.token_hex(16)
        self._wake_read, self._wake_write = os.pipe()
        self._lock = threading.Lock()

    # -- the runner's side of the agent's protocol

    def tell(self, message: dict[str, Any]) -> None:
        """One line to the agent. A broken connection is not an error here: the wait will say what happened."""
        try:
            self._wire.attach.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            log.debug("container %s does not listen: %s", self.id[:12], error)

    def run(self, stdout: Sink, stderr: Sink) -> Outcome:
        """See `engine.base.Container.run`."""
        self._started, began = now(), time.monotonic()
        sinks = self._sinks = Sinks(self._nonce, stdout, stderr, lambda: self._end(None, 0.0))
        goes = self._start_or_go()
        self.going.set()
        if goes:
            limit = self._launch.job.limits.timeout
            self._follow(sinks, None if limit is None else began + limit)
            sinks.end()
        self._seconds = time.monotonic() - began
        with self._lock:
            self._ended, self._kill_at = True, None
        if self._early:
            return self._outcome(as_reported(self._evidence(None)))
        return self._inspected()

    def confirm(self) -> Outcome:
        """See `engine.base.Container.confirm`."""
        if self._early:
            self._early = False
            self.tell({"op": "bye"})
            self._follow(self._sinks, None, time.monotonic() + END_MARGIN)
            return self._inspected()
        return self._final

    def _inspected(self) -> Outcome:
        state = None if self._lost or self._start_error else self._inspect()
        self._final = self._outcome(self._evidence(state))
        return self._final

    def _outcome(self, evidence: Evidence) -> Outcome:
        broken = not (self._sinks.arrived or self._sinks.demultiplexer.complete)
        return outcome_of(
            self._launch, evidence, self._privates, started=self._started, seconds=self._seconds, broken=broken
        )

    def _start_or_go(self) -> bool:
        from docker.errors import APIError
        from requests.exceptions import RequestException

        if self.mode is StartMode.STAGED:
            # A stop that was sent before must come first.
            if self._stop is not None or not knock(self._launch.scratch / creation.KNOCK):
                self.tell({"op": "go"})
            return True
        try:
            self._api.start(self.id)
        except APIError as error:
            self._start_error = str(error.explanation or error)
            return False
        except (RequestException, OSError) as error:
            self._lost = str(error)
            return False
        if self.mode is StartMode.PLAIN:
            self.greet()
            self.tell({"op": "go"})
        return True

    def greet(self) -> None:
        """Give the agent its job."""
        if self.mode is StartMode.STAGED:
            with contextlib.suppress(OSError):  # then `go` goes the long way
                os.mkfifo(self._launch.scratch / creation.KNOCK, 0o600)
        uid, gid = os.getuid(), os.getgid()
        self.tell(creation.job_message(self._launch, nonce=self._nonce, uid=uid, gid=gid))

    # -- waiting

    def _follow(self, sinks: Sinks, deadline: float | None, silence: float | None = None) -> None:
        """Until the stream has ended and the wait was answered, or the agent reports a pass. Nothing is polled:
        descriptors and one timer. `silence`: the moment at which it is given up."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wire.attach, selectors.EVENT_READ, "attach")
            selector.register(self._wire.wait_socket, selectors.EVENT_READ, "wait")
            selector.register(self._wake_read, selectors.EVENT_READ, "wake")
            open_ends = {"attach", "wait"}
            while open_ends and not self._early:
                events = selector.select(_until(deadline, self._kill_at, silence))
                for key, _ in events:
                    if key.data == "wake":
                        os.read(self._wake_read, 512)
                    elif key.data == "attach" and self._read(sinks):
                        if silence is not None:
                            silence = time.monotonic() + DRAIN_MARGIN
                    else:
                        selector.unregister(key.fileobj)
                        open_ends.discard(key.data)
                        if key.data == "wait":
                            self._answered()
                            silence = time.monotonic() + DRAIN_MARGIN
                if self._lost or (silence is not None and time.monotonic() >= silence):
                    return
                deadline = self._watch_clock(deadline)

    def _read(self, sinks: Sinks) -> bool:
        """False at the stream's end."""
        try:
            data = self._wire.attach.recv(CHUNK)
        except OSError as error:
            log.debug("the attach stream of %s broke: %s", self.id[:12], error)
            return False
        before = sinks.arrived
        sinks.demultiplexer.feed(data)
        if sinks.arrived and not before:
            self._report = report_of(sinks)
            self._early = has_passed(self._evidence(None))
            if not self._early:
                self.tell({"op": "bye"})  # the agent holds the container until every byte is here
        return bool(data)

    def _answered(self) -> None:
        """The wait has a body: an exit, or the end of the connection."""
        from requests.exceptions import RequestException

        try:
            answer = self._wire.wait.json()
        except (RequestException, ValueError, OSError) as error:
            self._lost = f"its wait call broke off ({error or type(error).__name__})"
            return
        if answer.get("Error"):
            log.debug("wait for %s: %s", self.id[:12], answer["Error"])

    def _watch_clock(self, deadline: float | None) -> float | None:
        """Apply the time-out and the last kill; returns the deadline that is still ahead."""
        clock = time.monotonic()
        if deadline is not None and clock >= deadline:
            self.stop(StopReason.TIMEOUT, self._launch.job.limits.grace)
            deadline = None
        with self._lock:
            due = self._kill_at is not None and clock >= self._kill_at
            if due:
                self._kill_at = None
        if due:
            kill(self._api, self.id, "SIGKILL")
        return deadline

    # -- stopping

    def stop(self, reason: StopReason, grace: float) -> None:
        """See `engine.base.Container.stop`. The first reason given is the one that counts."""
        self._end(reason, grace)

    def _end(self, reason: StopReason | None, grace: float) -> None:
        with self._lock:
            if self._ended:
                return
            first = self._stop is None
            self._stop = self._stop or reason
            margin = grace + (0.0 if self.mode is StartMode.COLD else KILL_MARGIN)
            kill_at = time.monotonic() + margin
            self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
            reason_word = str(self._stop) if self._stop else "sink"
        if self.mode is StartMode.COLD:
            if first:
                kill(self._api, self.id, "SIGTERM")
        else:
            self.tell({"op": "stop", "reason": reason_word, "grace": grace})
        os.write(self._wake_write, b"x")

    # -- what happened

    def _evidence(self, state: Any) -> Evidence:
        return Evidence(
            limits=self._launch.job.limits,
            state=state,
            report=self._report,
            has_agent=self.mode is not StartMode.COLD,
            stop=self._stop,
            lost=self._lost,
            sink_error=self._sinks.error,
            start_error=self._start_error,
        )

    def _inspect(self) -> Any:
        from docker.errors import APIError, NotFound
        from requests.exceptions import RequestException

        try:
            return self._api.inspect_container(self.id)["State"]
        except NotFound:
            return None
        except (APIError, RequestException, OSError) as error:
            self._lost = f"it could not be asked how the step ended ({error})"
            return None

    def remove(self) -> None:
        """See `engine.base.Container.remove`."""
        with self._lock:
            self._ended = True
        try:
            self._wire.close()
            self._tidy()
        finally:
            for end in (self._wake_read, self._wake_write):
                with contextlib.suppress(OSError):
                    os.close(end)


def _until(*moments: float | None) -> float | None:
    """Seconds to the nearest of the moments; None when there is none."""
    ahead = [moment for moment in moments if moment is not None]
    return max(0.0, min(ahead) - time.monotonic()) if ahead else None
