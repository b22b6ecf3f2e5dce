"""Containers: the protocol (`base`), the real engine (`docker`), and a stand-in for tests (`fake`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.docker import DockerEngine


def connect() -> DockerEngine:
    """The Docker engine of the active context. Raises EngineUnavailable, with the cure."""
    from runner.engine.client import quick_client
    from runner.engine.docker import DockerEngine

    return DockerEngine(quick_client())
