"""SIGKILL of the runner at any moment: nothing of it stays, and the next run starts clean."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from faults.workspace import Workspace, wait_until

pytestmark = pytest.mark.docker

PRODUCER = """
import pathlib, time
print("up", flush=True)
time.sleep(0.4)
pathlib.Path("/opt/ml/processing/output/out/file").write_text("x")
"""
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PRODUCER


def diamond(workspace: Workspace) -> None:
    out = {"outputs": ["out"]}
    steps: dict[str, tuple[str, dict[str, Any]]] = {"a": (PRODUCER, out)}
    for name in ("b", "c"):
        steps[name] = (DEAF, {**out, "inputs": {"data": {"from": "a.out"}}})
    steps["d"] = (PRODUCER, {**out, "inputs": {"left": {"from": "b.out"}, "right": {"from": "c.out"}}})
    workspace.pipeline(steps)


def ours(engine: Any, workspace: Workspace) -> list[Any]:
    """What the engine holds of the runs in this workspace."""
    runs = {path.name for path in (workspace.root / "runs").glob("2*")}
    return [each for each in engine.leftovers() if each.run_id in runs]


@pytest.mark.parametrize("moment", [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5])
def test_nothing_is_left_after_a_sigkill(workspace: Workspace, engine: Any, moment: float) -> None:
    diamond(workspace)
    process = workspace.start("run", "pipeline.yaml")
    time.sleep(moment)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert wait_until(lambda: not ours(engine, workspace), 2.0 + 3.0), ours(engine, workspace)
    for published in (workspace.root / "runs").glob("2*/steps/*/outputs/*"):
        assert list(published.iterdir()), f"{published} was published half-written"
    code, document = workspace.document()
    assert code == 0, document
    assert {step["verdict"] for step in document["steps"]} == {"passed"}


def test_containers_of_a_killed_runner_are_gone_in_two_seconds(workspace: Workspace, engine: Any) -> None:
    """Also when its process group is killed with it, and the script ignores SIGTERM."""
    diamond(workspace)
    process = workspace.start("run", "pipeline.yaml", "-j", "2")
    workspace.wait_for("runs/2*/steps/b/stdout")
    os.killpg(process.pid, signal.SIGKILL)
    killed = time.monotonic()
    process.communicate()
    assert wait_until(lambda: not ours(engine, workspace), 10.0)
    assert time.monotonic() - killed < 2.0
    shown = workspace.run("runs").stdout
    assert "died" in shown
