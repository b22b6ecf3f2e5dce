"""The image with the real training toolkit: built once, and again only when its recipe or its base changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runner.engine.recipes import Recipe, local_tag

FOLDER = Path(__file__).with_name("toolkit_image")


class ToolkitRecipe(Recipe):
    """Built on the `python` image as it is now; its tag lies outside of the names that the tool keeps in order."""

    @property
    def repository(self) -> str:
        return f"run-pipeline-test/{self.name}"

    def tag(self) -> str:
        both = hashlib.sha256(f"{self.digest()}\n{self.default_base}".encode()).hexdigest()
        return f"{self.repository}:{both[:12]}"


def toolkit_recipe() -> ToolkitRecipe:
    return ToolkitRecipe("sagemaker-training", FOLDER, local_tag("python"))


def ensure_toolkit() -> str:
    """Its tag, built if it is missing (about half a minute)."""
    from runner.engine.client import client
    from runner.engine.images import ensure
    from runner.engine.pull import present
    from runner.engine.recipes_build import build_recipe
    from runner.engine.recipes_host import host_settings

    recipe = toolkit_recipe()
    docker = client(timeout=900)
    try:
        if not present(docker, recipe.tag()):
            ensure("python", print, client=docker)
            build_recipe(docker, recipe, recipe.default_base, host_settings(), {}, print)
    finally:
        docker.close()
    return recipe.tag()
