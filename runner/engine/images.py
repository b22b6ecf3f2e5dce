"""The images of `images/`: which there are, under which tag, and making sure that they are there.

catalogue()              name -> recipe
local_tag(name)          run-pipeline/<name>:<12 hex of the recipe's content>
docker_reference(ref)    what Docker calls it
build(names, log)        build what is missing
ensure(reference, log)   the same for one image on demand; pulls images that are not ours
listing()                for `images list`
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.engine.bootstrap import BASE_VARIABLE, Base, BaseChooser
from runner.engine.probe import cache_dir
from runner.engine.pull import inspect, present, pull
from runner.engine.recipes import (
    LABEL_BASE,
    LABEL_PYTHON,
    LABEL_RECIPE,
    Recipe,
    catalogue,
    docker_reference,
    local_tag,
    named,
    suggestion,
)
from runner.engine.recipes_build import build_recipe
from runner.engine.recipes_host import host_settings
from runner.engine.standins import stand_in
from runner.errors import ImageUnavailable, WorkspaceError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = [
    "BuiltImage",
    "ImageRow",
    "Recipe",
    "build",
    "catalogue",
    "docker_reference",
    "ensure",
    "listing",
    "local_tag",
    "stands_for",
]

Log = Callable[[str], None]

_API_SECONDS = 900
"""Ceiling for one silent stretch of a build: a slow index during one `RUN`."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What `build` did for one name."""

    name: str
    tag: str
    base: str
    python: str
    built: bool
    """False: it was there already."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One line of `images list`."""

    name: str
    tag: str
    present: bool
    size: int | None
    """Bytes; None when it is not present, or when no engine was asked."""
    base: str
    """The base it was built on; the recipe's default when it is not present."""
    python: str | None
    note: str
    """How it differs from the recipe's default, or empty."""


def build(
    names: Sequence[str],
    log: Log,
    *,
    base_image: str | None = None,
    force: bool = False,
    client: DockerClient | None = None,
) -> list[BuiltImage]:
    """Build the named images (all when `names` is empty); one that is there is left, unless `force` or another base.

    `base_image` (or RUN_PIPELINE_BASE_IMAGE) wins over every default base. Output goes to `log`, a line at a time.
    Raises UsageError for an unknown name, ImageUnavailable, EngineUnavailable.
    """
    recipes = [named(name) for name in names] or list(catalogue().values())
    given = base_image or os.environ.get(BASE_VARIABLE) or None
    docker = client or _client()
    chooser = BaseChooser(docker, log, given)
    with _one_at_a_time(log):
        return [_build_one(docker, recipe, chooser, force, log) for recipe in recipes]


def ensure(reference: str, log: Log, *, client: DockerClient | None = None) -> str:
    """Make an image present: build one of the catalogue, pull any other. Returns what Docker calls it.

    Raises ImageUnavailable; for a bare name that nearly is one of the catalogue's, without asking a registry.
    """
    docker = client or _client()
    tag = docker_reference(reference)
    if present(docker, tag):
        return tag
    recipes = catalogue()
    if reference in recipes:
        build([reference], log, client=docker)
    else:
        _refuse_typo(reference, recipes)
        log(f"pulling {reference}")
        pull(docker, reference, log)
    return tag


def stands_for(reference: str, *, serve: bool = False) -> str:
    """The image of the catalogue that stands for one of SageMaker's, or the reference itself. See `stand_in`."""
    stand = stand_in(reference, serve=serve)
    return reference if stand is None else stand.image


def listing(*, client: DockerClient | None = None) -> list[ImageRow]:
    """The catalogue with what the engine has of it. Raises EngineUnavailable."""
    docker = client or _client()
    return [_row(recipe, inspect(docker, recipe.tag())) for recipe in catalogue().values()]


def _client() -> DockerClient:
    from runner.engine.client import client

    return client(timeout=_API_SECONDS)


