"""The connections that a container holds open while it lives."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger(__name__)


@dataclass
class Wire:
    """The two connections that a container holds open: its streams, and the pending wait."""

    raw: Any
    """What docker-py returned for the attach: it must outlive the socket in it."""
    attach: socket.socket
    wait: Any
    """The response of the wait call, armed: its headers have arrived, its body comes with the exit."""

    @property
    def wait_socket(self) -> Any:
        return self.wait.raw._fp.fp.raw

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.raw.close()
        self.wait.close()


class HeldWait:
    """The pending wait of a container that another process made: its headers were read there."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line

    def json(self) -> dict[str, Any]:
        """The answer; raises OSError when the connection ended without one."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            more = self.line.recv(1 << 16)
            if not more:
                break
            data += more
        start, end = data.find(b"{"), data.rfind(b"}")
        if start < 0:
            raise OSError("the connection was closed")
        found: dict[str, Any] = json.loads(data[start : end + 1])
        return found

    def close(self) -> None:
        self.line.close()


@dataclass
class HeldWire:
    """As `Wire`, of a container of the pool."""

    attach: socket.socket
    wait: HeldWait

    @property
    def wait_socket(self) -> Any:
        return self.wait.line

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.attach.close()
        self.wait.close()


def arm(api: APIClient, container: str, *, stdin: bool) -> Wire:
    """Attach to both streams (and stdin), then arm the wait. Raises docker's APIError or OSError."""
    raw: Any = api.attach_socket(
        container, params={"stdin": int(stdin), "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    )
    attach = getattr(raw, "_sock", raw)
    attach.settimeout(None)
    # `APIClient.wait` blocks until the exit; here the call must return as soon as the engine has armed it.
    private: Any = api
    url = private._url("/containers/{0}/wait", container)
    response = private._post(url, params={"condition": "next-exit"}, timeout=None, stream=True)
    private._raise_for_status(response)
    return Wire(raw, attach, response)


def knock(fifo: Path) -> bool:
    """Say `go` through a FIFO that the agent reads, past an engine that may be busy; False where nobody listens there:
    the agent is not that far, or runs on another kernel."""
    try:
        end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        log.debug("%s is not read: %s", fifo, error)
        return False
    try:
        os.write(end, b"g")
    finally:
        os.close(end)
    return True
