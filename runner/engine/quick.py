"""An engine's first answers without docker-py, whose import takes longer than a run in which every step is cached.

`QuickClient` stands for a docker-py client: what a run asks before it makes anything is asked here, over the socket
itself, and everything else by a docker-py client that is made when it is needed first. An answer other than 200 is not
interpreted here: docker-py asks again, and what it says counts.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

_PATIENCE = 60.0
"""Seconds for one answer."""
_CHUNK = 1 << 16


class _NoAnswer(Exception):
    """Not 200, or no HTTP at all."""


class QuickApi:
    """Of docker-py's APIClient: `ping`, `info`, two inspections and three lists; else itself."""

    def __init__(self, place: Path, version: str, real: Callable[[], Any]) -> None:
        self.api_version = version
        self._place, self._real = place, real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def ping(self) -> bool:
        with suppress(_NoAnswer, OSError):
            _get(self._place, "/_ping")
            return True
        return bool(self._real().ping())

    def info(self) -> Any:
        return self._ask("/info") or self._real().info()

    def inspect_image(self, reference: str) -> Any:
        return self._ask(f"/images/{quote(reference)}/json") or self._real().inspect_image(reference)

    def inspect_container(self, container: str) -> Any:
        return self._ask(f"/containers/{quote(container)}/json") or self._real().inspect_container(container)

    def containers(self, **wanted: Any) -> Any:
        found = self._filtered("/containers/json?all=1&", wanted, {"all": True})
        return self._real().containers(**wanted) if found is None else found

    def volumes(self, **wanted: Any) -> Any:
        found = self._filtered("/volumes?", wanted, {})
        return self._real().volumes(**wanted) if found is None else found

    def networks(self, **wanted: Any) -> Any:
        found = self._filtered("/networks?", wanted, {})
        return self._real().networks(**wanted) if found is None else found

    def _filtered(self, path: str, wanted: dict[str, Any], others: dict[str, Any]) -> Any:
        """None for what is asked in another way than by one label."""
        label = wanted.get("filters", {}).get("label")
        if wanted != {**others, "filters": {"label": label}} or not isinstance(label, str):
            return None
        return self._ask(f"{path}filters={quote(json.dumps({'label': [label]}))}")

    def _ask(self, path: str) -> Any:
        """The JSON of the answer, or None."""
        try:
            return json.loads(_get(self._place, f"/v{self.api_version}{path}")[1])
        except (_NoAnswer, OSError, ValueError):
            return None


class QuickClient:
    """Of docker-py's DockerClient: `api` and `close`; else itself."""

    def __init__(self, place: Path, version: str, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None
        self.api = QuickApi(place, version, lambda: self._client().api)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client(), name)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def api_version(place: Path) -> tuple[int, ...] | None:
    """What an engine at this socket speaks; None where none answers as one does."""
    try:
        head, _ = _get(place, "/_ping")
        return tuple(int(part) for part in head["api-version"].split("."))
    except (_NoAnswer, OSError, KeyError, ValueError):
        return None


def _get(place: Path, path: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of an answer. The engine ends the connection, so the body ends where the bytes do.

    Raises OSError, _NoAnswer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(str(place))
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        answer = bytearray()
        while chunk := connection.recv(_CHUNK):
            answer += chunk
    head, found, body = bytes(answer).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if not found or status.split(" ")[1:2] != ["200"]:
        raise _NoAnswer(status)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in headers or int(headers.get("content-length", len(body))) != len(body):
        raise _NoAnswer("an answer that is not whole")
    return headers, body
