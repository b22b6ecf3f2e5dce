"""A module that the image lacks is told before the run, where that is certain; on the fake engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import Gates, Harness, plan_of, step, verdicts

from runner.engine import modules as module_room
from runner.engine.fake import FakeEngine
from runner.errors import EnvironmentFault
from runner.pipeline.events import Notice
from runner.pipeline.scripts import script_of, with_known_lacks
from runner.spec.models import StepSpec
from runner.spec.script import Import, certain_imports

HAS = {"img": {"os", "sys", "logging", "warnings", "numpy"}}
BARE = "module 'xgboost' (s.py:2) is not in image 'img': use image 'xgboost', or add it to requirements.txt"
LACKS = f"{BARE} in a `source_dir`"


def scripted(tmp_path: Path, text: str, **fields: Any) -> StepSpec:
    (tmp_path / "s.py").write_text(text)
    return step(entrypoint=None, script=str(tmp_path / "s.py"), **fields)


def sourced(tmp_path: Path, text: str, **files: str) -> StepSpec:
    source = tmp_path / "src"
    source.mkdir()
    for name, content in {"s.py": text, **files}.items():
        (source / name.replace("__", ".")).write_text(content)
    return step(entrypoint=None, source_dir=str(source), script="s.py")


def warned(tmp_path: Path, spec: StepSpec, **engine: Any) -> list[str]:
    harness = Harness(tmp_path, FakeEngine(modules=HAS, **engine))
    finished = harness.execute(a=spec)
    assert verdicts(finished) == {"a": "passed"}  # it blocks nothing
    notices = [event.message for event in harness.recorder.of(Notice)]
    assert tuple(notices) == finished.results[0].warnings
    return notices


def test_it_is_told_before_the_run(tmp_path: Path) -> None:
    assert warned(tmp_path, scripted(tmp_path, "import os\nimport xgboost as xgb\nfrom numpy import a\n")) == [LACKS]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import xgboost\nexcept ImportError:\n    xgboost = None\n",
        "def train():\n    import xgboost\n",
        "import sys\nsys.path.insert(0, '/opt/x')\nimport xgboost\n",
        "import sys\nif sys.path: pass\nimport xgboost\n",
        "import os\nos.system('pip install xgboost')\nimport xgboost\n",
        "if False:\n    import xgboost\n",
        "raise SystemExit\nimport xgboost\n",
        "def broken(:\n",
    ],
)
def test_what_is_not_certain_is_not_told(tmp_path: Path, text: str) -> None:
    assert warned(tmp_path, scripted(tmp_path, text)) == []


def test_imports_that_are_certain(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text(
        '"""Doc."""\nfrom __future__ import annotations\nimport os, json.decoder\nimport warnings\n'
        "warnings.filterwarnings('ignore')\nLIMIT = 3\n@decorator\ndef f():\n    import inner\n"
    )
    assert certain_imports(path) == (Import("os", 3), Import("json", 3), Import("warnings", 4))
    path.write_text(
        "class A:\n    def f(self):\n        g()\nimport logging\nlog = logging.getLogger('x')\nimport numpy.random\n"
    )
    assert certain_imports(path) == (Import("logging", 4), Import("numpy", 6))


def test_a_neighbour_is_sent_along_by_a_source_dir_only(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").touch()
    alone = warned(tmp_path, scripted(tmp_path, "import helpers\n"))
    assert alone == [
        "module 'helpers' (s.py:1) lies beside the script, which is sent alone: use `source_dir` to send both"
    ]


def test_a_source_dir_brings_its_neighbours_and_its_packages(tmp_path: Path) -> None:
    with_both = sourced(tmp_path, "import helpers\nimport xgboost\n", helpers__py="", requirements__txt="anything\n")
    assert warned(tmp_path, with_both) == []


def test_without_a_requirements_file_it_is_told_of_a_source_dir_too(tmp_path: Path) -> None:
    told = warned(tmp_path, sourced(tmp_path, "import helpers\nimport xgboost\n", helpers__py=""))
    assert told == [BARE]


def test_another_place_for_modules_makes_it_uncertain(tmp_path: Path) -> None:
    assert warned(tmp_path, scripted(tmp_path, "import xgboost\n", env={"PYTHONPATH": "/opt/lib"})) == []


def test_a_training_script_is_looked_at_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import os\nimport xgboost\n")
    spec = StepSpec.model_validate({"type": "training", "image": "img", "script": str(tmp_path / "s.py")})
    engine = FakeEngine(modules=HAS)
    harness = Harness(tmp_path, engine)
    assert [w for w in harness.execute(a=spec).results[0].warnings if "xgboost" in w] == [LACKS]


def test_an_engine_that_cannot_say_blocks_nothing(tmp_path: Path) -> None:
    gates = Gates()
    gates.fail["modules", "img"] = EnvironmentFault("no")
    told = warned(tmp_path, scripted(tmp_path, "import xgboost\n"), hook=gates)
    assert told == ["cannot look which modules image 'img' has: no"]


def test_the_engine_is_asked_for_steps_with_imports_only(tmp_path: Path) -> None:
    engine = FakeEngine(modules=HAS)
    Harness(tmp_path, engine).execute(a=step(), b=scripted(tmp_path, "print(1)\n"))
    assert [point for point, _ in engine.journal if point == "modules"] == []


def test_a_plan_tells_what_an_earlier_run_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_PIPELINE_CACHE_DIR", str(tmp_path / "cache"))
    plan = plan_of(tmp_path, {"a": scripted(tmp_path, "import os\nimport xgboost\n")})
    assert with_known_lacks(plan).steps[0].warnings == ()
    image = FakeEngine().image("img")
    module_room._remember(image)
    module_room.keep(module_room._place(image.id, "python3"), sorted(HAS["img"]))
    assert with_known_lacks(plan).steps[0].warnings == (LACKS,)


def test_the_script_of_a_step(tmp_path: Path) -> None:
    job = plan_of(tmp_path, {"a": scripted(tmp_path, "")}).steps[0].job
    assert script_of(job) == tmp_path / "s.py"
    assert script_of(plan_of(tmp_path, {"a": step()}).steps[0].job) is None
