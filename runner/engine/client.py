"""One way to reach the Docker engine: `DOCKER_HOST`, the active Docker context, or the default socket."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.errors import EngineUnavailable, Interrupted

if TYPE_CHECKING:
    from docker import DockerClient

MINIMUM_API = (1, 41)
DEFAULT_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine is, and who says so."""

    url: str
    origin: str
    """`DOCKER_HOST`, or the name of a Docker context (`default`: the local socket)."""

    @property
    def socket(self) -> Path | None:
        """The socket's path; None when the engine is reached in another way."""
        parts = urlsplit(self.url.replace("http+unix://", "unix://"))
        return Path(parts.path or DEFAULT_SOCKET) if parts.scheme == "unix" else None

    @property
    def remedy(self) -> str:
        """How to get back to the local engine."""
        if self.origin == "DOCKER_HOST":
            return "start the engine that DOCKER_HOST names, or unset DOCKER_HOST to use the local one"
        if self.origin != "default":
            return f"start the engine of context {self.origin!r}, or choose another with `docker context use default`"
        return _start_advice()


def endpoint() -> Endpoint:
    """As the Docker CLI chooses it: DOCKER_HOST, then DOCKER_CONTEXT, then the current context of its config.

    Raises EngineUnavailable for a context that does not exist.
    """
    host = os.environ.get("DOCKER_HOST")
    if host:
        return Endpoint(host, "DOCKER_HOST")
    if not os.environ.get("DOCKER_CONTEXT") and not _configured():
        return Endpoint(f"unix://{DEFAULT_SOCKET}", "default")
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name == "default":
        return Endpoint(f"unix://{DEFAULT_SOCKET}", "default")
    found = ContextAPI.get_context(name)
    if found is None or not found.Host:
        origin = "DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else "the Docker configuration"
        raise EngineUnavailable(
            f"there is no Docker context {name!r}, which {origin} names",
            remedy="`docker context ls` lists them; `docker context use default` goes back to the local engine",
        )
    return Endpoint(str(found.Host), name)


def _configured() -> bool:
    """Whether there is a Docker configuration, which may name a context; docker-py reads it, and is slow to import."""
    home = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    return Path(home, "config.json").exists()


def quick_client() -> Any:
    """As `client`, but docker-py is not imported before something is asked of it that `engine.quick` does not know.

    Raises EngineUnavailable, as `client` does.
    """
    from runner.engine.quick import QuickClient, api_version

    socket = endpoint().socket
    version = api_version(socket) if socket is not None and "DOCKER_TLS_VERIFY" not in os.environ else None
    if socket is None or version is None or version < MINIMUM_API:
        return client()  # which finds out why
    known = ".".join(map(str, version))
    return QuickClient(socket, known, lambda: client(version=known))


def client(*, pool_size: int = 32, timeout: float = 60.0, version: str | None = None) -> DockerClient:
    """A connected docker-py client that follows `DOCKER_HOST` and the active Docker context.

    `pool_size` is the number of connections kept: every running step holds two (attach and wait). `timeout` is in
    seconds for one API call. `version` is the API's, where it is known: the engine takes 10 ms to tell it. Raises
    EngineUnavailable, with the cure for the cause that was found.
    """
    import docker
    from docker.errors import DockerException

    where = endpoint()
    try:
        connected = docker.from_env(
            version=version, max_pool_size=pool_size, timeout=int(timeout)
        )  # asks for what is not known
        spoken = str(connected.api.api_version)
    except (DockerException, OSError, ValueError) as error:
        if isinstance(error.__cause__, Interrupted):
            raise error.__cause__ from None  # docker-py wraps whatever comes while it asks for the version
        raise _unavailable(where, error) from error
    if tuple(int(part) for part in spoken.split(".")) < MINIMUM_API:
        raise EngineUnavailable(
            f"the Docker engine speaks API {spoken}; 1.41 (Docker 20.10) or newer is needed",
            remedy="upgrade the Docker engine",
        )
    return connected


def _unavailable(where: Endpoint, error: Exception) -> EngineUnavailable:
    """Name the cause that can be seen from here; the raw error is kept in the message's end."""
    said = "" if where.origin == "default" else f", which {_named(where)} names,"
    detail = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    socket = where.socket
    if socket is None:
        return EngineUnavailable(f"no Docker engine answers at {where.url}{said} ({detail})", remedy=where.remedy)
    if not socket.exists():
        return EngineUnavailable(f"no Docker engine: {socket}{said} does not exist ({detail})", remedy=where.remedy)
    if not os.access(socket, os.R_OK | os.W_OK):
        return EngineUnavailable(
            f"this user may not talk to the Docker engine: {socket}{said} is not writable",
            remedy="add yourself to the docker group (`sudo usermod -aG docker $USER`) and log in again",
        )
    return EngineUnavailable(f"no Docker engine answers at {socket}{said} ({detail})", remedy=where.remedy)


def _named(where: Endpoint) -> str:
    return "DOCKER_HOST" if where.origin == "DOCKER_HOST" else f"context {where.origin!r}"


def _start_advice() -> str:
    if sys.platform == "darwin":
        return "start Docker Desktop or Colima, then try again"
    if Path("/run/systemd/system").is_dir():
        return "start it with `sudo systemctl start docker` (install: `sudo apt-get install docker.io`)"
    return "start it with `sudo dockerd &` (install on Debian or Ubuntu: `sudo apt-get install docker.io`)"
