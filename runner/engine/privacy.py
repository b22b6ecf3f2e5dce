"""Private, writable inputs for containers whose mounts are fixed at creation (plain and cold).

First choice is a volume of Docker's `local` driver with `type=overlay`: the producer's directory below, a private one
above, nothing copied. Where the path or the host does not allow that, a copy (a reflink where the file system can).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.engine import labels
from runner.engine.base import BoundInput, Launch
from runner.engine.creation import Private
from runner.errors import WorkspaceError

if TYPE_CHECKING:
    from docker import APIClient

_FULL = {errno.ENOSPC, errno.EDQUOT}
_AWKWARD = re.compile(r"[:,\\\"\s]")
"""Characters that mean something in overlay's option string, or that the driver splits at."""


def volumes(api: APIClient, launch: Launch) -> list[Private]:
    """An overlay volume for every input that can have one, a copy for the others."""
    return [
        copy(launch, index) if _AWKWARD.search(f"{bound.host}{launch.scratch}") else _volume(api, launch, index)
        for index, bound in enumerate(launch.inputs)
    ]


def copies(launch: Launch) -> list[Private]:
    """A copy of every input: for hosts whose engine cannot mount an overlay volume."""
    return [copy(launch, index) for index in range(len(launch.inputs))]


def _volume(api: APIClient, launch: Launch, index: int) -> Private:
    bound = launch.inputs[index]
    upper, work = launch.scratch / f"input-{index}" / "upper", launch.scratch / f"input-{index}" / "work"
    try:
        for directory in (upper, work):
            directory.mkdir(parents=True, exist_ok=True)
        upper.chmod(bound.host.stat().st_mode & 0o7777)
    except OSError as error:
        raise _fault(bound, error.errno, str(error)) from error
    # redirect_dir: without it a directory of the lower tree cannot be renamed, as it can on SageMaker.
    layers = f"lowerdir={bound.host},upperdir={upper},workdir={work},redirect_dir=on"
    options = {"type": "overlay", "device": "overlay", "o": layers}
    volume = api.create_volume(
        driver="local", driver_opts=options, labels=labels.labels(launch.run_id, launch.job.step)
    )
    return Private(bound.target, str(volume["Name"]), None)


def copy(launch: Launch, index: int) -> Private:
    """A private copy in the scratch directory. Raises WorkspaceError (no space, unreadable input)."""
    bound = launch.inputs[index]
    target = launch.scratch / f"input-{index}" / "copy"
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_tree(bound.host, target)
    except OSError as error:
        raise _fault(bound, error.errno, str(error)) from error
    return Private(bound.target, None, target)


def _fault(bound: BoundInput, number: int | None, words: str) -> WorkspaceError:
    remedy = "free some space there, or choose another place for the run directories" if number in _FULL else ""
    message = f"input '{bound.name}' cannot be laid out for its step alone ({bound.host}): {words}"
    return WorkspaceError(message, remedy=remedy)


def _errno_of(lines: Sequence[str]) -> int:
    """What `cp` says about the disk, as a number; 0 for anything else."""
    return next((n for n in sorted(_FULL) if any(os.strerror(n) in line for line in lines)), 0)


def _copy_tree(source: Path, target: Path) -> None:
    if os.uname().sysname == "Linux" and shutil.which("cp"):
        command = [
            "cp",
            "--recursive",
            "--preserve=mode,timestamps,links",
            "--reflink=auto",
            "--",
            str(source),
            str(target),
        ]
        words = {**os.environ, "LC_ALL": "C"}  # the reason is read below
        done = subprocess.run(
            command, capture_output=True, text=True, errors="backslashreplace", env=words, check=False
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"cp ended with {done.returncode}"]
            raise OSError(_errno_of(lines), next((line for line in lines if _errno_of([line])), lines[0]))
        return
    shutil.copytree(source, target, symlinks=True)
