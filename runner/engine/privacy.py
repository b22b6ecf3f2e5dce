"""Private inputs for containers whose mounts are fixed at creation (plain and cold).

An overlay is a volume of Docker's `local` driver with `type=overlay`: the producer's directory below, a private one
above, nothing copied. What else is tried, and in which order, is the agent's rule: see `runner.agent.inputs`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.agent.copying import copy_tree
from runner.agent.inputs import check_bare, check_whole, make_private, overlay_options
from runner.agent.kernel import Failure
from runner.engine import labels
from runner.engine.base import Launch
from runner.engine.creation import Private, points, targets
from runner.engine.faults import lost_is
from runner.errors import EngineLost, WorkspaceError

if TYPE_CHECKING:
    from docker import APIClient

NO_VOLUMES = "this engine cannot mount it as a volume"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ODD = re.compile(r"[^\w./+@=-]")


def make(api: APIClient, launch: Launch, index: int, refused: str = "") -> Private:
    """Make one input private, by its place in the launch. `refused` says why it can have no overlay.

    Raises WorkspaceError when no way works, EnvironmentFault for the engine's faults.
    """
    bound = launch.inputs[index]
    if not bound.host.is_dir():
        raise WorkspaceError(f"input '{bound.name}' is not there: {bound.host}")
    maker = _Maker(api, launch, index, refused)
    notes: list[str] = []
    try:
        how = make_private(bound.name, bound.private, maker.attempts, notes)
    except Failure as failure:
        raise WorkspaceError(f"{failure.args[1]} ({bound.host})", remedy=maker.remedy) from failure
    shut = how == "read-only"
    return Private(bound.name, bound.target, maker.volume, maker.directory, how, shut, tuple(notes))


def kind(launch: Launch, index: int) -> tuple[object, ...]:
    """What decides whether an overlay can lie here: the two file systems, and characters that Docker may not pass on
    as they are (it splits the options at each comma and takes out words like `ro`)."""
    host = launch.inputs[index].host
    paths = (str(host), str(launch.scratch))
    odd = paths if any(_ODD.search(path) for path in paths) else ()
    return host.stat().st_dev, launch.scratch.stat().st_dev, *odd


class _Maker:
    """The ways for one input. Each returns what it made, or raises OSError."""

    def __init__(self, api: APIClient, launch: Launch, index: int, refused: str) -> None:
        self.volume: str | None = None
        self.directory: Path | None = None
        self.remedy = ""
        self.attempts: Mapping[str, Callable[[], str]] = {
            "overlay": self._overlay,
            "copy": self._copy,
            "read-only": self._bare,
        }
        self._api = api
        self._launch = launch
        self._bound = launch.inputs[index]
        self._place = launch.scratch / f"input-{index}"
        self._refused = refused
        self._points = points(self._bound.target, targets(launch))

    def _overlay(self) -> str:
        if self._refused:
            raise OSError(errno.EOPNOTSUPP, self._refused)
        host, upper, work = self._bound.host, self._place / "upper", self._place / "work"
        check_whole(str(host))
        layers = overlay_options(str(host), str(upper), str(work))
        for directory in (upper, work):
            directory.mkdir(parents=True)
        upper.chmod(host.stat().st_mode & 0o7777)
        self._make_points(upper)
        with lost_is(EngineLost):  # docker-py's errors are OSErrors, too, but say nothing about the overlay
            volume = self._api.create_volume(
                driver="local",
                driver_opts={"type": "overlay", "device": "overlay", "o": layers},
                labels=labels.labels(self._launch.run_id, self._launch.job.step),
            )
        self.volume = str(volume["Name"])
        return "overlay"

    def _copy(self) -> str:
        target = self._place / "copy"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            how: str = copy_tree(str(self._bound.host), str(target))
            self._make_points(target)
        except OSError as error:
            if error.errno in _FULL:
                self.remedy = "free some space there, or choose another place for the run directories"
            raise
        self.directory = target
        return how

    def _bare(self) -> str:
        check_bare(str(self._bound.host), self._points)
        self.directory = self._bound.host
        return "read-only"

    def _make_points(self, view: Path) -> None:
        """In a view that will be read-only, Docker can make no directory to mount another thing on."""
        if self._bound.private != "read-only":
            return
        for point in map(Path, self._points):
            for part in (*reversed(point.parents[:-1]), point):
                if not (view / part).is_dir():
                    (view / part).mkdir()
                    _look_like(self._bound.host / part, view / part)


def _look_like(source: Path, target: Path) -> None:
    """Over a directory of the lower tree, the upper one's attributes are those that are seen."""
    if not source.is_dir():
        return
    shutil.copystat(source, target)
    if os.geteuid() == 0:
        status = source.stat()
        os.chown(target, status.st_uid, status.st_gid)
