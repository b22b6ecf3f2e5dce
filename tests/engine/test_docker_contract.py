"""What a script sees and how it ends, in real containers, in each of the three start modes."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import contract
from engine.launches import OUTPUT, Workbench

from runner.engine.base import Launch, StartMode, Verdict
from runner.engine.client import client
from runner.sagemaker.job import Limits

pytestmark = pytest.mark.docker

SEEN = """
import json, os, sys, socket
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "file": __file__, "name": __name__, "path0": sys.path[0],
    "env": dict(os.environ), "uid": os.getuid(), "umask": os.umask(0), "stdin": sys.stdin.read(),
    "main": sys.modules["__main__"].__file__, "flags": list(sys.flags), "resolved": socket.gethostbyname("algo-1"),
    "signals": [str(__import__("signal").getsignal(number)) for number in (2, 13, 15)],
    "fds": sorted(os.listdir("/proc/self/fd"))[:3], "session": os.getsid(0) == os.getpid(),
    "root": sorted(os.listdir("/")),
}))
"""


def test_a_script_sees_the_same_however_it_is_started(bench: Workbench) -> None:
    """argv and environment verbatim; cwd, umask, stdin, flags and signals as without us."""
    env = (("DOLLAR", "pa$sword ${HOME}"), ("EMPTY", ""), ("LINES", "a\nb"), ("UMLAUT", "grüße"), ("QUOTE", "\"'`"))
    args = ("--a", "$HOME", "", "b c", "é\n")
    seen = {}
    for mode in (StartMode.COLD, StartMode.PLAIN, bench.image.mode):
        ended = bench.script(SEEN, mode=mode, env=env, args=args)
        assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
        seen[mode] = ended.stdout.replace(b'".runner", ', b"") if mode is StartMode.PLAIN else ended.stdout
    assert len(set(seen.values())) == 1, seen
    for key, value in env:
        assert f'"{key}": {__import__("json").dumps(value)}' in seen[StartMode.COLD].decode()


@pytest.mark.parametrize(
    ("script", "verdict", "code", "words"),
    [
        ("print(1)", Verdict.PASSED, 0, "exit 0"),
        ("import sys; sys.exit(3)", Verdict.EXIT, 3, "exit 3"),
        ("import sys; sys.exit(130)", Verdict.EXIT, 130, "exit 130"),
        ("import sys; sys.exit(137)", Verdict.EXIT, 137, "exit 137"),
        ("import os; os._exit(255)", Verdict.EXIT, 255, "exit 255"),
        ("raise KeyError('label')", Verdict.EXIT, 1, "exit 1"),
    ],
)
def test_exit_status(bench: Workbench, mode: StartMode, script: str, verdict: Verdict, code: int, words: str) -> None:
    ended = bench.script(script, mode=mode)
    assert (ended.outcome.verdict, ended.outcome.exit_code) == (verdict, code)
    assert words in ended.outcome.reason


def test_a_signal_of_its_own_is_told_apart_from_a_status(bench: Workbench) -> None:
    killed = bench.script("import os; os.kill(os.getpid(), 9)").outcome
    status = bench.script("import sys; sys.exit(137)").outcome
    assert (killed.exit_code, killed.signal) == (137, "SIGKILL")
    assert (status.exit_code, status.signal) == (137, None)
    assert killed.reason != status.reason


def test_killed_for_memory_at_its_limit(bench: Workbench, mode: StartMode) -> None:
    ended = bench.script("x = bytearray(400 << 20)", mode=mode, limits=Limits(memory=64 << 20))
    assert ended.outcome.verdict is Verdict.OOM
    assert "64 MiB" in ended.outcome.reason


def test_time_out_is_term_then_kill(bench: Workbench, mode: StartMode) -> None:
    polite = """
import signal, sys, time
signal.signal(15, lambda *_: (print('told', flush=True), sys.exit(0)))
time.sleep(60)
"""
    ended = bench.script(polite, mode=mode, limits=Limits(timeout=1.0, grace=20.0))
    assert ended.outcome.verdict is Verdict.TIMEOUT
    assert ended.stdout == b"told\n"
    deaf = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)"
    ended = bench.script(deaf, mode=mode, limits=Limits(timeout=1.0, grace=0.5))
    assert ended.outcome.verdict is Verdict.TIMEOUT
    assert ended.outcome.exit_code == 137
    assert ended.outcome.seconds < 10


def test_logs_are_byte_exact(bench: Workbench, mode: StartMode) -> None:
    script = """
