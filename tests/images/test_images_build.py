"""Building and finding images on a real engine. Recipes here are small, and named so that nobody else's are touched."""

from __future__ import annotations

import fcntl
import io
import tarfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images.private_index import PACKAGE, PASSWORD, PrivateIndex, private_index

from runner.engine import images
from runner.engine.probe import cache_dir
from runner.engine.recipes_build import STAGE_LABEL
from runner.errors import ImageUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.docker

STAGE = f"build-{uuid.uuid4().hex[:8]}"
"""Others may build images of their own at this time."""
DOCKERFILE = f"""\
ARG BASE_IMAGE=registry.invalid/python:3.12-slim
FROM ${{BASE_IMAGE}} AS build
LABEL {STAGE_LABEL}={STAGE}
COPY requirements.txt .host* /build/
ENV PIP_CONFIG_FILE=/build/pip.conf
RUN : {STAGE} && python3 -m venv /opt/venv \\
    && /opt/venv/bin/pip install --disable-pip-version-check -r /build/requirements.txt
FROM ${{BASE_IMAGE}}
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${{PATH}}
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateIndex]:
    with private_index(tmp_path_factory.mktemp("index")) as running:
        yield running


@pytest.fixture
def recipe(recipe: Path) -> Path:
    (recipe / "Dockerfile").write_text("ARG BASE_IMAGE=registry.invalid/python:3.12\nFROM ${BASE_IMAGE}\nRUN true\n")
    return recipe


def build(folder: Path, base: str, force: bool = False) -> tuple[images.BuiltImage, list[str]]:
    log: list[str] = []
    (built,) = images.build([folder.name], log.append, base_image=base, force=force)
    return built, log


def stages(docker: DockerClient) -> list[str]:
    return [image.id for image in docker.images.list(all=True, filters={"label": f"{STAGE_LABEL}={STAGE}"})]


def test_settings_of_the_hosts_pip_reach_the_build_and_nothing_that_stays(
    recipe: Path, index: PrivateIndex, python_image: str, docker: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TLS-inspecting proxy and a private index with a password, in one."""
    (recipe / "Dockerfile").write_text(DOCKERFILE)
    (recipe / "requirements.txt").write_text(f"{PACKAGE}==1.0\n")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_CERT", str(index.ca))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    before = stages(docker)

    built, log = build(recipe, python_image)

    script = f"import {PACKAGE}; print({PACKAGE}.ANSWER)"
    assert docker.containers.run(built.tag, ["python", "-c", script], network_mode="none", remove=True) == b"42\n"
    image = docker.images.get(built.tag)
    assert PASSWORD not in str(image.history()), "the index's password is in the history"
    assert PASSWORD not in str(image.attrs)
    for chunk in layers(image.save()):
        assert PASSWORD.encode() not in chunk, "the index's password is in a layer"
    assert not any(PASSWORD in line for line in log)
    assert stages(docker) == before, "the build stage's layers, with the password, are still on the engine"


