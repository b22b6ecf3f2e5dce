"""Signals during a run: the first asks every container to stop, each further one asks harder."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from runner.cli.signals import STOPPING
from runner.errors import Interrupted


class Interrupts:
    """A context in which signals stop the run. Until `deliver_to` is called there is none to stop: they raise.

    A signal that was ignored when the process began (`nohup`, a background job of a script) stays ignored.
    Must be entered in the main thread, as Python demands.
    """

    def __init__(self) -> None:
        self._cancel: Callable[[int], None] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self.received: int | None = None
        """The first signal that came."""

    def deliver_to(self, cancel: Callable[[int], None]) -> None:
        """From now on signals call `cancel(signum)`, which must return at once."""
        self._cancel = cancel

    def __enter__(self) -> Self:
        for signum in STOPPING:
            before = signal.getsignal(signum)
            if before is not signal.SIG_IGN:
                self._before[signum] = before
                signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, before in self._before.items():
            signal.signal(signum, before)
        self._before.clear()

    def _handle(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.received is None:
            self.received = signum
        if self._cancel is None:
            raise Interrupted(signum)
        self._cancel(signum)
