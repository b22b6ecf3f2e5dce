"""Containers: the protocol (`base`), the real engine (`docker`), and a stand-in for tests (`fake`)."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than a run that is handed on takes to be

if TYPE_CHECKING:
    from runner.engine.docker import DockerEngine
    from runner.engine.pool.link import Link


def connect(pool: Link | None = None, *, pooling: bool = False) -> DockerEngine:
    """The Docker engine of the active context. Raises EngineUnavailable, with the cure.

    `pool`: where containers that wait already are taken from; `pooling`: whether the next run shall find some.
    """
    from runner.engine.client import quick_client
    from runner.engine.docker import DockerEngine

    return DockerEngine(quick_client(), pool, pooling=pooling)
