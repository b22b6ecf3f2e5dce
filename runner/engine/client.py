"""One way to reach the Docker engine: the active context, `DOCKER_HOST`, or the default socket."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import EngineUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

MINIMUM_API = (1, 41)


def client(*, pool_size: int = 32, timeout: float = 60.0) -> DockerClient:
    """A connected docker-py client that follows `DOCKER_HOST` and the active Docker context.

    `pool_size` is the number of connections kept: every running step holds two (attach and wait). `timeout` is in
    seconds for one API call. Raises EngineUnavailable, with the cure for the cause that was found.
    """
    import docker
    from docker.errors import DockerException

    try:
        connected = docker.from_env(max_pool_size=pool_size, timeout=int(timeout))  # asks the engine for its version
        version = str(connected.api.api_version)
    except (DockerException, OSError, ValueError) as error:
        raise _unavailable(error) from error
    if tuple(int(part) for part in version.split(".")) < MINIMUM_API:
        raise EngineUnavailable(
            f"the Docker engine speaks API {version}; 1.41 (Docker 20.10) or newer is needed",
            remedy="upgrade the Docker engine",
        )
    return connected


def _unavailable(error: Exception) -> EngineUnavailable:
    """Name the cause that can be seen from here; the raw error is kept in the message's end."""
    host = os.environ.get("DOCKER_HOST", "")
    socket = Path(urlsplit(host).path) if host.startswith("unix://") else Path("/var/run/docker.sock")
    detail = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    if host and not host.startswith("unix://"):
        return EngineUnavailable(
            f"no Docker engine answers at DOCKER_HOST={host} ({detail})",
            remedy="check the address, or unset DOCKER_HOST to use the local engine",
        )
    if not socket.exists():
        return EngineUnavailable(f"no Docker engine: {socket} does not exist ({detail})", remedy=_start_advice())
    if not os.access(socket, os.R_OK | os.W_OK):
        return EngineUnavailable(
            f"this user may not talk to the Docker engine: {socket} is not writable",
            remedy="add yourself to the docker group (`sudo usermod -aG docker $USER`) and log in again",
        )
    return EngineUnavailable(f"no Docker engine answers at {socket} ({detail})", remedy=_start_advice())


def _start_advice() -> str:
    if sys.platform == "darwin":
        return "start Docker Desktop or Colima, then try again"
    if Path("/run/systemd/system").is_dir():
        return "start it with `sudo systemctl start docker` (install: `sudo apt-get install docker.io`)"
    return "start it with `sudo dockerd &` (install on Debian or Ubuntu: `sudo apt-get install docker.io`)"
