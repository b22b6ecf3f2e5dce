"""Which image of `images/` stands for which of SageMaker's."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine.recipes import Recipe, catalogue
from runner.engine.standins import Asked, parse, refusal, stand_in

ECR = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("reference", "framework", "version", "python", "gpu"),
    [
        (f"{ECR}/sagemaker-scikit-learn:1.2-1-cpu-py3", "scikit-learn", "1.2-1", "3", False),
        (f"{ECR}/sagemaker-scikit-learn:1.4-2-py312", "scikit-learn", "1.4-2", "3.12", False),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.7-1", "xgboost", "1.7-1", "", False),
        (f"{ECR}/pytorch-training:2.1.0-gpu-py310-cu121-ubuntu20.04-sagemaker", "pytorch", "2.1.0", "3.10", True),
        (f"{ECR}/tensorflow-inference:2.12.1-cpu", "tensorflow", "2.12.1", "", False),
        (f"{ECR}/huggingface-pytorch-training:2.1.0-cu121-py310", "huggingface-pytorch", "2.1.0", "3.10", True),
        (f"{ECR}/sagemaker-base-python-310:1.0", "base-python", "1.0", "3.10", False),
        (f"{ECR}/sagemaker-data-science-310-v1", "data-science", "", "3.10", False),
        (f"{ECR}/team/sagemaker-xgboost@sha256:{'0' * 64}", "xgboost", "", "", False),
    ],
)  # fmt: skip
def test_an_ecr_uri_is_read(reference: str, framework: str, version: str, python: str, gpu: bool) -> None:
    assert parse(reference) == Asked(reference, framework, version, python, gpu)


@pytest.mark.parametrize(
    "reference",
    ["python", "python:3.12", "registry.example.com/sagemaker-xgboost:1", f"{ECR}/", "", "run-pipeline/x:1"],
)
def test_no_other_reference_is_one(reference: str) -> None:
    assert parse(reference) is None
    assert stand_in(reference) is None


@pytest.mark.parametrize(
    ("reference", "image", "differs"),
    [
        (
            f"{ECR}/sagemaker-scikit-learn:1.2-1-cpu-py3",
            "sklearn",
            "scikit-learn 1.4.2 instead of 1.2-1, Python 3.12, numpy 2.1.0, pandas 2.2.3, no serving stack",
        ),
        (
            f"{ECR}/sagemaker-scikit-learn:1.4-2",
            "sklearn",
            "scikit-learn 1.4.2, Python 3.12, numpy 2.1.0, pandas 2.2.3, no serving stack",
        ),
        (
            f"{ECR}/sagemaker-xgboost:1.7-1-gpu-py38",
            "xgboost",
            "xgboost 3.0.5 instead of 1.7-1, Python 3.10 instead of 3.8, numpy 2.1.0, pandas 2.2.3, "
            "no GPU libraries, no serving stack",
        ),
        (f"{ECR}/sagemaker-base-python:1.0", "python", "Python 3.12, no serving stack"),
        (
            f"{ECR}/sagemaker-data-science-310-v1",
            "sklearn",
            "Python 3.12 instead of 3.10, numpy 2.1.0, pandas 2.2.3, not everything that data-science has, "
            "no serving stack",
        ),
    ],
)
def test_the_nearest_image_says_what_differs(reference: str, image: str, differs: str) -> None:
    found = stand_in(reference)
    assert found is not None
    assert (found.image, found.differs()) == (image, differs)


def test_a_transform_step_gets_an_image_that_can_serve() -> None:
    for repository in ("sagemaker-xgboost:1.7-1", "sagemaker-xgboost:3.0-5-gpu-py310"):
        found = stand_in(f"{ECR}/{repository}", serve=True)
        assert found is not None
        assert found.image == "xgboost-inference"
    assert found.differs() == (
        "xgboost 3.0.5, Python 3.10, numpy 2.1.0, no GPU libraries, "
        "its own `serve` (images/xgboost-inference) and no serving stack"
    )
    reference = f"{ECR}/sagemaker-scikit-learn:1.4-2"
    assert stand_in(reference, serve=True) is None
    why, remedy = refusal(reference, serve=True)
    assert why == "no image of this tool can serve scikit-learn 1.4-2; xgboost-inference can serve"
    assert remedy.endswith(f"\nimages:\n  {reference}: ONE-THAT-SERVES")


def test_of_several_that_serve_the_nearest_version_wins(tmp_path: Path) -> None:
    pins = {"pytorch-inference-2.1": "torch==2.1.2", "pytorch-inference-2.6": "torch==2.6.0", "pytorch": "torch==2.2.0"}
    recipes = {name: recipe(tmp_path, name, pin) for name, pin in pins.items()}
    found = stand_in(f"{ECR}/pytorch-inference:2.2.0", recipes, serve=True)
    assert found is not None
    assert found.image == "pytorch-inference-2.1"


def test_the_python_that_was_looked_at_counts() -> None:
    found = stand_in(f"{ECR}/sagemaker-scikit-learn:1.4-2-py312")
    assert found is not None
    assert "Python 3.11.2 instead of 3.12," in found.differs("3.11.2")


def recipe(folder: Path, name: str, pin: str) -> Recipe:
    (folder / name).mkdir()
    (folder / name / "requirements.txt").write_text(f"{pin}  # why\n")
    return Recipe(name, folder / name, "python:3.11-slim")


def test_a_folder_that_is_added_counts_and_the_nearest_version_wins(tmp_path: Path) -> None:
    pins = {"pytorch-2.1": "torch==2.1.2", "pytorch-2.6": "torch==2.6.0", "pytorch-1": "torch==1.13.1"}
    pins["pytorch-inference"] = "torch==3.0.0"  # made for something else
    recipes = {name: recipe(tmp_path, name, pin) for name, pin in pins.items()}
    wanted = {"2.2.0-cpu-py310": "pytorch-2.1", "2.5.1": "pytorch-2.6", "1.12": "pytorch-1", "3.0": "pytorch-2.1"}
    found = {tag: stand_in(f"{ECR}/pytorch-training:{tag}", recipes) for tag in wanted}
    assert {tag: stand.image if stand else None for tag, stand in found.items()} == wanted


def test_a_framework_without_an_image_is_refused_with_the_lines_to_write() -> None:
    reference = f"{ECR}/pytorch-training:2.1-cpu-py310"
    assert stand_in(reference) is None
    why, remedy = refusal(reference)
    assert why == f"no image of this tool has pytorch 2.1; its images are {', '.join(catalogue())}"
    assert remedy.endswith(f"\nimages:\n  {reference}: python")
    assert refusal(f"{ECR}/xgb:3.0-5")[1].endswith(": xgboost")
