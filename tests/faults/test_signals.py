"""Ctrl-C and its kin: everything stops, the exit code says which signal, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest
from faults.workspace import Workspace

pytestmark = pytest.mark.docker

DEAF = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print("up", flush=True)
time.sleep(120)
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_everything(workspace: Workspace, engine: Any, signum: signal.Signals, code: int) -> None:
    workspace.pipeline({"deaf": (DEAF, {}), "next": ("print(1)", {"depends_on": ["deaf"]})})
    process = workspace.start("run", "pipeline.yaml", "--json")
    workspace.wait_for("runs/2*/steps/deaf/stdout")
    os.kill(process.pid, signum)
    sent = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert time.monotonic() - sent < 10
    run = next(path.name for path in (workspace.root / "runs").glob("2*"))
    assert engine.leftovers(run) == []
    document = json.loads(out)
    assert document["exit_code"] == code
    result = json.loads((workspace.root / "runs" / run / "steps" / "deaf" / "result.json").read_text())
    assert result["verdict"] == "cancelled"
    assert json.loads((workspace.root / "runs" / run / "run.json").read_text())["status"] == "interrupted"


def test_a_second_interrupt_does_not_wait(workspace: Workspace, engine: Any) -> None:
    workspace.pipeline({"deaf": (DEAF, {"stop_grace": 60})})
    process = workspace.start("run", "pipeline.yaml")
    workspace.wait_for("runs/2*/steps/deaf/stdout")
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_closed_pipe_does_not_leave_containers(workspace: Workspace, engine: Any) -> None:
    """`run-pipeline FILE | head -1`"""
    workspace.pipeline({name: ("print('x' * 100)", {}) for name in ("a", "b", "c")})
    process = workspace.start("run", "pipeline.yaml", "-v")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=120)
    run = next(path.name for path in (workspace.root / "runs").glob("2*"))
    assert engine.leftovers(run) == []
    assert "Traceback" not in (process.stderr.read() if process.stderr else "")


@pytest.mark.parametrize("size", [1_310_000, 1_350_000, 1_400_000])
def test_a_suspended_runner_loses_no_byte(workspace: Workspace, size: int) -> None:
    """The engine closes the streams of an ended container soon, whether its client has read them or not."""
    script = f"import os, time\nprint('up', flush=True)\ntime.sleep(1)\nos.write(1, b'x' * {size})"
    workspace.pipeline({"writes": (script, {})})
    process = workspace.start("run", "pipeline.yaml")
    log = workspace.wait_for("runs/2*/steps/writes/stdout")
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert log.stat().st_size == size + 3
