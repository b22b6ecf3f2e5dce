"""The ways in which a step can start. A further one is one more entry in `WAYS`; every test here takes it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from engine.launches import Ended, Workbench

from runner.engine.base import Launch, StartMode
from runner.engine.docker import DockerEngine


def _started(mode: StartMode) -> Callable[[Workbench, Launch], Ended]:
    def run(bench: Workbench, launch: Launch) -> Ended:
        return bench.run(dataclasses.replace(launch, image=dataclasses.replace(launch.image, mode=mode)))

    return run


WAYS: dict[str, Callable[[Workbench, Launch], Ended]] = {
    "cold": _started(StartMode.COLD),
    "plain": _started(StartMode.PLAIN),
    "staged": _started(StartMode.STAGED),
}
"""By name: how one launch is run to its end. `cold` has nothing of ours in the container."""


class Forced(DockerEngine):
    """The real engine, with every image started in one mode."""

    mode: StartMode

    def image(self, reference: str):
        return dataclasses.replace(super().image(reference), mode=self.mode)
