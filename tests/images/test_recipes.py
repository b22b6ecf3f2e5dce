"""The catalogue: which images there are, and when a tag changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine import images, recipes
from runner.errors import ImageUnavailable, UsageError

DOCKERFILE = "ARG BASE_IMAGE=python:3.12-slim\nFROM ${BASE_IMAGE}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def test_the_catalogue_mirrors_sagemakers_script_mode_images() -> None:
    assert {"python", "sklearn", "xgboost", "xgboost-inference"} <= set(images.catalogue())
    assert images.catalogue()["xgboost"].python == "3.10"
    assert images.catalogue()["sklearn"].python == "3.12"


@pytest.mark.parametrize("name", list(recipes.catalogue()))
def test_every_pin_is_exact_and_says_where_it_comes_from(name: str) -> None:
    requirements = recipes.catalogue()[name].folder / "requirements.txt"
    if name == "python":
        assert not requirements.exists()
        return
    pins = [line for line in requirements.read_text().splitlines() if line and not line.startswith("#")]
    assert pins
    for pin in pins:
        requirement, _, source = pin.partition("#")
        assert requirement.count("==") == 1, pin
        assert source.strip(), f"{pin}: no source"


def test_a_model_is_served_with_the_versions_it_was_trained_with() -> None:
    def pins(name: str) -> set[str]:
        lines = (recipes.catalogue()[name].folder / "requirements.txt").read_text().splitlines()
        return {line.partition("#")[0].strip() for line in lines} - {""}

    assert pins("xgboost-inference") <= pins("xgboost")


@pytest.mark.parametrize("name", list(recipes.catalogue()))
def test_no_image_has_an_entrypoint(name: str) -> None:
    """SageMaker's have none that a script-mode job keeps; an ENTRYPOINT would change what arguments alone mean."""
    assert "ENTRYPOINT" not in (recipes.catalogue()[name].folder / "Dockerfile").read_text()


def test_a_folder_is_an_image(folder: Path) -> None:
    recipe = recipes.load(folder)["tiny"]
    assert recipe.default_base == "python:3.12-slim"
    assert recipe.tag() == f"run-pipeline/tiny:{recipe.digest()}"
    assert len(recipe.digest()) == 12


@pytest.mark.parametrize("change", ["content", "name", "mode", "new file"])
def test_the_tag_changes_with_the_recipe(folder: Path, change: str) -> None:
    script = folder / "tiny" / "setup.sh"
    script.write_text("true\n")
    before = recipes.load(folder)["tiny"].tag()
    if change == "content":
        script.write_text("true \n")
    elif change == "name":
        script.rename(script.with_name("other.sh"))
    elif change == "mode":
        script.chmod(0o755)
    else:
        (folder / "tiny" / "empty").touch()
    assert recipes.load(folder)["tiny"].tag() != before


def test_the_tag_does_not_change_with_times_and_litter(folder: Path) -> None:
    before = recipes.load(folder)["tiny"].tag()
    (folder / "tiny" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "tiny" / "__pycache__").mkdir()
    (folder / "tiny" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "tiny" / "Dockerfile~").write_text("old")
    assert recipes.load(folder)["tiny"].tag() == before


def test_a_dockerfile_without_a_base_argument_is_refused(folder: Path) -> None:
    (folder / "tiny" / "Dockerfile").write_text("FROM python:3.12\n")
    with pytest.raises(UsageError, match=r"tiny/Dockerfile: no line `ARG BASE_IMAGE=") as caught:
        recipes.load(folder)
    assert "FROM ${BASE_IMAGE}" in caught.value.remedy


def test_a_folder_that_cannot_be_a_repository_is_refused(folder: Path) -> None:
    (folder / "tiny").rename(folder / "My Image")
    with pytest.raises(UsageError, match="'My Image' cannot be the name of an image"):
        recipes.load(folder)


def test_recipes_are_found_installed_and_in_a_source_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "runner"
    package.mkdir()
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(recipes, "files", lambda _: package)
    assert recipes.recipes_folder() == tmp_path / "images"
    (package / "_images").mkdir()
    assert recipes.recipes_folder() == package / "_images"


def test_only_names_of_the_catalogue_are_translated() -> None:
    assert images.docker_reference("xgboost") == images.local_tag("xgboost")
    for foreign in ("xgboost:3", "registry.example.com/xgboost", "run-pipeline/xgboost:0", "ubuntu"):
        assert images.docker_reference(foreign) == foreign


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no image 'xgbost' in the catalogue") as caught:
        images.build(["xgbost"], lambda line: None, client=object())  # type: ignore[arg-type]
    assert "did you mean 'xgboost'" in caught.value.remedy


def test_a_typo_is_not_asked_of_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "present", lambda client, reference: False)
    with pytest.raises(ImageUnavailable, match="no image 'sklaern'") as caught:
        images.ensure("sklaern", lambda line: None, client=object())  # type: ignore[arg-type]
    assert "did you mean 'sklearn'" in caught.value.remedy
