"""The images that the tool can build: one folder each, with a Dockerfile that begins with `ARG BASE_IMAGE=...`.

A folder added beside the others is a new image; nothing else has to be told.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from runner.errors import InternalError, UsageError

REPOSITORY = "run-pipeline"
LABEL_RECIPE = "run-pipeline.recipe"
LABEL_BASE = "run-pipeline.base"
LABEL_PYTHON = "run-pipeline.python"

_DIGEST_CHARACTERS = 12
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
"""What Docker allows as the last part of a repository name."""
_BASE_ARGUMENT = re.compile(r"^\s*ARG\s+BASE_IMAGE=(\S+)\s*$", re.MULTILINE)
_PYTHON_OF_BASE = re.compile(r"(?:^|/)python:(\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One folder below `images/`."""

    name: str
    folder: Path
    default_base: str
    """What the Dockerfile names as `ARG BASE_IMAGE`."""

    @property
    def python(self) -> str | None:
        """`3.12` when the default base is an official Python image of that version, else None."""
        found = _PYTHON_OF_BASE.search(self.default_base)
        return found.group(1) if found else None

    @property
    def repository(self) -> str:
        return f"{REPOSITORY}/{self.name}"

    def files(self) -> tuple[Path, ...]:
        """Every file of the recipe, in a stable order; editors' and Python's own litter is not part of it."""
        return tuple(
            path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith((".pyc", "~", ".swp"))
        )

    def digest(self) -> str:
        """12 hexadecimal digits of all file names, modes (executable or not) and contents."""
        digest = hashlib.sha256()
        for path in self.files():
            content = path.read_bytes()
            executable = bool(path.stat().st_mode & 0o100)
            name = path.relative_to(self.folder).as_posix()
            digest.update(f"{name}\0{executable:d}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()[:_DIGEST_CHARACTERS]

    def tag(self) -> str:
        return f"{self.repository}:{self.digest()}"


def recipes_folder() -> Path:
    """`images/` as it was installed with the package, or as it stands beside the package in a source tree."""
    installed = Path(str(files("runner"))) / "_images"
    source_tree = Path(str(files("runner"))).parent / "images"
    for folder in (installed, source_tree):
        if folder.is_dir():
            return folder
    raise InternalError(f"the image recipes are missing: neither {installed} nor {source_tree} exists")


def load(folder: Path) -> dict[str, Recipe]:
    """The recipes in a folder by name. Raises UsageError for a folder that cannot be a recipe."""
    recipes = {}
    for dockerfile in sorted(folder.glob("*/Dockerfile")):
        name = dockerfile.parent.name
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{dockerfile.parent}: {name!r} cannot be the name of an image",
                remedy="use lower-case letters and digits, joined by `.`, `_` or `-`",
            )
        base = _BASE_ARGUMENT.search(dockerfile.read_text(encoding="utf-8"))
        if base is None:
            raise UsageError(
                f"{dockerfile}: no line `ARG BASE_IMAGE=...`",
                remedy="name the default base there, before the first FROM, and write `FROM ${BASE_IMAGE}`",
            )
        recipes[name] = Recipe(name=name, folder=dockerfile.parent, default_base=base.group(1))
    return recipes


def catalogue() -> dict[str, Recipe]:
    """Every image of `images/`, by name."""
    return load(recipes_folder())


def local_tag(name: str) -> str:
    """`run-pipeline/<name>:<12 hex of the recipe's content>`. Raises UsageError for a name not in the catalogue."""
    return named(name).tag()


def named(name: str) -> Recipe:
    """The recipe of that name. Raises UsageError with the nearest right name."""
    recipes = catalogue()
    if name not in recipes:
        raise UsageError(f"no image {name!r} in the catalogue", remedy=suggestion(name, recipes))
    return recipes[name]


def docker_reference(reference: str) -> str:
    """What Docker calls an image: the local tag for a name of the catalogue, anything else as it is."""
    recipe = catalogue().get(reference)
    return recipe.tag() if recipe else reference


def suggestion(name: str, recipes: dict[str, Recipe]) -> str:
    from runner.spec.names import nearest

    near = nearest(name, tuple(recipes))
    known = ", ".join(recipes)
    return f"did you mean {near!r}? The images are {known}" if near else f"the images are {known}"
