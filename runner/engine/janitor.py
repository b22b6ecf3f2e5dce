"""A small process that outlives a killed runner for a moment and removes what the runner could not.

It is started with the first container and holds one end of a pipe. A runner that ends in its own way says `done`; when
the pipe closes without that word (SIGKILL, a crash), everything that carries the run's label is removed, three times
over, since a create call may still have been under way. It sits in a session of its own, so that a signal to the
runner's process group does not take it along. If it is killed too, the next run's start-up sweep does its work.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time

ROUNDS = (0.0, 0.3, 1.0)
"""Seconds to wait before each round of removal."""
DONE = b"done\n"


class Janitor:
    """The runner's handle on its janitor."""

    def __init__(self, run_id: str) -> None:
        self._process = subprocess.Popen(
            # -P: the current directory must not shadow the package that this file belongs to.
            [sys.executable, "-P", "-m", "runner.engine.janitor", run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Everything is removed: the janitor may go. Its end is waited for by a thread that holds nobody up."""
        assert self._process.stdin is not None  # noqa: S101  it is piped
        with contextlib.suppress(BrokenPipeError), self._process.stdin as said:
            said.write(DONE)
        threading.Thread(target=self._wait, name="janitor", daemon=True).start()

    def _wait(self) -> None:
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(run_id: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == DONE:
        return 0
    # Only now: an idle janitor holds no Docker client.
    from runner.engine import sweep
    from runner.engine.client import client

    api = client(timeout=20).api
    for pause in ROUNDS:
        time.sleep(pause)
        found = sweep.leftovers(api, run_id)
        sweep.sweep(api, [leftover for leftover in found if not sweep.is_taken(leftover.name, leftover.step)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
