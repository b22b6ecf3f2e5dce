"""The container of `FakeEngine`: a thread that can be told to stop, and is abandoned when it does not."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from runner.engine.base import Launch, Outcome, Sink, StopReason, Verdict
from runner.errors import EnvironmentFault

_TERM, _KILL = 143, 137


class Killed(BaseException):
    """Raised in a script's thread at its next write after the container was killed."""


Body = Callable[[Launch, Sink, Sink, threading.Event], "int | Outcome | None"]


class FakeContainer:
    """One script, run once. See `engine.base.Container` for what the methods promise."""

    def __init__(self, name: str, launch: Launch, body: Body, at: Callable[[str, str], None]) -> None:
        self.id = name
        self.mode = launch.image.mode
        self.launch = launch
        self.removed = False
        self.finished = False
        self.stops: list[tuple[StopReason, float]] = []
        self._body, self._at = body, at
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._reason: StopReason | None = None
        self._killed = False
        self._lost = False
        self._result: int | Outcome | BaseException | None = None
        self._done = False

    def run(self, stdout: Sink, stderr: Sink) -> Outcome:
        step = self.launch.job.step
        started, began = _now(), time.monotonic()
        try:
            self._at("run", step)
        except EnvironmentFault as error:
            self._final = self._outcome(Verdict.INFRASTRUCTURE, None, None, str(error), started, began)
            return self._final
        if not self._stopping.is_set():
            args = (self._sink(stdout), self._sink(stderr))
            threading.Thread(target=self._script, args=args, name=f"fake-{step}", daemon=True).start()
            self._wait(began)
        else:
            self._done, self._result = True, _TERM
        self.finished = True
        self._final = self._judge(started, began)
        return self._final

    def confirm(self) -> Outcome:
        """The hook may raise at `confirm`: then the engine does not confirm what the script's end was."""
        try:
            self._at("confirm", self.launch.job.step)
        except EnvironmentFault as error:
            return dataclasses.replace(self._final, verdict=Verdict.INFRASTRUCTURE, exit_code=None, reason=str(error))
        return self._final

    def stop(self, reason: StopReason, grace: float) -> None:
        self._at("stop", self.launch.job.step)
        self._stop(reason, grace)

    def remove(self) -> None:
        self._at("remove", self.launch.job.step)
        self.discard()

    def discard(self) -> None:
        """Remove without a trace in the journal."""
        shutil.rmtree(self.launch.scratch, ignore_errors=True)
        self.removed = True

    def lose(self) -> None:
        """The engine is gone: the container ends at once, and nobody knows how."""
        with self._changed:
            self._lost = self._killed = True
            self._stopping.set()
            self._changed.notify_all()

    def _stop(self, reason: StopReason, grace: float) -> None:
        with self._changed:
            self.stops.append((reason, grace))
            if self._done:
                return
            self._reason = self._reason or reason
            deadline = time.monotonic() + grace
            self._deadline = deadline if self._deadline is None else min(deadline, self._deadline)
            self._stopping.set()
            self._changed.notify_all()

    def _script(self, stdout: Sink, stderr: Sink) -> None:
        result: int | Outcome | BaseException | None
        try:
            result = self._body(self.launch, stdout, stderr, self._stopping)
        except SystemExit as error:
            text = "" if error.code is None else f"{error.code}\n"
            result = error.code if isinstance(error.code, int) else self._say(stderr, text)
        except (Killed, EnvironmentFault) as error:
            result = error
        except BaseException:
            result = self._say(stderr, traceback.format_exc())
        with self._changed:
            self._result, self._done = result, True
            self._changed.notify_all()

    def _say(self, stderr: Sink, text: str) -> int | BaseException:
        """Python's last words, and the status that goes with them."""
        try:
            stderr(text.encode("utf-8", "backslashreplace"))
        except (Killed, EnvironmentFault) as error:
            return error
        return 1 if text else 0

    def _wait(self, began: float) -> None:
        limits = self.launch.job.limits
        with self._changed:
            while not (self._done or self._killed):
                now = time.monotonic()
                if limits.timeout is not None and self._reason is None and now - began >= limits.timeout:
                    self._stop(StopReason.TIMEOUT, limits.grace)
                if self._deadline is not None and now >= self._deadline:
                    self._killed = True
                    break
                self._changed.wait(self._patience(began, now))

    def _patience(self, began: float, now: float) -> float | None:
        if self._deadline is not None:
            return max(0.0, self._deadline - now)
        timeout = self.launch.job.limits.timeout
        return None if timeout is None else max(0.0, began + timeout - now)

    def _sink(self, sink: Sink) -> Sink:
        def write(data: bytes) -> None:
            with self._changed:
                if self._killed:
                    raise Killed
            if data:
                try:
                    sink(data)
                except OSError as error:
                    raise _SinkFault(str(error)) from error

        return write

    def _judge(self, started: str, began: float) -> Outcome:
        result, done = self._result, self._done
        if self._lost:
            return self._outcome(Verdict.INFRASTRUCTURE, None, None, "the engine is gone", started, began)
        if isinstance(result, Outcome):
            return result
        if isinstance(result, EnvironmentFault):
            return self._outcome(Verdict.INFRASTRUCTURE, None, None, str(result), started, began)
        code = _KILL if not done or isinstance(result, BaseException) else int(result or 0)
        signal = "SIGKILL" if code == _KILL and not done else None
        how = f"ended by {signal}" if signal else f"it exited {code} after SIGTERM"
        if self._reason is StopReason.TIMEOUT:
            reason = f"timed out after {self.launch.job.limits.timeout:g} s ({how})"
            return self._outcome(Verdict.TIMEOUT, code, signal, reason, started, began)
        if self._reason is StopReason.CANCELLED:
            reason = f"stopped because the run was cancelled ({how})"
            return self._outcome(Verdict.CANCELLED, code, signal, reason, started, began)
        if self._reason is StopReason.PEER:
            reason = f"stopped because another instance had failed ({how})"
            return dataclasses.replace(
                self._outcome(Verdict.CANCELLED, code, signal, reason, started, began), peer=True
            )
        if code == 0:
            return self._outcome(Verdict.PASSED, 0, None, "exit 0", started, began)
        return self._outcome(Verdict.EXIT, code, None, f"exit {code}", started, began)

    def _outcome(
        self, verdict: Verdict, code: int | None, signal: str | None, reason: str, started: str, began: float
    ) -> Outcome:
        return Outcome(
            verdict=verdict, exit_code=code, signal=signal, reason=reason, started_at=started, finished_at=_now(),
            seconds=time.monotonic() - began, private=tuple((bound.name, "copy") for bound in self.launch.inputs),
        )  # fmt: skip


class _SinkFault(EnvironmentFault):
    """Whoever reads a stream could not take it."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
