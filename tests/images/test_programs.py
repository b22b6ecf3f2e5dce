"""Which of SageMaker's programs an image has, without starting it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conformance.ways import small_image

pytestmark = pytest.mark.docker

PATH = "ENV PATH=/opt/own/bin:relative:/usr/bin:/bin"
HAS = [
    ({"usr/local/bin/serve": "x"}, ("RUN chmod 755 /usr/local/bin/serve",), ("serve",)),
    ({}, ("RUN ln -s /bin/true /usr/local/bin/train",), ("train",)),
    ({"opt/own/bin/serve": "x"}, ("RUN chmod 755 /opt/own/bin/serve",), ()),
    ({"opt/own/bin/serve": "x"}, ("RUN chmod 755 /opt/own/bin/serve", PATH), ("serve",)),
    ({"usr/local/bin/serve": "x"}, (), ()),
    ({"usr/local/bin/train/file": "x"}, ("RUN ln -s /nowhere /usr/local/bin/serve",), ()),
]


@contextmanager
def built(engine: Any, files: dict[str, str], instructions: tuple[str, ...]) -> Iterator[Any]:
    with small_image(instructions, files) as reference:
        yield engine.image(reference)


@pytest.mark.parametrize(("files", "instructions", "found"), HAS)
def test_the_programs_on_an_images_path(
    engine: Any, files: dict[str, str], instructions: tuple[str, ...], found: tuple[str, ...]
) -> None:
    with built(engine, files, instructions) as image:
        assert image.programs == found
        assert engine.image(image.reference).programs == found  # from the cache


def test_an_image_without_python_is_looked_at_too(engine: Any) -> None:
    remove = "RUN rm -f /usr/bin/python3* /usr/local/bin/python* /opt/venv/bin/python*"
    with built(engine, {"usr/bin/serve": "x"}, ("RUN chmod 755 /usr/bin/serve", remove)) as image:
        assert (image.python, image.programs) == (None, ("serve",))


def test_the_images_of_the_project(engine: Any, python_image: str, xgboost_inference_image: str) -> None:
    assert engine.image("python").programs == ()
    assert engine.image("xgboost-inference").programs == ("serve",)
