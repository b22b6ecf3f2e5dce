"""Which modules an image has, and what of a script's imports it lacks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from runner.agent import modules_source
from runner.engine import modules as module_room
from runner.engine.base import Image, StartMode
from runner.engine.docker import DockerEngine
from runner.engine.modules import Lack, cure, known_modules, lacking, offered
from runner.errors import EnvironmentFault
from runner.spec.packages import module_of, package_of, required
from runner.spec.script import Import

HAS = frozenset({"os", "sys", "numpy"})


def test_what_is_certain_and_not_there_is_lacking() -> None:
    imports = (Import("os", 1), Import("xgboost", 3), Import("numpy", 4))
    assert lacking(imports, HAS, None) == (Lack("xgboost", 3),)
    assert lacking(imports, frozenset(), None) == ()  # nobody knows what the image has


@pytest.mark.parametrize(
    "text", ["pandas\n", "-r other.txt\n", "./local\n", "# x\nscikit-learn==1.0  # why\n", "git+https://x\n"]
)
def test_any_package_may_bring_any_module(text: str) -> None:
    assert lacking([Import("xgboost", 3)], HAS, text) == ()


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n   \n"])
def test_a_requirements_file_that_asks_for_nothing_brings_nothing(text: str) -> None:
    assert lacking([Import("xgboost", 3)], HAS, text) == (Lack("xgboost", 3),)


def test_images_that_have_a_module() -> None:
    assert offered("xgboost") == ("xgboost",)
    assert offered("sklearn") == offered("yaml") == ("sklearn", "xgboost")
    assert offered("PIL") == offered("dateutil") == ("xgboost",)
    assert offered("nonesuch") == ()


def test_the_cure_names_image_and_package() -> None:
    assert cure("xgboost", "sklearn", with_file=True) == "use image 'xgboost', or add it to requirements.txt"
    assert cure("yaml", "sklearn", with_file=False) == (
        "use image 'xgboost', or add it to requirements.txt (as PyYAML) in a `source_dir`"
    )
    assert cure("nonesuch", "python", with_file=True) == "add it to requirements.txt"


def test_packages_and_their_modules() -> None:
    assert [package_of(name) for name in ("sklearn", "cv2", "pandas")] == [
        "scikit-learn", "opencv-python-headless", "pandas",
    ]  # fmt: skip
    assert [module_of(name) for name in ("Scikit_Learn", "xgboost-cpu", "my-thing")] == [
        "sklearn",
        "xgboost",
        "my_thing",
    ]
    assert required("# c\n-r x\nnumpy==2  # why\npandas[all]>=1 ; python_version > '3'\n./x\n") == ("numpy", "pandas")


def test_the_program_is_python_3_7_and_lists_what_this_interpreter_has(tmp_path: Path) -> None:
    ast.parse(modules_source(), feature_version=(3, 7))
    (tmp_path / "space" / "inner").mkdir(parents=True)
    (tmp_path / "space" / "inner" / "x.py").touch()
    (tmp_path / "single.py").touch()
    for version, flags in (("with", ()), ("without metadata", ("-c",))):
        program = modules_source() if version == "with" else "import sys\nsys.modules['importlib.metadata'] = None\n"
        program += "" if version == "with" else modules_source()
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONPATH": str(tmp_path)}
        )
        names = set(ast.literal_eval(done.stdout.decode()))
        assert {"space", "single", "sys", "os", "json", "pytest", "yaml"} <= names, flags
        assert "nonesuch" not in names


@pytest.mark.docker
def test_an_image_is_asked_once(engine: DockerEngine, python_image: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUN_PIPELINE_CACHE_DIR", str(tmp_path))
    image = engine.image("python")
    assert known_modules("python", "python3") == frozenset()
    found = engine.modules(image, "python3")
    assert {"os", "sys", "json", "_socket", "unittest", "pip"} <= found
    assert not {"pandas", "xgboost", "sklearn", "runner", "msvcrt"} & found

    def never(*_: object, **__: object) -> None:
        raise AssertionError("asked twice")

    monkeypatch.setattr(module_room, "ask", never)
    assert engine.modules(image, "python3") == found
    assert known_modules("python", "python3") == found


@pytest.mark.docker
def test_what_an_image_has_is_what_it_can_import(
    engine: DockerEngine, xgboost_image: str, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("RUN_PIPELINE_CACHE_DIR", str(tmp_path))
    found = engine.modules(engine.image("xgboost"), "python3")
    assert {"xgboost", "sklearn", "pandas", "numpy", "PIL", "yaml", "dateutil", "mpl_toolkits", "boto3"} <= found


@pytest.mark.docker
def test_an_interpreter_that_is_not_there_is_nobodys_fault(engine: DockerEngine, python_image: str) -> None:
    image = engine.image("python")
    assert engine.modules(image, "python9") == frozenset()
    cold = Image(
        **{field: getattr(image, field) for field in image.__slots__} | {"python": None, "mode": StartMode.COLD}
    )
    assert engine.modules(cold, "python3") == frozenset()
    gone = Image(**{field: getattr(image, field) for field in image.__slots__} | {"id": "sha256:" + "0" * 64})
    with pytest.raises(EnvironmentFault):
        engine.modules(gone, "python3")
