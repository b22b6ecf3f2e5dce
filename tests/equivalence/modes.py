"""The ways in which a step can start. A further one is one more entry in `WAYS`; every test here takes it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from engine.launches import Ended, Workbench

from runner.engine import connect
from runner.engine.base import Launch, StartMode
from runner.engine.docker import DockerEngine
from runner.engine.pool.link import Link


def _started(mode: StartMode) -> Callable[[Workbench, Launch], Ended]:
    def run(bench: Workbench, launch: Launch) -> Ended:
        return bench.run(dataclasses.replace(launch, image=dataclasses.replace(launch.image, mode=mode)))

    return run


def _warm(bench: Workbench, launch: Launch, before: Launch) -> Ended:
    """In a container of the pool, which was made for a run of the step as it was before."""
    link = Link.open()
    assert link is not None
    engine = connect(link, pooling=True)
    try:
        engine_id = engine.info().engine_id
        wish = engine.share.wish_for(before, engine_id)
        found = engine.share.stock(lambda: None, wait=True)
        ready = [each["id"] for each in found["ready"]]
        assert len(ready) == 1, found
        container = engine.prepare(launch)
        stdout, stderr = bytearray(), bytearray()
        try:
            assert container.id == ready[0], f"another container than the one for {wish}"
            container.run(stdout.extend, stderr.extend)
            outcome = container.confirm()
        finally:
            container.remove()
        return Ended(outcome, bytes(stdout), bytes(stderr), launch)
    finally:
        engine.close()


def _again(bench: Workbench, launch: Launch) -> Ended:
    return _warm(bench, launch, launch)


def _edited(bench: Workbench, launch: Launch) -> Ended:
    """Arguments and variables have been edited since, some added and some taken away."""
    shaping = [pair for pair in launch.job.env if pair[0].startswith("PYTHON")]
    others = [(name, f"old {value}") for name, value in launch.job.env[1:] if not name.startswith("PYTHON")]
    job = dataclasses.replace(launch.job, arguments=("--old", "1"), env=(("GONE_SINCE", "x"), *others, *shaping))
    return _warm(bench, launch, dataclasses.replace(launch, job=job))


WAYS: dict[str, Callable[[Workbench, Launch], Ended]] = {
    "cold": _started(StartMode.COLD),
    "plain": _started(StartMode.PLAIN),
    "staged": _started(StartMode.STAGED),
    "warm": _again,
    "edited": _edited,
}
"""By name: how one launch is run to its end. `cold` has nothing of ours in the container."""


class Forced(DockerEngine):
    """The real engine, with every image started in one mode."""

    mode: StartMode

    def image(self, reference: str):
        return dataclasses.replace(super().image(reference), mode=self.mode)
