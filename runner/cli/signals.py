"""Signals from the first moment on: each ends the process in order, with a message and the shell's exit code.

Until a run takes them over (`interrupts`), a signal raises `Stop` wherever the process stands. It is held back where an
exception would do harm: in the middle of the program's own imports, and while an error is told.
"""

from __future__ import annotations

TYPE_CHECKING = False  # imported before anything is answered: see `main`
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any
else:
    import _signal as signal  # what `signal` wraps in enums: to import those would double what `--help` takes

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(KeyboardInterrupt):
    """A signal asks for the end. As Ctrl-C's own exception, it passes every `except Exception`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Listener:
    """The handler of the stopping signals. One that the process was started to ignore (`nohup`) stays ignored."""

    def __init__(self) -> None:
        self._holding = False
        self.pending: int | None = None
        """One that came while they were held."""
        self._before: dict[int, Any] = {}

    def __call__(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if not self._holding:
            raise Stop(signum)
        if self.pending is None:
            self.pending = signum

    def listen(self) -> None:
        """Take the signals. Does nothing in a thread other than the main one: Python lets no other have them."""
        self._holding, self.pending = False, None
        for signum in STOPPING:
            before = signal.getsignal(signum)
            if before is signal.SIG_IGN or before is self:
                continue
            try:
                signal.signal(signum, self)
            except ValueError:
                return
            self._before[signum] = before

    def hold(self) -> None:
        """Let no signal raise until `release`."""
        self._holding = True

    def release(self) -> None:
        """Raise Stop for a signal that came meanwhile, and from now on at once."""
        self._holding = False
        pending, self.pending = self.pending, None
        if pending is not None:
            raise Stop(pending)

    def leave(self, *, for_good: bool) -> None:
        """Give the signals back; `for_good`: the process is ending, and Python's own handler would print a trace."""
        for signum, before in self._before.items():
            signal.signal(signum, signal.SIG_DFL if for_good else before)
        self._before.clear()


listener = Listener()
