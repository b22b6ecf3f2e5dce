"""Labels on everything that is made on an engine, and whether the process that made it still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

MARK = "run-pipeline"
"""Present on every container, volume and network of ours."""
RUN = "run-pipeline.run"
STEP = "run-pipeline.step"
OWNER = "run-pipeline.owner"
SCRATCH = "run-pipeline.scratch"
"""Host directory that goes when the container goes."""


WARM = "warm"
"""Value of STEP on containers of the pool."""


def owner() -> str:
    """`host|boot id|pid|start time`: a pid alone is reused, and a label may outlive a reboot."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> str:
    """As `owner()` of the process with this pid."""
    return f"{socket.gethostname()}|{boot_id()}|{pid}|{_start_time(pid)}"


def owner_alive(label: str) -> bool:
    """Whether the process named by `owner()` still runs. Another machine's owner counts as alive: we cannot see it."""
    parts = label.split("|")
    if len(parts) != 4:
        return False
    host, boot, pid, start = parts
    if host != socket.gethostname():
        return True
    return boot == boot_id() and pid.isdigit() and start != "" and _start_time(int(pid)) == start


def labels(run_id: str, step: str, scratch: Path | None = None) -> dict[str, str]:
    found = {MARK: "1", RUN: run_id, STEP: step, OWNER: owner()}
    return found | {SCRATCH: str(scratch)} if scratch else found


@cache
def boot_id() -> str:
    """Of this machine since it was started; `unknown` where that cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"  # not Linux: pid and start time decide alone


def _start_time(pid: int) -> str:
    """Clock ticks since boot at which the process started; empty when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _start_time_elsewhere(pid)
    return stat.rpartition(")")[2].split()[19]


def _start_time_elsewhere(pid: int) -> str:
    """Without /proc (macOS) only existence can be seen."""
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "exists"
    return "exists"