import os
os.write(1, b"\\xff\\xfe\\x00 invalid\\r\\n" + b"x" * (10 << 20))
os.write(2, b"no newline at the end")
"""
    ended = bench.script(script, mode=mode)
    assert ended.stdout == b"\xff\xfe\x00 invalid\r\n" + b"x" * (10 << 20)
    assert ended.stderr == b"no newline at the end"


def test_a_hundred_megabytes_of_output_arrive_and_are_not_kept(bench: Workbench) -> None:
    launch = bench.launch("import os\nfor i in range(100): os.write(1, bytes([i]) * (1 << 20))")
    container = bench.engine.prepare(launch)
    digest, size = hashlib.sha256(), 0

    def sink(data: bytes) -> None:
        nonlocal size
        size += len(data)
        digest.update(data)

    try:
        outcome = container.run(sink, sink)
    finally:
        container.remove()
    assert outcome.verdict is Verdict.PASSED
    assert size == 100 << 20
    assert digest.hexdigest() == hashlib.sha256(b"".join(bytes([i]) * (1 << 20) for i in range(100))).hexdigest()


def test_nothing_at_all_on_either_stream(bench: Workbench, mode: StartMode) -> None:
    ended = bench.script("pass", mode=mode)
    assert (ended.stdout, ended.stderr, ended.outcome.warnings) == (b"", b"", ())


def test_inputs_are_private_and_writable(bench: Workbench, mode: StartMode, tmp_path: Path) -> None:
    """A hostile consumer overwrites, appends, deletes, renames and chmods; its producer's bytes stay."""
    source = tmp_path / "produced"
    (source / "sub").mkdir(parents=True)
    for name in ("a", "b", "c", "sub/d"):
        (source / name).write_text(name * 100)
    before = {path: (path.read_bytes(), path.stat().st_mode) for path in source.rglob("*") if path.is_file()}
    hostile = """
import os
root = "/opt/ml/processing/input/data"
open(root + "/a", "w").write("changed")
open(root + "/b", "a").write("more")
os.remove(root + "/c")
os.chmod(root + "/sub/d", 0)
os.rename(root + "/sub", root + "/other")
os.mkdir(root + "/new")
print(sorted(os.listdir(root)), open(root + "/a").read())
"""
    ended = bench.script(hostile, mode=mode, inputs={"data": source})
    assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
    assert ended.stdout.decode() == "['a', 'b', 'new', 'other'] changed\n"
    after = {path: (path.read_bytes(), path.stat().st_mode) for path in source.rglob("*") if path.is_file()}
    assert after == before


def test_outputs_arrive_and_belong_to_the_invoking_user(bench: Workbench, mode: StartMode) -> None:
    script = f"""
import os
os.makedirs("{OUTPUT}/sub")
open("{OUTPUT}/sub/file", "w").write("x")
os.chmod("{OUTPUT}/sub/file", 0)
os.chown("{OUTPUT}/sub", 12345, 12345)
"""
    ended = bench.script(script, mode=mode)
    assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
    assert {path.lstat().st_uid for path in ended.output.rglob("*")} == {os.getuid()}
    assert not ended.launch.scratch.exists()


def test_a_users_image_writes_as_its_user_and_the_files_come_back(bench: Workbench) -> None:
    script = f"import os; print(os.getuid(), os.environ['HOME']); open('{OUTPUT}/f', 'w').write('x')"
    for mode in {StartMode.PLAIN, bench.image.mode}:
        ended = bench.script(script, user="nobody", mode=mode)
        assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
        assert ended.stdout == b"65534 /nonexistent\n"
        assert (ended.output / "f").stat().st_uid == os.getuid()


def test_no_network_unless_asked_for(bench: Workbench, mode: StartMode) -> None:
    script = "import os; print(sorted(os.listdir('/sys/class/net')))"
    assert bench.script(script, mode=mode).stdout == b"['lo']\n"
    assert b"eth0" in bench.script(script, mode=mode, network="bridge").stdout


