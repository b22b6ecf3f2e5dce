"""Which image of `images/` stands for one of SageMaker's that is not here: the nearest, by what its ECR URI says.

Pure but for the recipes, which are read. Whether the real image is present is for the caller to ask: it always wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from runner.engine.recipes import Recipe, catalogue
from runner.spec.names import nearest

_URI = re.compile(
    r"\d+\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.[a-z.]+/"
    r"(?:[^@]*/)?(?P<repository>[^/:@]+)(?::(?P<tag>[^@]+))?(?:@.+)?"
)
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:-\d+)?)(?=-|$)")
_PYTHON = re.compile(r"(?:^|-)py(\d)(\d*)(?=-|$)")
_PYTHON_OF_STUDIO = re.compile(r"-(\d)(\d+)$")
_SERVING = "-inference"
"""Follows the framework in the name of an image that can `serve`."""
_PURPOSES = ("-training", _SERVING, "-processing")
_STANDS_FOR = {"scikit-learn": "sklearn", "base-python": "python", "data-science": "sklearn"}
"""Framework -> image, where their names differ."""
_PACKAGES = {"pytorch": "torch"}
"""Framework -> Python package, where their names differ; or the package has `-cpu` behind its name."""
_WIDER = frozenset({"data-science"})
"""Frameworks of which the image that stands for them has a part only."""
_ALSO_TOLD = ("numpy", "pandas")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an ECR URI says about its image."""

    uri: str
    framework: str
    """As `scikit-learn`, `pytorch`."""
    version: str
    """As `1.2-1`, which is version 1.2 in its first image, or `2.1.0`; empty when the tag has none."""
    python: str
    """`3.10`, or `3` when the tag says no more, or empty."""
    gpu: bool

    @property
    def name(self) -> str:
        return f"{self.framework} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class StandIn:
    asked: Asked
    recipe: Recipe

    @property
    def image(self) -> str:
        return self.recipe.name

    @property
    def serves(self) -> bool:
        return _SERVING in self.recipe.name

    def differs(self, python: str | None = None) -> str:
        """What the stand-in has instead; `python` is its version where it was looked at, else the recipe's counts."""
        asked, versions = self.asked, _versions(self.recipe)
        package = _package(asked.framework, versions)
        parts = [_instead(asked.framework, versions[package], asked.version)] if package else []
        if (found := python or self.recipe.python) is not None:
            parts.append(_instead("Python", found, asked.python))
        parts += [f"{name} {versions[name]}" for name in _ALSO_TOLD if name in versions]
        if asked.framework in _WIDER:
            parts.append(f"not everything that {asked.name} has")
        parts += ["no GPU libraries"] if asked.gpu else []
        serving = f"its own `serve` (images/{self.image}) and " if self.serves else ""
        return ", ".join([*parts, f"{serving}no serving stack"])


def parse(reference: str) -> Asked | None:
    """None for what is no ECR URI."""
    found = _URI.fullmatch(reference)
    if found is None:
        return None
    name, tag = found["repository"].removeprefix("sagemaker-"), found["tag"] or ""
    name = re.sub(r"-v\d+$", "", name)
    studio = _PYTHON_OF_STUDIO.search(name)  # as in `sagemaker-data-science-310-v1`
    python = _PYTHON.search(tag) or studio
    if studio is not None:
        name = name[: studio.start()]
    for purpose in _PURPOSES:
        name = name.removesuffix(purpose)
    version = _VERSION.match(tag)
    return Asked(
        uri=reference,
        framework=name,
        version=version[1] if version else "",
        python=".".join(filter(None, python.groups())) if python else "",
        gpu=re.search(r"(?:^|-)(?:gpu|cu\d+)(?=-|$)", tag) is not None,
    )


def stand_in(reference: str, recipes: Mapping[str, Recipe] | None = None, *, serve: bool = False) -> StandIn | None:
    """The nearest image of the catalogue; None for what is no ECR URI, or when no image has its framework.

    An image is of a framework when its folder has that name, alone or with a version behind a dash, as `pytorch-2.1`;
    of several the one with the nearest version is taken. With `serve`, for a transform step, it is one that can serve:
    its name begins with `pytorch-inference`.
    """
    asked = parse(reference)
    if asked is None:
        return None
    return _of_catalogue(asked, serve) if recipes is None else _nearest(asked, recipes, serve)


def refusal(reference: str, *, serve: bool = False) -> tuple[str, str]:
    """Why nothing stands for an ECR URI, and what to write so that something does. Raises ValueError for no URI."""
    asked = parse(reference)
    if asked is None:
        raise ValueError(reference)
    recipes = catalogue()
    if serve:
        serving = ", ".join(name for name in recipes if _SERVING in name)
        return f"no image of this tool can serve {asked.name}; {serving} can serve", _write(
            reference, "ONE-THAT-SERVES"
        )
    why = f"no image of this tool has {asked.name}; its images are {', '.join(recipes)}"
    near = nearest(asked.framework, recipes) or next(iter(recipes))
    return why, _write(reference, near)


def _write(reference: str, image: str) -> str:
    return f"or let a local image stand for it, in the pipeline file:\nimages:\n  {reference}: {image}"


@cache
def _of_catalogue(asked: Asked, serve: bool) -> StandIn | None:
    """Asked for every step of a plan, and the recipes lie on disk."""
    return _nearest(asked, catalogue(), serve)


def _nearest(asked: Asked, recipes: Mapping[str, Recipe], serve: bool) -> StandIn | None:
    stem = _STANDS_FOR.get(asked.framework, asked.framework) + (_SERVING if serve else "")
    rule = re.compile(rf"{re.escape(stem)}(-\d[\d.]*)?")
    fitting = [recipe for name, recipe in recipes.items() if rule.fullmatch(name)]
    return StandIn(asked, min(fitting, key=lambda recipe: _distance(asked, recipe))) if fitting else None


def _versions(recipe: Recipe) -> dict[str, str]:
    """Python package -> version, of the image's requirements."""
    listed = recipe.folder / "requirements.txt"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    pins = (re.match(r"([A-Za-z0-9._-]+)==([^\s#;]+)", line) for line in lines)
    return {pin[1].lower(): pin[2] for pin in pins if pin}


def _package(framework: str, versions: Mapping[str, str]) -> str | None:
    name = _PACKAGES.get(framework, framework)
    return next((each for each in (name, f"{name}-cpu") if each in versions), None)


def _distance(asked: Asked, recipe: Recipe) -> tuple[list[int], str]:
    """How far its version is from what was asked: the first part that differs decides."""
    versions = _versions(recipe)
    package = _package(asked.framework, versions)
    if not asked.version or package is None:
        return [], recipe.name
    pairs = zip(_numbers(asked.version), _numbers(versions[package]), strict=False)
    return [abs(one - other) for one, other in pairs], recipe.name


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _instead(what: str, has: str, wanted: str) -> str:
    """`scikit-learn 1.4.2 instead of 1.2-1`, or without the end when they agree as far as both say."""
    agree = all(one == other for one, other in zip(_numbers(has), _numbers(wanted), strict=False))
    return f"{what} {has}" if agree else f"{what} {has} instead of {wanted}"
