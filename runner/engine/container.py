"""One Docker container from `go` to removal.

Guarantees, each with a test of its name:
1. Attach and wait are armed before the start, so that neither a byte nor an exit status of a fast script is lost.
2. The verdict comes from inspect, before removal; removal never changes it.
3. Both streams are drained to their end before `run` returns.
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
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runner.engine import creation, tracing
from runner.engine.base import Launch, Outcome, Sink, StartMode, StopReason
from runner.engine.kill import kill
from runner.engine.streams import Sinks
from runner.engine.verdict import Evidence, judge
from runner.engine.wire import HeldWire, Wire

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger(__name__)

KILL_MARGIN = 3.0
"""Seconds that the agent has beyond the grace before the engine kills the container."""
DRAIN_MARGIN = 10.0
"""Seconds of silence, after the exit, after which an attach stream without an end is given up."""
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
        started, began = now(), time.monotonic()
        sinks = Sinks(self._nonce, stdout, stderr, lambda: self._end(None, 0.0))
        goes = self._start_or_go()
        self.going.set()
        if goes:
            limit = self._launch.job.limits.timeout
            self._follow(sinks, None if limit is None else began + limit)
            sinks.end()
        seconds = time.monotonic() - began
        with self._lock:
            self._ended = True
        evidence = self._evidence(sinks)
        judged = judge(evidence)
        state = evidence.state or {}
        warnings = (*(note for each in self._privates for note in each.notes), *judged.warnings)
        # The agent of a staged container makes its inputs private itself, and tells at its end.
        made = {each.name: each.how for each in self._privates} or (evidence.report or {}).get("inputs", {})
        if not sinks.demultiplexer.complete and not self._lost:
            warnings += ("the end of the step's output may be missing: its stream broke off",)
        return Outcome(
            verdict=judged.verdict,
            exit_code=judged.exit_code,
            signal=judged.signal,
            reason=judged.reason,
            started_at=started,
            finished_at=str(state["FinishedAt"]) if state.get("FinishedAt") else now(),
            seconds=seconds,
            warnings=warnings,
            peer=judged.peer,
            private=tuple(made.items()),
            trace=tracing.told(self._launch, evidence.report),
        )

    def _start_or_go(self) -> bool:
        from docker.errors import APIError
        from requests.exceptions import RequestException

        if self.mode is StartMode.STAGED:
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
        uid, gid = os.getuid(), os.getgid()
        self.tell(creation.job_message(self._launch, nonce=self._nonce, uid=uid, gid=gid))

    # -- waiting

    def _follow(self, sinks: Sinks, deadline: float | None) -> None:
        """Until the stream has ended and the wait was answered. Nothing is polled: descriptors and one timer."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wire.attach, selectors.EVENT_READ, "attach")
            selector.register(self._wire.wait_socket, selectors.EVENT_READ, "wait")
            selector.register(self._wake_read, selectors.EVENT_READ, "wake")
            open_ends = {"attach", "wait"}
            silence: float | None = None
            while open_ends:
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

    def _evidence(self, sinks: Sinks) -> Evidence:
        state: Any = None
        if not self._lost and not self._start_error:
            state = self._inspect()
        return Evidence(
            limits=self._launch.job.limits,
            state=state,
            report=_report(sinks),
            has_agent=self.mode is not StartMode.COLD,
            stop=self._stop,
            lost=self._lost,
            sink_error=sinks.error,
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


def _report(sinks: Sinks) -> Any:
    """The agent's report, from the end of stderr; None when it did not come to that."""
    body = sinks.trailers[1].body
    if not sinks.arrived or not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        log.debug("a report that cannot be read: %s", error)
        return None


def _until(*moments: float | None) -> float | None:
    """Seconds to the nearest of the moments; None when there is none."""
    ahead = [moment for moment in moments if moment is not None]
    return max(0.0, min(ahead) - time.monotonic()) if ahead else None


def now() -> str:
    """UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
