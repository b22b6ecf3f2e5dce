"""An engine that goes away while it is in use."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.engine import connect
from runner.errors import EngineUnavailable

pytestmark = pytest.mark.docker


class Relay:
    """A socket in front of the engine's, which can be cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pairs: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect("/var/run/docker.sock")
            self._pairs += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def cut(self) -> None:
        """No connection lives, and none can be made."""
        self.path.unlink(missing_ok=True)
        for end in (self._server, *self._pairs):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with tempfile.TemporaryDirectory() as directory:  # a short path: a socket's may hold 107 bytes
        relay = Relay(Path(directory) / "engine")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
        yield relay
        relay.cut()


def test_info_says_that_the_engine_is_gone_also_when_it_was_asked_before(relay: Relay) -> None:
    engine = connect()
    before = engine.info()
    assert engine.info() == before
    relay.cut()
    with pytest.raises(EngineUnavailable):
        engine.info()
    engine.close()