def _build_one(docker: DockerClient, recipe: Recipe, chooser: BaseChooser, force: bool, log: Log) -> BuiltImage:
    found = inspect(docker, recipe.tag())
    if found is not None and not force:
        base, python = _label(found, LABEL_BASE), _label(found, LABEL_PYTHON)
        if chooser.given in (None, base):
            log(f"{recipe.name}: {recipe.tag()} is there")
            return BuiltImage(recipe.name, recipe.tag(), base, python, built=False)
    chosen = chooser.choose(recipe)
    note = _note(recipe, chosen.python, chosen.reference)
    log(f"{recipe.name}: building {recipe.tag()} on {chosen.reference}" + (f" ({note})" if note else ""))
    host = host_settings()
    for line in host.notes:
        log(line)
    build_recipe(docker, recipe, chosen.reference, host, _labels(recipe, chosen), log)
    _untag_others(docker, recipe, found, log)
    return BuiltImage(recipe.name, recipe.tag(), chosen.reference, chosen.python, built=True)


def _labels(recipe: Recipe, base: Base) -> dict[str, str]:
    return {LABEL_RECIPE: recipe.name, LABEL_BASE: base.reference, LABEL_PYTHON: base.python}


def _untag_others(docker: DockerClient, recipe: Recipe, replaced: dict[str, Any] | None, log: Log) -> None:
    """Drop older tags of the same recipe, and the image whose tag has just moved, so that the disk does not fill."""
    from docker.errors import APIError, ImageNotFound

    old = [tag for image in docker.images.list(name=recipe.repository) for tag in image.tags if tag != recipe.tag()]
    current = inspect(docker, recipe.tag())
    if replaced is not None and current is not None and replaced["Id"] != current["Id"]:
        old.append(str(replaced["Id"]))
    for reference in old:
        try:
            docker.images.remove(reference)
        except ImageNotFound:  # the last tag took it along
            continue
        except APIError as error:
            log(f"the older {reference} stays: {error.explanation}")


def _label(found: dict[str, Any], name: str) -> str:
    return str((found["Config"].get("Labels") or {}).get(name, ""))


def _row(recipe: Recipe, found: dict[str, Any] | None) -> ImageRow:
    if found is None:
        return ImageRow(recipe.name, recipe.tag(), False, None, recipe.default_base, recipe.python, "not built yet")
    base, python = _label(found, LABEL_BASE), _label(found, LABEL_PYTHON)
    note = _note(recipe, python, base)
    return ImageRow(recipe.name, recipe.tag(), True, int(found["Size"]), base, python, note)


def _note(recipe: Recipe, python: str, base: str) -> str:
    """`Debian's Python 3.11 instead of 3.12`: said wherever an image is shown, since a pass on it proves less."""
    wanted = recipe.python
    if wanted is None or python == wanted or python.startswith(f"{wanted}."):
        return "" if base == recipe.default_base else f"on {base} instead of {recipe.default_base}"
    minor = ".".join(python.split(".")[:2])
    whose = "the distribution's" if base.startswith("run-pipeline/base:") else f"{base}'s"
    return f"{whose} Python {minor} instead of {wanted}"


def _refuse_typo(reference: str, recipes: dict[str, Recipe]) -> None:
    from runner.spec.names import nearest

    bare = not any(mark in reference for mark in "/:@")
    if bare and nearest(reference, tuple(recipes)):
        raise ImageUnavailable(f"there is no image {reference!r}", remedy=suggestion(reference, recipes))


@contextmanager
def _one_at_a_time(log: Log) -> Iterator[None]:
    """One build per user and machine: a second command waits, and then finds the images there."""
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "images.lock").open("w")
    except OSError as error:
        raise WorkspaceError(
            f"cannot write the lock file in {folder}: {error.strerror}",
            remedy="set RUN_PIPELINE_CACHE_DIR to a writable folder",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another build is under way; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
