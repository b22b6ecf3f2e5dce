"""Contract 4, L, K and D: the whole log of a fast process, and nothing left after many steps or a SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from conformance.cases import Case, Ran
from conformance.section_1_end import DEAF, OBEYS, OUT, SAY, WRITE, verdicts
from conformance.ways import steps

FAST = 40
LINES = 2000
TALK = f"""
import sys
for number in range({LINES}):
    print("line", number)
sys.stdout.flush()
sys.stderr.write("last words " + sys.argv[1])
"""


def whole_log(ran: Ran) -> None:
    expected = "".join(f"line {number}\n" for number in range(LINES)).encode()
    for number in range(FAST):
        assert ran.stream(step=f"s{number}") == expected
        assert ran.stream("stderr", step=f"s{number}") == f"last words {number}".encode()


SECRET = "a-secret-of-the-spec-5e1c"
LEAVES = (
    SAY
    + WRITE
    + """
open("/opt/ml/processing/input/data/a.csv", "a").write("spoiled")
os.mkdir("/opt/ml/processing/input/data/new", 0o700)
say(os.environ["TOKEN"].encode())
sys.exit(int(sys.argv[1]) % 5 == 4)
"""
)
MANY = 30


def with_a_home_of_its_own(engine: Any, directory: Path) -> Ran:
    """So that whatever a run puts outside of its run directory lies below `own`."""
    own = {name: directory / "own" / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    for folder in own.values():
        folder.mkdir(parents=True)
    program = Path(sys.executable).with_name("run-pipeline")
    done = subprocess.run(
        [program, "run", "-k", "pipeline.yaml"],
        cwd=directory,
        env={**os.environ, **{name: str(path) for name, path in own.items()}},
        capture_output=True,
        timeout=300,
        check=False,
    )
    root = (directory / "runs" / "latest").resolve()
    left = engine.leftovers(root.name)
    return Ran(root, done.returncode, tuple(str(each) for each in left))


def nothing_left(ran: Ran) -> None:
    assert ran.notices == ()
    states = [state for state, _, _ in verdicts(ran).values()]
    assert (states.count("passed"), states.count("failed")) == (MANY * 4 // 5, MANY // 5)
    base = ran.root.parent.parent
    mine = {base / "pipeline.yaml"}
    for path in base.rglob("*"):
        assert path.lstat().st_uid == os.getuid()
        if path.is_file() and not path.is_symlink() and not path.is_relative_to(ran.root) and path not in mine:
            assert SECRET.encode() not in path.read_bytes(), path
    assert list((base / "own" / "TMPDIR").iterdir()) == []
    assert (base / "data" / "a.csv").read_text() == "a"
    assert sorted(path.name for path in base.iterdir()) == ["data", "own", "pipeline.yaml", "runs", "s.py"]


def terminated(engine: Any, directory: Path) -> Ran:
    """SIGTERM to the runner as soon as both steps say that they run; `notices` tell what the engine still holds."""
    program = Path(sys.executable).with_name("run-pipeline")
    process = subprocess.Popen(
        [program, "run", "-j2", "pipeline.yaml"], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until = time.monotonic() + 60
    while len([path for path in directory.glob("runs/2*/steps/*/stdout") if path.stat().st_size]) < 2:
        assert process.poll() is None and time.monotonic() < until, process.stdout and process.stdout.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    process.communicate(timeout=60)
    root = (directory / "runs" / "latest").resolve()
    left = [f"{leftover.kind} {leftover.name}" for leftover in engine.leftovers(root.name)]
    return Ran(root, process.returncode, (*left, *(["slow"] if time.monotonic() - sent > 15 else [])))


def k(ran: Ran) -> None:
    assert ran.notices == ()
    assert json.loads((ran.root / "run.json").read_text())["status"] == "interrupted"
    assert {ran.result(step)["verdict"] for step in ("deaf", "obeys")} == {"cancelled"}
    assert ran.result("obeys")["exit_message"] == "half-way"


CASES = [
    Case(
        name="L a fast process, 40 times", points=("L",), check=whole_log, files={"s.py": TALK},
        pipeline=steps({"script": "s.py"}, **{f"s{number}": {"args": [str(number)]} for number in range(FAST)}),
    ),
    Case(
        name="D after many steps", points=("D",), exit_code=1, check=nothing_left, run=with_a_home_of_its_own,
        files={"s.py": LEAVES, "data/a.csv": "a"},
        pipeline=steps(
            {"script": "s.py", "env": {"TOKEN": SECRET}, "inputs": {"data": "data"}, **OUT},
            **{f"s{number}": {"args": [str(number)]} for number in range(MANY)},
        ),
    ),
    Case(
        name="K SIGTERM to the caller", points=("K", "1.message.stopped"), exit_code=143, check=k, run=terminated,
        files={"obeys.py": OBEYS.replace('say(b"half-way")', 'say(b"half-way")\nprint("up", flush=True)'),
               "deaf.py": DEAF},
        pipeline=steps(obeys={"script": "obeys.py", **OUT}, deaf={"script": "deaf.py"}),
    ),
]  # fmt: skip
