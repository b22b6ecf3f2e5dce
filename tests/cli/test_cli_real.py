"""The command line against a real engine, as a person types it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

PIPELINE = """\
name: hello
image: python
steps:
  make:
    script: make.py
    env: {PRICE: "pa$sword"}
    outputs: [table]
  use:
    script: use.py
    inputs: {table: {from: make.table}}
    outputs: [report]
"""
MAKE = """\
import os
print("price", os.environ["PRICE"], flush=True)
open("/opt/ml/processing/output/table/t.csv", "w").write("1\\n")
"""
USE = """\
import sys
print(open("/opt/ml/processing/input/table/t.csv").read().strip())
print("boom", file=sys.stderr)
sys.exit(3)
"""
SLOW = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("slow is here", flush=True)
time.sleep(300)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "RUN_PIPELINE_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "make.py").write_text(MAKE)
    (tmp_path / "use.py").write_text(USE)
    return tmp_path


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "runner.cli.main", *arguments]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv(*arguments), capture_output=True, timeout=300, check=False, **options)


def in_terminal(*arguments: str, typed: bytes = b"", after: bytes = b"") -> tuple[int, str]:
    """Run in a terminal of its own; `typed` is typed once `after` is on the screen. Returns status and screen."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, argv(*arguments))
    screen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not data:
            break
        screen += data
        if typed and after in screen:
            os.write(terminal, typed)
            typed = b""
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen.decode()


def test_a_pipeline_whose_second_step_fails(here) -> None:
    done = run("pipeline.yaml")
    text = done.stdout.decode()
    assert done.returncode == 1, text + done.stderr.decode()
    assert "boom" in text
    assert "exit 3" in text
    assert run("logs", "latest", "make").stdout == b"price pa$sword\n"
    assert run("logs", "latest", "use").stderr == b"boom\n"
    assert run("logs", "latest", "use").stdout == b"1\n"


def test_the_rest_of_the_pipeline_from_an_earlier_run(here) -> None:
    assert run("pipeline.yaml").returncode == 1
    (here / "use.py").write_text(
        USE.replace("sys.exit(3)", "open('/opt/ml/processing/output/report/r','w').write('x')")
    )
    done = run("pipeline.yaml", "--only", "use", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["status"]) == (0, "passed")
    assert [step["step"] for step in document["steps"]] == ["use"]


def test_a_terminal_gets_the_board_and_its_cursor_back(here) -> None:
    status, screen = in_terminal("pipeline.yaml")
    assert status == 1
    assert "\x1b[?25l" in screen
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")
    assert "boom" in screen


def test_interrupt_from_the_keyboard(here) -> None:
    (here / "make.py").write_text(SLOW)
    status, screen = in_terminal("pipeline.yaml", "-v", typed=b"\x03", after=b"slow is here")
    assert status == 130
    assert "Traceback" not in screen
    run_id = (here / "runs/latest").readlink().name
    left = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=run-pipeline.run={run_id}"], capture_output=True, check=True
    )
    assert left.stdout == b""
    assert json.loads((here / "runs/latest/run.json").read_bytes())["exit_code"] == 130


def test_stdout_closed_in_mid_run_changes_no_verdict(here) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(argv("pipeline.yaml", "-v"), stdout=write, stderr=subprocess.PIPE, timeout=300, check=False)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.skipif(shutil.which("docker") is None, reason="debug uses the docker command")
def test_debug_is_where_the_step_failed(here) -> None:
    run("pipeline.yaml", "-q")
    done = run("debug", "use", "--command", "cat /opt/ml/processing/input/table/t.csv; exit 7")
    assert (done.returncode, done.stdout) == (7, b"1\n")
    assert "python3 /opt/ml/processing/input/code/use.py" in done.stderr.decode()
    env = run("debug", "make", "--command", 'echo "$PRICE"')
    assert (env.returncode, env.stdout) == (0, b"pa$sword\n")


@pytest.mark.skipif(shutil.which("docker") is None, reason="debug uses the docker command")
def test_debug_opens_a_shell_in_a_terminal(here) -> None:
    run("pipeline.yaml", "-q")
    status, screen = in_terminal("debug", "use", typed=b"test -t 0 && exit 9\n", after=b"the command of this step")
    assert status == 9
    assert "use failed" in screen


def test_debug_without_a_terminal_names_the_way_out(here) -> None:
    run("pipeline.yaml", "-q")
    done = run("debug", "use", stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    run_id = (here / "runs/latest").readlink().name
    assert f"run-pipeline debug use --run {run_id} --command" in done.stderr.decode()


def test_clean_after_a_killed_run(here) -> None:
    (here / "make.py").write_text(SLOW)
    process = subprocess.Popen(argv("pipeline.yaml", "-v"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    while b"slow is here" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert run("runs").stdout.decode().split()[-1] != "running"
    assert "died" in run("show").stdout.decode()
    assert run("clean", "--runs").returncode == 0
    assert run("runs").stdout == b"no runs in runs\n"
