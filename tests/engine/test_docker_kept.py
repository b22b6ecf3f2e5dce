"""Directories of the user's that a script writes in place, and others that more than one thing of a step needs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from engine.launches import Ended, Workbench

from runner.engine.base import BoundOutput, StartMode, StopReason, Verdict
from runner.sagemaker.job import Limits

pytestmark = pytest.mark.docker

KEPT = "/opt/ml/checkpoints"
WRITES = f"""
import os
print(sorted(os.listdir("{KEPT}")), os.path.exists("/.runner/kept"))
print(any("neighbour" in files for root in ("/opt", "/.runner") for _, _, files in os.walk(root)))
os.makedirs("{KEPT}/sub", exist_ok=True)
open("{KEPT}/sub/new", "w").write("x")
os.chmod("{KEPT}/sub/new", 0)
os.remove("{KEPT}/old")
"""


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("user") / "a 'b,c\" \n"
    (root / "kept").mkdir(parents=True)
    (root / "kept" / "old").write_text("old")
    (root / "neighbour").write_text("private")
    return root / "kept"


def run(bench: Workbench, script: str, kept: Path, mode: StartMode, user: str | None = None) -> Ended:
    launch = bench.launch(script, mode=mode, user=user)
    return bench.run(replace(launch, kept=(BoundOutput("checkpoints", KEPT, kept),)))


def test_what_a_script_does_there_stays(bench: Workbench, mode: StartMode, kept: Path) -> None:
    ended = run(bench, WRITES, kept, mode)
    assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
    assert ended.stdout == b"['old'] False\nFalse\n"
    assert sorted(path.name for path in kept.rglob("*")) == ["new", "sub"]
    assert (kept.parent / "neighbour").read_text() == "private"


@pytest.mark.parametrize("user", ["nobody", "12345"])
def test_it_comes_back_from_an_image_with_a_user_of_its_own(bench: Workbench, kept: Path, user: str) -> None:
    script = f"import os\nprint(os.getuid() != 0)\nopen('{KEPT}/new', 'w').write('x')\nraise SystemExit(3)"
    for mode in {StartMode.PLAIN, bench.image.mode}:
        ended = run(bench, script, kept, mode, user)
        assert (ended.outcome.exit_code, ended.stdout) == (3, b"True\n"), ended.stderr
        assert {path.stat().st_uid for path in (kept, *kept.iterdir())} == {os.getuid()}
        assert sorted(path.name for path in kept.iterdir()) == ["new", "old"]
        (kept / "new").unlink()


def test_it_stays_when_the_container_never_got_its_go(bench: Workbench, mode: StartMode, kept: Path) -> None:
    launch = replace(bench.launch("print(1)", mode=mode), kept=(BoundOutput("checkpoints", KEPT, kept),))
    container = bench.engine.prepare(launch)
    container.stop(StopReason.CANCELLED, 0)
    container.remove()
    assert [path.name for path in kept.iterdir()] == ["old"]


def test_it_stays_after_a_kill_at_the_time_out(bench: Workbench, mode: StartMode, kept: Path) -> None:
    script = f"import time\nopen('{KEPT}/new', 'w').write('x')\ntime.sleep(60)"
    launch = bench.launch(script, mode=mode, limits=Limits(timeout=2.0, grace=0.5))
    ended = bench.run(replace(launch, kept=(BoundOutput("checkpoints", KEPT, kept),)))
    assert ended.outcome.verdict is Verdict.TIMEOUT
    assert sorted(path.name for path in kept.iterdir()) == ["new", "old"]


def test_two_inputs_with_one_source_are_private_each(bench: Workbench, mode: StartMode, kept: Path) -> None:
    script = """
import os
root = "/opt/ml/processing/input"
open(f"{root}/one/old", "w").write("changed")
print([open(f"{root}/{name}/old").read() for name in ("one", "two")])
"""
    ended = bench.script(script, mode=mode, inputs={"one": kept, "two": kept})
    assert ended.stdout == b"['changed', 'old']\n", (ended.outcome, ended.stderr)
    assert (kept / "old").read_text() == "old"


def test_modules_on_pythonpath_win_over_early_imports(bench: Workbench, mode: StartMode, kept: Path) -> None:
    """Also when they lie in an input, which a staged interpreter does not have when it starts."""
    (kept / "sqlite3.py").write_text("WHOSE = 'mine'\n")
    (kept / "helper.py").write_text("WHOSE = 'mine too'\n")
    env = (("PYTHONPATH", "/opt/ml/processing/input/lib"),)
    script = "import sqlite3, helper\nprint(sqlite3.WHOSE, helper.WHOSE)"
    ended = bench.script(script, mode=mode, env=env, inputs={"lib": kept}, preimport=("sqlite3",))
    assert ended.stdout == b"mine mine too\n", ended.stderr
    (kept / "sitecustomize.py").write_text("print('at the start')\n")
    ended = bench.script("print('then')", mode=mode, env=env, inputs={"lib": kept})
    assert ended.stdout == b"at the start\nthen\n", ended.stderr
    (kept / "sitecustomize.py").unlink()
    (kept / "sqlite3.py").unlink()
    alone = "import sqlite3, helper\nprint(sqlite3.__name__, helper.WHOSE)"
    ended = bench.script(alone, mode=mode, env=env, inputs={"lib": kept}, preimport=("sqlite3",))
    assert ended.stdout == b"sqlite3 mine too\n", ended.stderr
