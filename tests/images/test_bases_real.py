"""Both ways to a base, for real: pulled from a registry, and made from distribution packages."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images.small_registry import small_registry

from runner.engine import bootstrap_debian, images
from runner.engine.pull import PullError, PullFailure, pull
from runner.errors import ImageUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def small_image(docker: DockerClient, python_image: str) -> Iterator[str]:
    """The Python image under an id of its own, so that removing what was pulled leaves everybody else's alone."""
    container = docker.containers.create(python_image, labels={"run-pipeline.test": "1"})
    tag = f"run-pipeline/registry-{uuid.uuid4().hex[:8]}"
    try:
        container.commit(tag, "1")
    finally:
        container.remove()
    yield f"{tag}:1"
    docker.images.remove(f"{tag}:1", force=True)


@pytest.fixture(scope="module")
def registry(docker: DockerClient, small_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    with small_registry(docker, small_image, "library/python", "3.12-slim", folder) as address:
        yield address


def test_with_a_registry_the_official_base_is_pulled(recipe: Path, registry: str, docker: DockerClient) -> None:
    base = f"{registry}/library/python:3.12-slim"
    (recipe / "Dockerfile").write_text(f"ARG BASE_IMAGE={base}\nFROM ${{BASE_IMAGE}}\nENV BUILT=1\n")
    log: list[str] = []
    try:
        (built,) = images.build([recipe.name], log.append)
        assert built.base == base
        assert docker.images.get(built.tag).labels["run-pipeline.base"] == base
        assert any(f"Pulling from {'library/python'}" in line for line in log), "the pull's progress is shown"
    finally:
        docker.images.remove(built.tag)
        docker.images.remove(base)


def test_what_the_registry_does_not_have_is_refused_and_not_replaced(recipe: Path, registry: str) -> None:
    base = f"{registry}/library/python:9.9"
    (recipe / "Dockerfile").write_text(f"ARG BASE_IMAGE={base}\nFROM ${{BASE_IMAGE}}\nENV BUILT=1\n")
    with pytest.raises(ImageUnavailable, match="the registry answered") as caught:
        images.build([recipe.name], lambda line: None)
    assert base in caught.value.message
    assert "--base-image" in caught.value.remedy


def test_a_closed_port_is_an_unreachable_registry(docker: DockerClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(PullError) as caught:
        pull(docker, f"{address}/library/python:3.12", lambda line: None)
    assert caught.value.failure is PullFailure.UNREACHABLE


def test_a_base_made_from_packages_has_python_pip_and_no_trace_of_the_host(docker: DockerClient) -> None:
    suite = bootstrap_debian.suite()
    if suite is None:
        pytest.skip("only Debian and Ubuntu make a base from their packages")
    tag = f"run-pipeline/base-test-{uuid.uuid4().hex[:8]}:{suite}"
    bootstrap_debian.make(docker, suite, tag, lambda line: None)
    try:
        script = "python3 -m venv /v && /v/bin/pip --version && ls /etc/apt/apt.conf.d && cat /etc/apt/sources.list"
        output = docker.containers.run(tag, ["sh", "-ec", script], network_mode="none", remove=True).decode()
        assert "mmdebstrap" not in output
        assert "from /v/lib/python3" in output
        assert docker.images.get(tag).labels["run-pipeline.base"] == f"{suite}, made from distribution packages"
    finally:
        docker.images.remove(tag)
