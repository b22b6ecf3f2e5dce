"""Units, names, and the cost of importing the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import runner.spec
from runner.spec.names import at_most, did_you_mean, listed, nearest, nearest_file
from runner.spec.scalar import Literal, described
from runner.spec.units import seconds, size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h", 3600),
        ("1.5 H", 5400),
        ("2d", 172800),
        (".5s", 0.5),
    ],
)
def test_seconds(text: float | str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "5 minutes", "1h30m", "-5s", -1, float("nan"), float("inf"), "1e9s", "9" * 400]
)
def test_no_seconds(text: float | str) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (1048576, 1 << 20),
        ("1048576", 1 << 20),
        ("64b", 64),
        ("512m", 512 << 20),
        ("2g", 2 << 30),
        ("2GiB", 2 << 30),
        ("2GB", 2 << 30),
        ("1.5k", 1536),
        ("1t", 1 << 40),
    ],
)
def test_size(text: float | str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "g", "2 gigs", "-1m", "0.3b", 1.5, -1, float("nan"), "9" * 400])
def test_no_size(text: float | str) -> None:
    with pytest.raises(ValueError, match="a size is"):
        size(text)


def test_nearest() -> None:
    assert nearest("TabularPreprocesing", ["XGBoostTraining", "TabularPreprocessing"]) == "TabularPreprocessing"
    assert nearest("xgboosttraining", ["XGBoostTraining"]) == "XGBoostTraining"
    assert nearest("abc", ["xyz"]) is None
    assert nearest("abc", []) is None
    assert did_you_mean("scrpt", ["script", "image"]) == " (did you mean 'script'?)"
    assert did_you_mean("abc", ["xyz"]) == ""
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([]) == "none"
    assert listed(str(n) for n in range(5000)).endswith(", '19' and 4,980 more")


def test_nearest_file_compares_stems() -> None:
    assert nearest_file("bad.yaml", ["mix.yaml", "abc.yaml"]) is None
    assert nearest_file("pipelin.yml", ["mix.yml", "pipeline.yaml", "pipeline.yml"]) == "pipeline.yml"
    assert nearest_file("pipeline.yml", ["pipeline.yaml"]) == "pipeline.yaml"


def test_comparisons_are_bounded() -> None:
    with at_most(5):
        assert nearest("abd", ["abc", "xyz"]) == "abc"
        assert nearest("abd", ["abc", "xyz"]) == "abc"
        assert nearest("abd", ["abc", "xyz"]) is None
        assert nearest("abd", ["abc"]) is None  # no suggestion for one after none for another
    assert nearest("abd", ["abc"]) == "abc"
    assert nearest("a" * 1000, ["a" * 1000]) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (null)"),
        ({}, "a mapping"),
        ([], "a list"),
        (Literal("0.10", 0.1), "the number 0.10"),
        (Literal("True", True), "the boolean True"),
        (5, "the number 5"),
        ("x" * 100, "'" + "x" * 77 + "...'"),
    ],
)
def test_values_in_words(value: object, words: str) -> None:
    assert described(value) == words


def test_importing_the_package_is_cheap() -> None:
    heavy = ("pydantic", "yaml", "networkx", "difflib", "json")
    code = f"import runner.spec, sys; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_loading_needs_no_networkx(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("p") / "p.yaml"
    path.write_text("image: x\nsteps: {a: {entrypoint: [x], outputs: [o]}, b: {entrypoint: [x], depends_on: [a]}}\n")
    code = (
        "import sys; from pathlib import Path; from runner.spec import load, order\n"
        "order(load(Path(sys.argv[1])).spec); print('networkx' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_public_names_resolve() -> None:
    for name in runner.spec.__all__:
        assert getattr(runner.spec, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        runner.spec.nothing  # noqa: B018
