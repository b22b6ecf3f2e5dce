"""No test changes what the next one finds, and each verdict is true: in real containers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from testing.workspaces import COPY, files, put

from runner import RuntimeTester, RuntimeTestingConfiguration, ScriptExecutionSpec, ScriptTestResult
from runner.engine import connect

pytestmark = pytest.mark.docker

HEAD = """\
import os, shutil, sys, time
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    data, out = Path(input_paths["data_input"]), Path(output_paths["data_output"])
    for file in sorted(data.rglob("*.csv")):
        shutil.copyfile(file, out / file.name)
"""
UNRULY = {
    "sys.exit(0)": ("sys.exit(0)", True, 0),
    "sys.exit(3)": ("sys.exit(3)", False, 3),
    "os._exit(0)": ("os._exit(0)", True, 0),
    "os._exit(5)": ("os._exit(5)", False, 5),
    "a daemon": ("if os.fork() == 0:\n        os.setsid()\n        time.sleep(600)", True, 0),
    "another directory": ("os.chdir('/tmp')\n    Path('left').write_text('x')", True, 0),
    "its input deleted": ("shutil.rmtree(data, ignore_errors=True)\n    [f.unlink() for f in data.glob('*')]", True, 0),
    "standard library patched": ("import json\n    json.dumps = None\n    shutil.copyfile = None", True, 0),
    "killed by itself": ("os.kill(os.getpid(), 9)", False, 137),
}
"""What a script does at its end, whether it passes, and its exit status."""


@pytest.fixture
def project(tmp_path, monkeypatch, python_image):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "scripts/plain.py", COPY)
    put(tmp_path / "in/table.csv", "id\n1\n")
    return tmp_path


def spec(name: str, **more: Any) -> ScriptExecutionSpec:
    fields = {
        "script_name": name,
        "input_paths": {"data_input": "in"},
        "output_paths": {"data_output": f"out/{name}"},
        "image": "python",
    }
    return ScriptExecutionSpec.model_validate({**fields, **more})


def comparable(result: ScriptTestResult) -> dict[str, Any]:
    """Without times, and without where the run was."""
    found = result.to_dict()
    for name in ("execution_time", "run_dir", "stdout_path", "stderr_path"):
        found.pop(name)
    return found


@pytest.mark.parametrize("way", UNRULY)
def test_unruly_script_harms_no_other(project, way):
    text, passes, status = UNRULY[way]
    put(project / "scripts/unruly.py", f"{HEAD}    {text}\n")
    tester = RuntimeTester("w")
    before = comparable(tester.test_script_with_spec(spec("plain")))
    started = time.monotonic()
    found = tester.test_script_with_spec(spec("unruly"))
    assert time.monotonic() - started < 60, "a daemon that it leaves is not waited for"
    assert (found.success, found.exit_code) == (passes, status), str(found)
    if passes:
        assert files(project / "out/unruly")[-1] == "table.csv"
    else:
        assert not (project / "out/unruly").exists()
    assert files(project / "in") == ["table.csv"], "the user's own data is never touched"
    assert comparable(tester.test_script_with_spec(spec("plain"))) == before
    assert json.dumps([1]) == "[1]", "nothing runs in this process"


def test_same_test_twice(project):
    put(project / "scripts/fails.py", f"{HEAD}    raise KeyError('no such thing')\n")
    tester = RuntimeTester("w")
    for name in ("plain", "fails"):
        first, second = (comparable(tester.test_script_with_spec(spec(name))) for _ in range(2))
        assert first == second
    a, b = spec("plain"), spec("fails", input_paths={"data_input": "out/plain"})
    edges = [tester.test_data_compatibility_with_specs(a, b) for _ in range(2)]
    assert edges[0].compatibility_issues == edges[1].compatibility_issues
    assert edges[0].schemas == edges[1].schemas


TWO = """\
import json, sys
from runner import RuntimeTester, ScriptExecutionSpec

