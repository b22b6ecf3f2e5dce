"""`watch` on real containers: what a save stops and what it does not, and that no way of ending it leaves anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.workspace import CLI, Workspace, wait_until

pytestmark = pytest.mark.docker

OUT = "/opt/ml/processing/output/out/file"
WRITES = f"open({OUT!r}, 'w').write('old')\n"
WAITS = f"import time\nprint('up', flush=True)\ntime.sleep(600)\n{WRITES}"
HOLDS = """
import os, time
print("up", flush=True)
while not os.path.exists("/opt/ml/checkpoints/go"):
    time.sleep(0.05)
open("/opt/ml/model/file", "w").write("a")
"""
PRODUCES = {"outputs": ["out"]}


def takes(*names: str) -> dict[str, Any]:
    return {**PRODUCES, "inputs": {name: {"from": f"{name}.out"} for name in names}}


class Watched:
    """A `watch` process; its events come one by one."""

    def __init__(self, workspace: Workspace, *words: str) -> None:
        self.workspace = workspace
        with (workspace.root / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [str(CLI), "watch", "pipeline.yaml", "--json-lines", *words],
                cwd=workspace.root,
                env=workspace.env,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def next(self, kind: str, condition: Callable[[dict[str, Any]], bool] = lambda event: True) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == kind and condition(event):
                return dict(event)
        raise AssertionError(f"no {kind}; stderr: {(self.workspace.root / 'stderr').read_text()}")

    def save(self, name: str, text: str) -> None:
        """As most editors do."""
        fresh = self.workspace.root / f".{name}.new"
        fresh.write_text(text)
        fresh.rename(self.workspace.root / name)

    def end(self, signum: int) -> int:
        os.killpg(self.process.pid, signum)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def watch(workspace: Workspace) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def start(steps: dict[str, tuple[str, dict[str, Any]]], *words: str) -> Watched:
        workspace.pipeline(steps)
        made.append(Watched(workspace, *words))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


def left(engine: Any, workspace: Workspace) -> list[Any]:
    runs = {path.name for path in (workspace.root / "runs").glob("2*")}
    return [each for each in engine.leftovers() if each.run_id in runs]


def janitors(workspace: Workspace) -> list[str]:
    runs = {path.name for path in (workspace.root / "runs").glob("2*")}
    lines = [path.read_bytes().split(b"\0") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return [word.decode() for words in lines for word in words if word.decode("utf-8", "replace") in runs]


def read(workspace: Workspace, step: str) -> str:
    return (workspace.root / "runs" / "latest" / "steps" / step / "outputs" / "out" / "file").read_text()


def test_a_stale_container_is_stopped_and_the_new_script_runs(watch, workspace: Workspace, engine: Any) -> None:
    session = watch({"a": (WRITES, PRODUCES), "b": (WAITS, takes("a")), "c": (WRITES, takes("b"))})
    session.next("step-started", lambda event: event["step"] == "b")
    workspace.wait_for("runs/2*/steps/b/stdout")
    session.save("b.py", WRITES.replace("old", "new"))
    result = session.next("step-finished", lambda event: event["result"]["step"] == "b")["result"]
    assert (result["verdict"], result["reason"]) == ("cancelled", "stopped while it ran: b.py changed")
    assert session.next("run-finished")["status"] == "superseded"
    assert session.next("watch-runs")["run"] == ["b", "c"]
    assert session.next("run-finished")["status"] == "passed"
    session.next("watch-waits")
    assert read(workspace, "b") == "new"
    assert not left(engine, workspace)
    assert wait_until(lambda: not janitors(workspace), 10), "none is kept for a run that has ended"
    assert session.end(signal.SIGINT) == 0
    shown = workspace.run("runs").stdout
    assert "superseded" in shown


def test_a_waiting_container_with_old_code_is_exchanged(watch, workspace: Workspace, engine: Any) -> None:
    """The container of `b` stands ready when its script is saved; `a` is not touched."""
    gate = workspace.root / "gate"
    gate.mkdir()
    (gate / "x").write_text("x")
    steps = {
        "a": (HOLDS, {"type": "training", "checkpoints": "kept", "inputs": {"x": "gate"}}),
        "b": (WRITES, {**PRODUCES, "inputs": {"model": {"from": "a.model"}}}),
    }
    session = watch(steps)
    workspace.wait_for("runs/2*/steps/a/stdout")
    workspace.wait_for("runs/2*/steps/b/code/b.py")
    session.save("b.py", WRITES.replace("old", "new"))
    script = workspace.root / "runs" / "latest" / "steps" / "b" / "code" / "b.py"
    assert wait_until(lambda: script.exists() and "new" in script.read_text(), 30)
    (workspace.root / "kept" / "go").write_text("go")
    assert session.next("run-finished")["status"] == "passed"
    assert session.next("watch-runs")["run"] == []
    assert read(workspace, "b") == "new"
    assert session.end(signal.SIGINT) == 0
    assert not left(engine, workspace)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_while_a_step_runs_leaves_nothing(watch, workspace: Workspace, engine: Any, signum: int) -> None:
    session = watch({"a": (WAITS, PRODUCES), "b": (WRITES, takes("a"))})
    workspace.wait_for("runs/2*/steps/a/stdout")
    assert session.end(signum) == (-signal.SIGKILL if signum == signal.SIGKILL else 128 + signum)
    assert wait_until(lambda: not left(engine, workspace), 10), left(engine, workspace)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_while_it_waits_leaves_nothing(watch, workspace: Workspace, engine: Any, signum: int) -> None:
    session = watch({"a": (WRITES, PRODUCES)})
    session.next("watch-waits")
    assert session.end(signum) == {signal.SIGINT: 0, signal.SIGTERM: 143, signal.SIGKILL: -9}[signal.Signals(signum)]
    assert not left(engine, workspace)
    assert wait_until(lambda: not janitors(workspace), 10)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_the_end_in_the_middle_of_a_rerun_leaves_nothing(watch, workspace: Workspace, engine: Any, signum: int) -> None:
    session = watch({"a": (WRITES, PRODUCES), "b": (WRITES, takes("a"))})
    session.next("watch-waits")
    session.save("a.py", WRITES.replace("old", "new"))
    session.next("run-started")
    code = session.end(signum)
    assert code in ((130, 0) if signum == signal.SIGINT else (-9,)), "0 where the run was over already"
    assert wait_until(lambda: not left(engine, workspace), 10), left(engine, workspace)


def test_a_reader_who_leaves_does_not_end_it(watch, workspace: Workspace) -> None:
    session = watch({"a": (WRITES, PRODUCES)})
    session.next("watch-waits")
    assert session.process.stdout is not None
    session.process.stdout.close()
    session.save("a.py", WRITES.replace("old", "new"))
    runs = workspace.root / "runs"
    assert wait_until(lambda: len(list(runs.glob("2*/steps/a/outputs/out/file"))) == 2, 60)
    os.killpg(session.process.pid, signal.SIGTERM)
    assert session.process.wait(60) == 143


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("moment", [0.3, 0.7, 1.1, 1.6])
def test_the_end_at_any_moment_leaves_nothing(
    watch, workspace: Workspace, engine: Any, moment: float, signum: int
) -> None:
    """As the command is imported, as the first containers are made, as they run."""
    session = watch({"a": (WRITES, PRODUCES), "b": (WRITES, takes("a")), "c": (WAITS, takes("b"))})
    time.sleep(moment)
    assert session.end(signum) == (130 if signum == signal.SIGINT else -9)
    assert wait_until(lambda: not left(engine, workspace), 10), left(engine, workspace)
    assert wait_until(lambda: not janitors(workspace), 10)
