"""Containers of a pool by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.launches import Ended, Workbench

from runner.engine.base import Launch
from runner.engine.pool.channel import socket_paths
from runner.engine.pool.link import Link


class Warmed(Workbench):
    """A workbench whose engine takes from a pool."""

    def stock(self, *launches: Launch) -> dict[str, Any]:
        """Have a container ready for each; returns the keeper's status."""
        for launch in launches:
            assert self.engine.share.wish_for(launch, self.engine.info().engine_id) is not None
        found = self.engine.share.stock(lambda: None, wait=True)
        assert found is not None and not found["note"], found
        return dict(found)

    def fresh(self, launch: Launch) -> Ended:
        """Run it in a container of its own, and wish for nothing."""
        share, self.engine.share = self.engine.share, None
        try:
            return self.run(launch)
        finally:
            self.engine.share = share

    def status(self) -> dict[str, Any]:
        link = Link.open()
        assert link is not None
        found = link.status()
        link.close()
        assert found is not None
        return found

    def ready(self) -> list[str]:
        return [str(each["id"]) for each in self.status()["ready"]]

    def take(self, launch: Launch, expected: str) -> Ended:
        """Run it, in the container that is expected."""
        container = self.engine.prepare(launch)
        stdout, stderr = bytearray(), bytearray()
        try:
            assert container.id == expected, "it did not take the container that was ready"
            container.run(stdout.extend, stderr.extend)
            outcome = container.confirm()
        finally:
            container.remove()
        return Ended(outcome, bytes(stdout), bytes(stderr), launch)


def keeper_pid(pool_dir: Path) -> int:
    link = Link.open()
    assert link is not None, f"no keeper in {pool_dir}"
    found = link.status()
    link.close()
    assert found is not None
    return int(found["pid"])


def end_keeper(pool_dir: Path) -> None:
    """Ask all keepers there to end, and see that they do."""
    for path in socket_paths():
        link = Link.open(path)
        if link is None:
            continue
        found = link.status()
        assert found is not None, f"a keeper in {pool_dir} does not answer"
        link.end()
        link.close()
        pid = int(found["pid"])
        assert until(lambda path=path, pid=pid: not Path(path).exists() and not alive(pid)), "the keeper did not end"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
