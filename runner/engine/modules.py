"""Which modules an image has, known before the run; and which images of `images/` have a module.

The image's own Python is asked once per image id and interpreter, in a container without a network; the answer is kept
in the cache directory. Which id a reference had then is kept too, for `plan`, which asks no engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from runner.agent import modules_source
from runner.engine.base import Image
from runner.engine.oneshot import ask
from runner.engine.probe import cache_dir, keep
from runner.engine.recipes import catalogue, docker_reference
from runner.errors import ImageUnavailable
from runner.spec.packages import module_of, package_of, required
from runner.spec.script import Import

if TYPE_CHECKING:
    from docker import DockerClient

REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Lack:
    """A module that a script imports for certain, and that its image does not have."""

    module: str
    line: int


def modules(client: DockerClient, image: Image, interpreter: str) -> frozenset[str]:
    """The top-level names that `interpreter` of the image can import; none where it cannot say.

    Raises ImageUnavailable when the image is gone, docker's APIError when the engine cannot run it.
    """
    known = _read(_place(image.id, interpreter))
    if known is None:
        from docker.errors import APIError, ImageNotFound

        try:
            answer = ask(client, image.id, [interpreter, "-c", modules_source()], purpose="modules")
        except ImageNotFound as error:
            raise ImageUnavailable(f"image {image.reference!r} has gone from this engine") from error
        except APIError as error:
            if "executable file not found" in str(error) or "no such file or directory" in str(error):
                return frozenset()  # no such interpreter: the step itself will say so
            raise
        known = frozenset(json.loads(answer.stdout)) if answer.exit_code == 0 else frozenset[str]()
        keep(_place(image.id, interpreter), sorted(known))
    _remember(image)
    return known


def known_modules(reference: str, interpreter: str) -> frozenset[str]:
    """The same as far as an earlier run found it out, without an engine; none where it did not."""
    try:
        image_id = json.loads(_reference(reference).read_text())
    except (OSError, ValueError):
        return frozenset()
    return (_read(_place(image_id, interpreter)) if isinstance(image_id, str) else None) or frozenset()


def _place(image_id: str, interpreter: str) -> Path:
    key = f"{image_id}\0{interpreter}\0{modules_source()}"
    return cache_dir() / "modules" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _reference(reference: str) -> Path:
    key = hashlib.sha256(docker_reference(reference).encode()).hexdigest()[:32]
    return cache_dir() / "modules" / "references" / f"{key}.json"


def _remember(image: Image) -> None:
    place = _reference(image.reference)
    try:
        if json.loads(place.read_text()) == image.id:
            return
    except (OSError, ValueError):
        pass  # not there, or not whole: written now
    keep(place, image.id)


def _read(place: Path) -> frozenset[str] | None:
    try:
        found = json.loads(place.read_text())
    except (OSError, ValueError):
        return None
    return frozenset(found) if isinstance(found, list) and all(isinstance(name, str) for name in found) else None


def lacking(imports: Iterable[Import], modules: Collection[str], requirements: str | None) -> tuple[Lack, ...]:
    """Which of a script's certain imports fail. Pure.

    `modules`: of the image; empty: not known, and then nothing is said. `requirements`: the text of the step's
    `requirements.txt`, None without one. A package may bring any module, also through what it needs itself: with a
    single one in that file nothing is certain any more.
    """
    if not modules or (requirements is not None and _asks_for_something(requirements)):
        return ()
    return tuple(Lack(each.module, each.line) for each in imports if each.module not in modules)


def _asks_for_something(requirements: str) -> bool:
    return any(line.strip() and not line.strip().startswith("#") for line in requirements.splitlines())


def offered(module: str) -> tuple[str, ...]:
    """The images of `images/` whose pinned packages bring a module, the leanest first."""
    found = [name for name, brought in _brought().items() if module in brought]
    return tuple(sorted(found, key=lambda name: (len(_brought()[name]), name)))


def cure(module: str, image: str, *, with_file: bool) -> str:
    """Where a module can be had from that `image` lacks. `with_file`: the step has a `requirements.txt`, or may."""
    images = " or ".join(f"'{name}'" for name in offered(module) if name != image)
    package = package_of(module)
    named = f"{REQUIREMENTS} (as {package})" if package != module else REQUIREMENTS
    if not with_file:
        named += " in a `source_dir`"
    return f"use image {images}, or add it to {named}" if images else f"add it to {named}"


@cache
def _brought() -> dict[str, frozenset[str]]:
    """By image: the modules of the packages that its recipe pins. Images that only serve are left out."""
    found = {}
    for name, recipe in catalogue().items():
        pins = recipe.folder / REQUIREMENTS
        if pins.is_file() and not name.endswith("-inference"):
            found[name] = frozenset(map(module_of, required(pins.read_text(encoding="utf-8"))))
    return found
