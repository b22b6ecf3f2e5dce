"""An engine's client, and a catalogue of its own for each test that builds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.engine import recipes
from runner.engine.client import client as connect

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture(scope="module")
def docker(engine_error: str) -> Iterator[DockerClient]:
    connected = connect()
    yield connected
    connected.close()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: DockerClient) -> Iterator[Path]:
    """The empty folder of the only recipe of a catalogue; what is built from it is removed."""
    folder = tmp_path / "images" / f"test-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    monkeypatch.setattr(recipes, "recipes_folder", lambda: folder.parent)
    monkeypatch.delenv("RUN_PIPELINE_BASE_IMAGE", raising=False)
    yield folder
    for image in docker.images.list(name=f"run-pipeline/{folder.name}"):
        docker.images.remove(image.id, force=True)
