"""A training job's checkpoints: kept both ways, in every start mode and whatever the verdict, and never archived."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

from conformance.cases import Case, Ran, execute
from conformance.section_2_training import STEP, packed
from conformance.section_10_trace import says

from runner.engine.base import StartMode

KEEPS = """
import json, os, signal, sys, time
kept = '/opt/ml/checkpoints'
before = sorted(os.listdir(kept))
print(json.dumps(before))
open(os.path.join(kept, 'epoch-%d' % len(before)), 'w').write('kept')
open('/opt/ml/model/m', 'w').write('m')
sys.stdout.flush()
if len(before) == 1:
    raise SystemExit(3)
if len(before) == 2:
    time.sleep(60)
if len(before) == 3:
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(9)  # of PID 1, as it is without an agent, that signal does not come through
"""


@dataclasses.dataclass
class InMode:
    """The engine, with images that start in another way."""

    engine: Any
    mode: StartMode

    def image(self, reference: str) -> Any:
        return dataclasses.replace(self.engine.image(reference), mode=self.mode)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


def _attempts(mode: StartMode) -> Any:
    """Four attempts in one mode: failed, timed out, killed, passed; then the reproduction of the last."""

    def run(engine: Any, directory: Path) -> Ran:
        verdicts = []
        for number in range(1, 5):
            ran = execute(InMode(engine, mode), directory)
            verdicts.append(ran.result()["verdict"])
            assert ran.result()["mode"] == mode
            assert json.loads(ran.stream()) == sorted(["seed", *(f"epoch-{n}" for n in range(1, number))])
        assert verdicts == ["exit", "timeout", "exit", "passed"]
        kept = directory / "state" / "kept"
        before = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
        assert sorted(before) == ["epoch-1", "epoch-2", "epoch-3", "epoch-4", "seed"]
        script = ran.root / "steps" / "s" / "reproduce.sh"
        again = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
        assert (again.returncode, json.loads(again.stdout)) == (0, sorted(before))
        assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == before
        return ran

    return run


def _kept(ran: Ran) -> None:
    assert packed(ran, "model") == {"m": b"m"}
    assert packed(ran, "output") == {}
    job = json.loads((ran.root / "steps" / "s" / "job.json").read_text())
    assert job["checkpoints"] == str(ran.root.parent.parent / "state" / "kept")


def _checkpoints(mode: StartMode) -> Case:
    return Case(
        name=f"2.path.checkpoints, {mode}",
        points=("2.path.checkpoints",),
        pipeline=f"{STEP}    checkpoints: state/kept\n    timeout: 3s\n    stop_grace: 1s\n",
        files={"train.py": KEEPS, "state/kept/seed": "s"},
        run=_attempts(mode),
        check=_kept,
    )


WRITES = """
import os
os.makedirs("/opt/ml/checkpoints", exist_ok=True)
os.chdir("/")  # a path relative to it
open("opt/ml/checkpoints/1", "w").write("1")
open("/opt/ml/model/m", "w").write("1")
"""

CASES = [
    *(_checkpoints(mode) for mode in StartMode),
    Case(
        name="trace: checkpoints that nobody keeps",
        points=("2.path.checkpoints",),
        pipeline="name: trace\nimage: python\nsteps:\n  s: {type: training, script: s.py}\n",
        files={"s.py": WRITES},
        check=says("outputs (`checkpoints: DIRECTORY` keeps /opt/ml/checkpoints): /opt/ml/checkpoints/1"),
    ),
    Case(
        name="trace: checkpoints that are kept",
        points=("2.path.checkpoints",),
        pipeline="name: trace\nimage: python\nsteps:\n  s: {type: training, script: s.py, checkpoints: kept}\n",
        files={"s.py": WRITES},
        check=says(),
    ),
]
