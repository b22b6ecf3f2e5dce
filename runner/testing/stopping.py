"""Signals while a test runs: its containers are stopped in order, and only then does the signal do what it would."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stoppable(cancel: Callable[[int], None]) -> Iterator[None]:
    """While the block runs, a signal that somebody handles calls `cancel(signum)` instead, each time it comes; behind
    the block the first one is handled as it would have been (Ctrl-C: KeyboardInterrupt).

    Without this, the exception would break off the run wherever it stands, and `run.json` would blame the tool. Signals
    that nobody handles end the process as ever. Does nothing outside of the main thread, which alone has them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def take(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(signum)
        cancel(signum)

    handled = {signum: signal.getsignal(signum) for signum in _STOPPING}
    before = {signum: handler for signum, handler in handled.items() if callable(handler)}
    for signum in before:
        signal.signal(signum, take)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if received:
        before[signal.Signals(received[0])](received[0], None)