def test_limits_are_the_containers(bench: Workbench, mode: StartMode) -> None:
    script = """
import os, glob
for path in ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"):
    if os.path.exists(path): print(open(path).read().strip())
for path in ("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"):
    if os.path.exists(path): print(open(path).read().strip())
print(os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize)
"""
    limits = Limits(memory=256 << 20, pids=77, shm_size=8 << 20, cpus=0.5)
    ended = bench.script(script, mode=mode, limits=limits)
    pids = "77" if mode is StartMode.COLD else "78"  # the agent is one more
    assert ended.stdout.decode().split() == [str(256 << 20), pids, str(8 << 20)]


def test_a_program_that_is_not_there(bench: Workbench, mode: StartMode) -> None:
    ended = bench.script("", mode=mode, entrypoint=("no-such-program", "x"))
    assert (ended.outcome.verdict, ended.outcome.exit_code) == (Verdict.EXIT, 127)
    assert "no-such-program" in ended.outcome.reason


def test_what_a_script_leaves_running_ends_with_it(bench: Workbench, mode: StartMode) -> None:
    script = """
import subprocess, sys
subprocess.Popen(["sleep", "300"], start_new_session=True)
print("done")
"""
    ended = bench.script(script, mode=mode)
    assert ended.outcome.verdict is Verdict.PASSED
    assert ended.outcome.seconds < 20


def factory(bench: Workbench, mode: StartMode) -> Callable[..., Launch]:
    def launch(
        name: str, *, inputs: dict[str, Path] | None = None, limits: Limits | None = None, env: tuple[Any, ...] = ()
    ) -> Launch:
        return bench.launch(contract.BEHAVIOURS[name].source, mode=mode, inputs=inputs, limits=limits, env=env)

    return launch


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_the_contract_of_every_engine(bench: Workbench, mode: StartMode, check: Callable[..., None]) -> None:
    check(bench.engine, factory(bench, mode))


@pytest.mark.parametrize("user", ["nobody", "4321", "4321:99", "games:audio"])
def test_an_images_user_is_the_same_in_every_mode(engine: Any, tmp_path: Path, python_image: str, user: str) -> None:
    """Identity, groups and home as Docker makes them; inputs and outputs can be written."""
    docker = client()
    tag = f"run-pipeline-test:user-{user.replace(':', '-')}"
    docker.images.build(fileobj=io.BytesIO(f"FROM {python_image}\nUSER {user}\n".encode()), tag=tag, rm=True)
    script = f"""
import os
print(os.getresuid(), os.getresgid(), os.getgroups(), os.environ.get("HOME"))
for place in ("{OUTPUT}", "/opt/ml/processing/input/code", "/opt/ml/output"):
    open(place + "/new", "w").write("x")
"""
    try:
        bench = Workbench(engine, tmp_path, engine.image(tag))
        seen = set()
        for mode in dict.fromkeys((StartMode.COLD, StartMode.PLAIN, bench.image.mode)):
            ended = bench.script(script, mode=mode)
            assert ended.outcome.verdict is Verdict.PASSED, (mode, ended.stderr)
            seen.add(ended.stdout)
        assert len(seen) == 1, seen
    finally:
        docker.images.remove(tag, force=True)
        docker.close()


LOADED = """
import sys
print(sorted(sys.modules), sys.path, sys.flags, sorted(sys.path_importer_cache), sys.warnoptions)
import os
print(list(os.environ), len(os.listdir("/proc/self/task")))
"""


@pytest.mark.parametrize("user", [None, "nobody"])
def test_a_traced_script_finds_its_interpreter_as_without_us(bench: Workbench, user: str | None) -> None:
    seen = set()
    for mode in dict.fromkeys((StartMode.COLD, StartMode.PLAIN, bench.image.mode)):
        ended = bench.script(LOADED, mode=mode, user=user if mode is not StartMode.COLD else None)
        assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
        assert ended.outcome.trace is not None
        assert ended.outcome.trace["traced"] is (mode is not StartMode.COLD), ended.outcome.trace
        seen.add(ended.stdout)
    assert len(seen) == 1, seen
