"""The engine's first answers, asked without docker-py: the same as through it, or asked again through it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.engine import labels
from runner.engine.client import client, endpoint
from runner.engine.quick import QuickApi, api_version


class Real:
    """What docker-py would say; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def answer(*_: object, **__: object) -> str:
            self.asked.append(name)
            return f"docker-py's {name}"

        return answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A socket that sends the first of the answers to whoever connects."""
    place, answers = tmp_path / "s", [b""]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answers[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield place, answers
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_answer_is_taken(server: tuple[Path, list[bytes]]) -> None:
    place, answers = server
    real = Real()
    api = QuickApi(place, "1.41", lambda: real)
    answers[0] = b'HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\n\r\n{"ID": "x"}'
    assert api.info() == {"ID": "x"}
    assert api.inspect_image("a/b:c") == {"ID": "x"}
    assert api.ping() is True
    assert api_version(place) == (1, 41)
    assert real.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"what?",
        b"HTTP/1.0 404 Not Found\r\n\r\n{}",
        b"HTTP/1.0 500 Oops\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\n\r\n{",
        b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    ],
)
def test_any_other_answer_is_docker_pys(server: tuple[Path, list[bytes]], answer: bytes) -> None:
    place, answers = server
    answers[0] = answer
    real = Real()
    api = QuickApi(place, "1.41", lambda: real)
    assert api.inspect_image("x") == "docker-py's inspect_image"
    assert api.volumes(filters={"label": "x"}) == "docker-py's volumes"
    assert real.asked == ["inspect_image", "volumes"]
    assert api_version(place) is None


def test_what_is_not_known_here_is_docker_pys(server: tuple[Path, list[bytes]]) -> None:
    place, answers = server
    answers[0] = b"HTTP/1.0 200 OK\r\n\r\n[]"
    real = Real()
    api = QuickApi(place, "1.41", lambda: real)
    api.create_container("x")
    api.containers(filters={"label": "x"})
    api.networks(names=["x"])
    api.volumes(filters={"label": ["a", "b"]})
    assert real.asked == ["create_container", "containers", "networks", "volumes"]


def test_nobody_there_is_docker_pys(tmp_path: Path) -> None:
    real = Real()
    api = QuickApi(tmp_path / "nobody", "1.41", lambda: real)
    assert api.info() == "docker-py's info"
    assert api_version(tmp_path / "nobody") is None


@pytest.mark.docker
def test_the_same_as_through_docker_py(python_image: str) -> None:
    place = endpoint().socket
    assert place is not None
    version = api_version(place)
    connected = client()
    try:
        api: Any = connected.api
        assert version == tuple(int(part) for part in api.api_version.split("."))
        real = Real()
        quick = QuickApi(place, api.api_version, lambda: real)
        assert quick.inspect_image(python_image) == api.inspect_image(python_image)
        assert quick.info()["ID"] == api.info()["ID"]
        wanted = {"label": f"{labels.RUN}=none of them"}
        assert quick.containers(all=True, filters=wanted) == api.containers(all=True, filters=wanted) == []
        assert quick.networks(filters=wanted) == api.networks(filters=wanted) == []
        assert quick.volumes(filters=wanted)["Volumes"] in (None, [])
        assert real.asked == []
    finally:
        connected.close()


_FIRST_QUESTIONS = """
import sys
from runner import engine
connected = engine.connect()
connected.info(), connected.image("python"), connected.leftovers()
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"docker", "requests", "urllib3"})
connected.close()
sys.exit(f"imported {loaded}" if loaded else 0)
"""


@pytest.mark.docker
def test_the_first_questions_import_no_docker_py(
    python_image: str, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.image("python")  # it is probed, if it never was
    done = subprocess.run([sys.executable, "-c", _FIRST_QUESTIONS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