who = sys.argv[1]
tester = RuntimeTester("w")
found = []
for turn in range(4):
    spec = ScriptExecutionSpec(
        script_name="plain", step_name=f"plain_{who}", input_paths={"data_input": f"in_{who}"},
        output_paths={"data_output": f"out_{who}"}, image="python",
    )
    tester.builder.save_script_spec(spec)
    result = tester.test_script_with_spec(spec)
    flow = tester.test_pipeline_flow({"steps": {
        "one": {"script": "plain.py", "inputs": {"data_input": f"in_{who}"}, "outputs": {"data_output": f"flow_{who}"},
                "image": "python"},
        "two": {"script": "plain.py", "inputs": {"data_input": f"flow_{who}"}, "image": "python",
                "outputs": {"data_output": f"end_{who}"}},
    }})
    found.append([result.success, flow["pipeline_success"], str(result), str(flow["result"])])
print(json.dumps(found))
"""


def test_two_testers_in_one_workspace(project):
    put(project / "two.py", TWO)
    for who in "ab":
        put(project / f"in_{who}/table.csv", f"id\n{who}\n")
    running = [
        subprocess.Popen([sys.executable, "two.py", who], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for who in "ab"
    ]
    for who, process in zip("ab", running, strict=True):
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert [each[:2] for each in json.loads(out)] == [[True, True]] * 4, out
        for place in (f"out_{who}", f"end_{who}"):
            assert (project / place / "table.csv").read_text() == f"id\n{who}\n", "each has its own data"
    assert list((project / "w/runs").iterdir()) == []
    assert list((project / "w").glob(".test-*")) == []


INTERRUPTED = """\
import sys
from runner import RuntimeTester, ScriptExecutionSpec

tester = RuntimeTester("w")
spec = ScriptExecutionSpec(
    script_name="sleeps", input_paths={"data_input": "in"}, output_paths={"data_output": "out"}, image="python"
)
try:
    tester.test_script_with_spec(spec)
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(7)
"""


def test_nothing_is_left_of_an_interrupted_test(project):
    put(project / "scripts/sleeps.py", f"{HEAD}    print('ready', flush=True)\n    time.sleep(600)\n")
    put(project / "one.py", INTERRUPTED)
    process = subprocess.Popen([sys.executable, "one.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run = _run_that_is_ready(project)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (7, "interrupted\n"), err
    assert files(project / "w") == []
    assert sorted(path.name for path in (project / "w").iterdir()) == [".specs", "runs"]
    assert list((project / "w/runs").iterdir()) == [], "no run, no `latest`"
    assert not (project / "out").exists()
    engine = connect()
    try:
        assert engine.leftovers(run) == []
    finally:
        engine.close()


def test_nothing_is_left_of_an_interrupted_command(project):
    put(project / "scripts/sleeps.py", f"{HEAD}    print('ready', flush=True)\n    time.sleep(600)\n")
    RuntimeTester("w").builder.save_script_spec(spec("sleeps"))
    program = Path(sys.executable).parent / "run-pipeline"
    process = subprocess.Popen(
        [str(program), "test-script", "sleeps", "--workspace-dir", "w"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _run_that_is_ready(project)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert list((project / "w/runs").iterdir()) == []


def _run_that_is_ready(project: Path) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for path in (project / "w").glob("runs/2*/steps/sleeps/stdout"):
            if b"ready" in path.read_bytes():
                return path.parts[-4]
        time.sleep(0.05)
    raise AssertionError("the script never started")


def test_cleanup_off_keeps_an_interrupted_run(project, monkeypatch):
    """For the person who debugs: `cleanup_after_test` decides here, too."""
    from runner.pipeline.execute import Run

    real = Run.execute

    def interrupted(self: Run) -> Any:
        real(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "execute", interrupted)
    for keep in (True, False):
        config = RuntimeTestingConfiguration(workspace_dir="w", cleanup_after_test=not keep)
        with pytest.raises(KeyboardInterrupt):
            RuntimeTester(config).test_script_with_spec(spec("plain"))
        assert len(list((project / "w/runs").glob("2*"))) == 1, "the first stays, of the second nothing does"
    assert os.path.lexists(project / "w/runs/latest") is False
