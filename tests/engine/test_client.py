"""Which engine is meant, and what is said when it does not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.engine.client import client, endpoint
from runner.errors import EngineUnavailable, Interrupted


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def make_context(root: Path, name: str, host: str) -> None:
    from docker.context.config import get_context_id

    (root / "config.json").write_text(json.dumps({"currentContext": name}))
    meta = root / "contexts" / "meta" / get_context_id(name)
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}))


def test_the_local_socket_when_nothing_is_said() -> None:
    assert (endpoint().url, endpoint().origin) == ("unix:///var/run/docker.sock", "default")


def test_a_context_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "bar")
    with pytest.raises(EngineUnavailable, match="no Docker context 'bar', which DOCKER_CONTEXT names"):
        client()


def test_the_active_contexts_socket_is_named_not_the_default_one(tmp_path: Path) -> None:
    make_context(tmp_path, "colima", f"unix://{tmp_path}/nobody.sock")
    assert endpoint().origin == "colima"
    with pytest.raises(
        EngineUnavailable, match=r"nobody\.sock, which context 'colima' names, does not exist"
    ) as caught:
        client()
    assert "docker context use default" in caught.value.remedy


def test_docker_host_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(EngineUnavailable, match=r"nobody\.sock, which DOCKER_HOST names, does not exist") as caught:
        client()
    assert "unset DOCKER_HOST" in caught.value.remedy


def test_a_signal_while_the_engine_is_asked_is_not_the_engines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """docker-py turns every exception of its first call into one of its own."""

    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted(15)

    monkeypatch.setattr("docker.api.client.APIClient.version", interrupted)
    with pytest.raises(Interrupted):
        client()