def layers(saved: Iterator[bytes]) -> Iterator[bytes]:
    """The content of every file of every layer that the build added to its base."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(saved))) as archive:
        names = sorted((entry for entry in archive if entry.name.endswith("layer.tar")), key=lambda entry: entry.size)
        assert names
        for entry in names:
            content = archive.extractfile(entry)
            if content is not None:
                yield content.read()


def test_a_failed_build_shows_its_last_lines_and_leaves_no_stage(
    recipe: Path, index: PrivateIndex, python_image: str, docker: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe / "Dockerfile").write_text(DOCKERFILE)
    (recipe / "requirements.txt").write_text("not-in-this-index==1.0\n")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_CERT", str(index.ca))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    before = stages(docker)
    with pytest.raises(ImageUnavailable, match="could not be built") as caught:
        build(recipe, python_image)
    assert "No matching distribution found for not-in-this-index==1.0" in caught.value.message
    assert str(recipe / "Dockerfile") in caught.value.remedy
    assert stages(docker) == before
    there = docker.containers.list(all=True, ignore_removed=True)
    commands = [str(container.attrs["Config"]["Cmd"]) for container in there]
    assert not any(STAGE in command for command in commands), "the failed build's container stays"


def test_what_is_there_is_left_and_force_builds_again(recipe: Path, python_image: str, docker: DockerClient) -> None:
    first, _ = build(recipe, python_image)
    again, log = build(recipe, python_image)
    forced, _ = build(recipe, python_image, force=True)
    assert (first.built, again.built, forced.built) == (True, False, True)
    assert log == [f"{recipe.name}: {first.tag} is there"]
    assert docker.images.get(first.tag).labels["run-pipeline.base"] == python_image


def test_the_listing_says_what_it_stands_on(recipe: Path, python_image: str) -> None:
    (row,) = images.listing()
    assert (row.present, row.size, row.note) == (False, None, "not built yet")
    build(recipe, python_image)
    (row,) = images.listing()
    assert row.present
    assert row.size is not None
    assert row.size > 10**6
    assert row.base == python_image
    assert row.python is not None
    assert row.python.startswith("3.")
    assert row.note, "another base than the recipe's is said"


def test_another_base_builds_again(recipe: Path, python_image: str, docker: DockerClient) -> None:
    build(recipe, python_image)
    alias = f"run-pipeline/{recipe.name}-base"
    docker.images.get(python_image).tag(alias, "1")
    try:
        built, _ = build(recipe, f"{alias}:1")
        assert built.built
        assert built.base == f"{alias}:1"
    finally:
        docker.images.remove(f"{alias}:1")


def test_an_edited_recipe_replaces_the_old_tag(recipe: Path, python_image: str, docker: DockerClient) -> None:
    old, _ = build(recipe, python_image)
    (recipe / "Dockerfile").write_text((recipe / "Dockerfile").read_text() + "ENV EDITED=1\n")
    new, _ = build(recipe, python_image)
    assert new.tag != old.tag
    (image,) = docker.images.list(name=f"run-pipeline/{recipe.name}")
    assert image.tags == [new.tag]


def test_an_image_is_built_on_demand(recipe: Path, python_image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_PIPELINE_BASE_IMAGE", python_image)
    log: list[str] = []
    tag = images.ensure(recipe.name, log.append)
    assert tag == images.local_tag(recipe.name)
    assert any("building" in line for line in log)
    log.clear()
    assert images.ensure(recipe.name, log.append) == tag
    assert log == []


def test_a_local_image_of_ones_own_is_used_as_it_is(python_image: str) -> None:
    log: list[str] = []
    assert images.ensure(python_image, log.append) == python_image
    assert log == []


def test_a_missing_image_of_an_unreachable_registry(engine_error: str) -> None:
    with pytest.raises(ImageUnavailable, match="no registry is reachable") as caught:
        images.ensure("registry.invalid/team/image:1", lambda line: None)
    assert caught.value.remedy


def test_a_base_without_python_says_so(recipe: Path, docker: DockerClient) -> None:
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    tag = f"run-pipeline/{recipe.name}:empty"
    docker.api.import_image_from_data(empty.getvalue(), repository=tag.partition(":")[0], tag="empty")
    with pytest.raises(ImageUnavailable, match="cannot be a base") as caught:
        build(recipe, tag)
    assert "python3 3.7" in caught.value.remedy
    assert docker.containers.list(all=True, filters={"ancestor": tag}) == [], "the container that could not start stays"


def test_a_second_build_waits_for_the_first(recipe: Path, python_image: str) -> None:
    waiting = threading.Event()
    log: list[str] = []

    def note(line: str) -> None:
        log.append(line)
        if "another build is under way" in line:
            waiting.set()

    def second() -> None:
        images.build([recipe.name], note, base_image=python_image)

    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        assert len(log) == 1, "it built while another held the lock"
    thread.join(120)
    assert any("building" in line for line in log)


def test_the_xgboost_image_has_sagemakers_versions(xgboost_image: str, docker: DockerClient) -> None:
    script = (
        "import numpy, pandas, scipy, sklearn, xgboost, pyarrow, sys, subprocess;"
        "print(*(m.__version__ for m in (xgboost, pandas, numpy, sklearn, scipy, pyarrow)));"
        "subprocess.run(['python', '-m', 'pip', '--version'], check=True, stdout=subprocess.DEVNULL);"
        "xgboost.XGBClassifier(n_estimators=2).fit(numpy.eye(4), [0, 1, 0, 1])"
    )
    output = docker.containers.run(xgboost_image, ["python3", "-c", script], network_mode="none", remove=True)
    assert output.decode().split() == ["3.0.5", "2.2.3", "2.1.0", "1.5.2", "1.15.0", "22.0.0"]
    assert docker.images.get(xgboost_image).attrs["Config"]["Entrypoint"] is None
