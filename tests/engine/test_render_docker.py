"""The scripts beside a step's results, run for real."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine.launches import Workbench

from runner.engine.base import Launch
from runner.engine.render import docker_argv, reproduce_script, shell_script

pytestmark = pytest.mark.docker

SEES = """
import json, os, socket, sys
inputs = {path: sorted(os.listdir(path)) for path in ("/opt/ml/processing/input/data", "/opt/ml/processing/output/out")}
limit = open("/sys/fs/cgroup/memory/memory.limit_in_bytes").read() if os.path.exists(
    "/sys/fs/cgroup/memory/memory.limit_in_bytes") else ""
print(json.dumps([sys.argv, dict(os.environ), os.getcwd(), socket.gethostname(), socket.gethostbyname("algo-1"),
                  os.getuid(), inputs, limit]))
"""
WRITES = """
import os, sys
print("out", end="")
print("err", end="", file=sys.stderr)
with open("/opt/ml/processing/input/data/given", "a") as file: file.write(" changed")
os.makedirs("/opt/ml/processing/output/out/deep", mode=0o700)
with open("/opt/ml/processing/output/out/deep/made", "w") as file: file.write("made")
os.chmod("/opt/ml/processing/output/out/deep/made", 0o400)
with open("/opt/ml/output/message", "w") as file: file.write("bye")
sys.exit(7)
"""
WAITS = """
import signal, sys, time
for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(each, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(300)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "steps" / "Up" / "outputs" / "o"
    path.mkdir(parents=True)
    (path / "given").write_text("given")
    return path


def written(text: str, launch: Launch, name: str = "reproduce.sh") -> Path:
    path = launch.scratch.parent / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def bash(script: Path, *options: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", script, *options], capture_output=True, timeout=120, **more)


def result(script: Path) -> Path:
    (found,) = script.parent.glob(f"{script.stem}.??????")
    return found


def left_by(pid: int) -> str:
    """Containers that the script with this process id made."""
    listing = ["docker", "ps", "--all", "--quiet", "--filter", f"name=run-pipeline-by-hand-{pid}-"]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout


def test_script_sees_what_it_saw_in_the_run(bench: Workbench, data: Path) -> None:
    launch = bench.launch(
        SEES,
        args=("a b", "$HOME", "é\n'\"", ""),
        env=(("PLAIN", "pa$sw`o'rd"), ("EMPTY", ""), ("LINES", "a\nb\n")),
        inputs={"data": data},
    )
    ours = bench.run(launch)
    assert ours.outcome.exit_code == 0, (ours.outcome, ours.stderr)
    done = bash(written(reproduce_script(launch), launch))
    assert (done.returncode, ours.outcome.exit_code) == (0, 0), (done.stderr, ours.stderr)
    assert json.loads(done.stdout) == json.loads(ours.stdout)
    assert json.loads(done.stdout)[1]["LINES"] == "a\nb\n"


def test_docker_argv_runs_the_same_container(bench: Workbench, data: Path) -> None:
    launch = bench.launch(SEES, args=("a b", "$HOME"), env=(("PLAIN", "pa$s\n"),), inputs={"data": data})
    ours = bench.run(launch)
    assert ours.outcome.exit_code == 0, (ours.outcome, ours.stderr)
    done = subprocess.run(docker_argv(launch), capture_output=True, timeout=120)
    assert json.loads(done.stdout) == json.loads(ours.stdout), done.stderr


def test_inputs_are_private_and_outputs_are_fresh(bench: Workbench, data: Path) -> None:
    launch = bench.launch(WRITES, inputs={"data": data})
    launch = replace(launch, job=replace(launch.job, exit_message="/opt/ml/output/message"))
    (launch.outputs[0].host / "old").write_text("of the run")
    script = written(reproduce_script(launch), launch)
    done = bash(script)
    assert done.returncode == 7
    assert done.stdout == b"out"
    assert done.stderr.startswith(b"err")
    made = result(script)
    assert (made / "outputs" / "0-out" / "deep" / "made").read_text() == "made"
    assert not (made / "outputs" / "0-out" / "old").exists()
    assert (made / "config" / "1" / "message").read_text() == "bye"
    assert str(made / "config" / "1" / "message").encode() in done.stderr
    assert (data / "given").read_text() == "given"
    assert [path.name for path in launch.outputs[0].host.iterdir()] == ["old"]


def test_what_was_read_only_is_so_by_hand(bench: Workbench, data: Path) -> None:
    """Also with another mount inside, whose directory the input lacks."""
    script = """
import errno, os
open("/opt/ml/processing/input/data/in/side/f", "w").write("made")
try:
    open("/opt/ml/processing/input/data/given", "a")
except OSError as error:
    print(error.errno == errno.EROFS, sorted(os.listdir("/opt/ml/processing/input/data")))
"""
    launch = bench.launch(script, inputs={"data": data}, private="read-only")
    inside = replace(launch.outputs[0], target="/opt/ml/processing/input/data/in/side")
    launch = replace(launch, outputs=(inside,))
    made = written(reproduce_script(launch), launch)
    done = bash(made)
    assert (done.returncode, done.stdout) == (0, b"True ['given', 'in']\n"), done.stderr
    assert (result(made) / "outputs/0-out/f").read_text() == "made"
    assert [path.name for path in data.iterdir()] == ["given"]


def test_docker_argv_does_not_let_an_input_change(bench: Workbench, data: Path) -> None:
    done = subprocess.run(docker_argv(bench.launch(WRITES, inputs={"data": data})), capture_output=True, timeout=120)
    assert done.returncode == 1
    assert b"Read-only file system" in done.stderr
    assert (data / "given").read_text() == "given"


def test_moved_run_directory_with_an_odd_name(bench: Workbench, data: Path, odd_dir: Path) -> None:
    launch = bench.launch(WRITES, inputs={"data": data})
    script = written(reproduce_script(launch), launch)
    moved = odd_dir / "run, moved\n"
    shutil.move(bench.root, moved)
    try:
        script = moved / script.relative_to(bench.root)
        done = bash(script)
        assert done.returncode == 7, done.stderr
        assert (result(script) / "outputs" / "0-out" / "deep" / "made").exists()
    finally:
        shutil.move(moved, bench.root)


def test_input_inside_an_input(bench: Workbench, data: Path) -> None:
    launch = bench.launch("print(open('/opt/ml/processing/input/given').read())", inputs={"data": data})
    launch = replace(
        launch, inputs=tuple(replace(each, target=each.target.removesuffix("/data")) for each in launch.inputs)
    )
    done = bash(written(reproduce_script(launch), launch))
    assert done.stdout == b"given\n", done.stderr
    assert [path.name for path in data.iterdir()] == ["given"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_container(bench: Workbench, signum: signal.Signals) -> None:
    launch = bench.launch(WAITS)
    script = written(reproduce_script(launch), launch)
    process = subprocess.Popen(["bash", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, signum)  # as a terminal does: to the script and to the client
    assert process.wait(60) == 128 + signum
    process.communicate()
    assert left_by(process.pid) == ""


def test_a_signal_before_the_container_exists_leaves_none(bench: Workbench) -> None:
    launch = bench.launch(WAITS)
    script = written(reproduce_script(launch), launch)
    process = subprocess.Popen(["bash", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not list(script.parent.glob("reproduce.??????")) and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    process.communicate()
    assert left_by(process.pid) == ""


def test_image_that_is_gone(bench: Workbench) -> None:
    launch = bench.launch("pass")
    launch = replace(launch, image=replace(launch.image, id="sha256:" + "0" * 64))
    script = written(reproduce_script(launch), launch)
    done = bash(script)
    assert done.returncode == 125
    assert b"name another with --image" in done.stderr
    assert bash(script, "--image", bench.image.reference).returncode == 0


@pytest.fixture
def own_user_image(python_image: str) -> Iterator[str]:
    """The Python image with a USER that is not root."""
    tag = f"run-pipeline-test/own-user:{os.getpid()}"
    docker = ["docker"]
    created = subprocess.run(
        [*docker, "create", python_image], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        change = [*docker, "commit", "--change", "USER 4321:4321", created, tag]
        subprocess.run(change, capture_output=True, check=True)
    finally:
        subprocess.run([*docker, "rm", created], capture_output=True, check=True)
    yield tag
    subprocess.run([*docker, "rmi", tag], capture_output=True, check=True)


def test_image_with_a_user_of_its_own(engine: Any, tmp_path: Path, own_user_image: str) -> None:
    bench = Workbench(engine, tmp_path, engine.image(own_user_image))
    launch = bench.launch("import os; open('/opt/ml/processing/output/out/x', 'w').write(str(os.getuid()))")
    script = written(reproduce_script(launch), launch)
    assert bash(script).returncode == 0
    assert (result(script) / "outputs" / "0-out" / "x").read_text() == "4321"


@pytest.fixture
def ordinary() -> Iterator[dict[str, Any]]:
    """How to start a process as a user who is not root but may use the engine, with a directory of its own."""
    socket = Path("/var/run/docker.sock")
    if os.getuid() != 0 or not socket.exists():
        pytest.skip("needs root, to become an ordinary user, and the engine's own socket")
    home = Path(tempfile.mkdtemp(prefix="ordinary-"))
    os.chown(home, 4322, 4322)
    yield {"user": 4322, "group": 4322, "extra_groups": [socket.stat().st_gid], "cwd": home, "env": _environment(home)}
    shutil.rmtree(home)


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def test_files_belong_to_an_ordinary_user(bench: Workbench, data: Path, ordinary: dict[str, Any]) -> None:
    home: Path = ordinary["cwd"]
    launch = bench.launch(WRITES, inputs={"data": data})
    step = shutil.copytree(launch.scratch.parent, home / "steps" / launch.scratch.parent.name)
    shutil.copytree(data.parent.parent, home / "steps" / "Up")
    script = step / "reproduce.sh"
    script.write_text(reproduce_script(launch))
    subprocess.run(["chown", "-R", "4322:4322", home], check=True)
    done = bash(script, **ordinary)
    assert done.returncode == 7, done.stderr
    made = result(script)
    assert (made / "outputs" / "0-out" / "deep" / "made").exists()
    assert {path.lstat().st_uid for path in (made, *made.rglob("*"))} == {4322}


def test_shell_takes_commands_from_a_pipe(bench: Workbench, data: Path) -> None:
    launch = bench.launch(SEES, env=(("K", "v v"),), inputs={"data": data}, working_dir="/opt/ml/processing/input")
    script = written(shell_script(launch), launch, "shell.sh")
    commands = b'echo "$K"; pwd; cat data/given; echo x > /opt/ml/processing/output/out/x; exit 5\n'
    done = bash(script, input=commands)
    assert done.returncode == 5
    assert done.stdout == b"v v\n/opt/ml/processing/input\ngiven"
    assert b"python3 /opt/ml/processing/input/code/script.py" in done.stderr
    assert (result(script) / "outputs" / "0-out" / "x").read_text() == "x\n"


def test_shell_on_a_terminal_is_interactive(bench: Workbench) -> None:
    launch = bench.launch("pass")
    script = written(shell_script(launch), launch, "shell.sh")
    master, slave = pty.openpty()
    process = subprocess.Popen(["bash", script], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    os.write(master, b"test -t 0 && test -t 1 && echo term''inal; exit 6\n")
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the other end is closed: EIO on Linux
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)
    assert process.wait(60) == 6, seen
    assert b"terminal" in seen
    assert left_by(process.pid) == ""
