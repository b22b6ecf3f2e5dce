"""The audit hook in a real interpreter of this machine: what it notes, and what it must never do to a script."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.agent import tracer_archive

Records = list[tuple[str, str]]


def traced(
    script: str, cwd: Path, places: tuple[str, ...] = (), prelude: str = "", words: tuple[str, ...] = ("script.py",)
) -> tuple[subprocess.CompletedProcess[str], Records]:
    """Run a script with the tracer as the agent starts it; what it printed, and the records."""
    file, archive = os.memfd_create("trace"), os.memfd_create("archive")
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
    os.write(archive, tracer_archive(places))
    environment = {
        "PATH": os.environ["PATH"],
        "_RUN_PIPELINE_TRACE": str(file),
        "_RUN_PIPELINE_PATH": str(cwd),
        "PYTHONPATH": f"/proc/self/fd/{archive}:{cwd}",
    }
    (cwd / "sitecustomize.py").write_text(prelude)
    (cwd / "script.py").write_text(script)
    try:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=cwd,
            env=environment,
            pass_fds=(file, archive),
            capture_output=True,
            text=True,
            check=False,
        )
        data = os.pread(file, os.fstat(file).st_size, 0).decode()
    finally:
        os.close(file)
        os.close(archive)
    return done, [(record[0], record[1:]) for record in data.split("\0") if record]


def only(records: Records, kind: str) -> list[str]:
    return [text for letter, text in records if letter == kind]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Path:
    """Outside /tmp, where everything passes, and where this project may lie too."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix=".trace-test-", dir=Path.home()))
    request.addfinalizer(lambda: shutil.rmtree(path))
    return path


def test_each_way_to_open_is_noted_once_and_as_it_was_meant(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "f").write_text("x")
    script = """
import os, pathlib, sqlite3
for _ in range(3):
    open("data/f").read()
open(b"data/../data/f", "rb").close()
pathlib.Path("data/f").read_text()
os.close(os.open(pathlib.Path("data/f"), os.O_RDONLY))
open("data/both", "w+").close()
os.rename("data/both", "data/renamed")
os.symlink("nowhere", "data/link")
os.truncate("data/renamed", 0)
sqlite3.connect("data/base.db").close()
os.close(os.open("fresh", os.O_CREAT | os.O_WRONLY))
at = os.open("data", os.O_RDONLY | os.O_DIRECTORY)
os.close(os.open("f", os.O_RDONLY, dir_fd=at))
os.listdir(at)
os.chdir("data")
open("last", "x").close()
for path in ("missing", "nul\\0", "x" * 5000):
    try:
        open(path)
    except (OSError, ValueError):
        pass
"""
    done, records = traced(script, place, (str(place / "data"),))
    assert (done.returncode, done.stderr) == (0, "")
    data = place / "data"
    assert only(records, "r") == [f"{data}/f"]
    written = [f"{data}/both", f"{data}/renamed", f"{data}/base.db", f"{place}/fresh", f"{data}/last"]
    assert only(records, "w") == written
    assert only(records, "l") == [str(data)]
    assert f"{data}/missing" in only(records, "m")
    assert len(records) == len(set(records))
    assert only(records, "s") == [".".join(map(str, sys.version_info[:3]))]


def test_a_directory_that_is_not_there_is_missed_by_every_way_to_list_it(place: Path) -> None:
    (place / "data").mkdir()
    script = """
import glob, os, pathlib
for number, look in enumerate((os.listdir, os.scandir, lambda path: list(pathlib.Path(path).iterdir()))):
    try:
        look("gone-%d" % number)
    except FileNotFoundError:
        pass
assert not glob.glob("data/gone/*.csv") + glob.glob(os.path.abspath("gone-all/**/x"), recursive=True)
assert not list(pathlib.Path("gone-glob").glob("*")) + list(pathlib.Path("gone-rglob").rglob("*.csv"))
assert not list(os.walk("gone-walk"))
os.listdir("data"), glob.glob("data/*"), list(pathlib.Path("data").rglob("*")), os.listdir("."), os.listdir()
for _ in range(2):
    glob.glob("%s/lib/python3/dist-packages/none/*" % __import__("sys").prefix)
"""
    done, records = traced(script, place, (str(place / "data"),))
    assert (done.returncode, done.stderr) == (0, "")
    gone = ["gone-0", "gone-1", "gone-2", "data/gone", "gone-all", "gone-glob", "gone-rglob", "gone-walk"]
    assert [path.removeprefix(f"{place}/") for path in only(records, "m")] == gone
    assert only(records, "l") == [str(place / "data")]


def test_a_path_below_the_root_has_one_slash(place: Path) -> None:
    script = f"""
import os
os.chdir("/")
open("{str(place / "written")[1:]}", "w").close()
for path in ("none-such", "//none-such-either"):
    try:
        open(path)
    except FileNotFoundError:
        pass
"""
    done, records = traced(script, place)
    assert (done.returncode, done.stderr) == (0, "")
    assert only(records, "w") == [str(place / "written")]
    assert only(records, "m") == ["/none-such", "/none-such-either"]


@pytest.mark.parametrize("words", [("-m", "pip", "y"), ("-Wignore", "-mpip"), ("bin/pip3.11", "install")])
def test_pip_is_left_alone(place: Path, words: tuple[str, ...]) -> None:
    """Also what it starts: nothing of the tracer is left in its environment."""
    acts = """
import os, subprocess, sys
open("made", "w").close()
print([key for key in os.environ if "RUN_PIPELINE" in key], os.environ["PYTHONPATH"])
subprocess.run([sys.executable, "-c", "open('made-by-child', 'w')"], close_fds=False, check=True)
"""
    (place / "bin").mkdir()
    for path in ("pip.py", "bin/pip3.11"):
        (place / path).write_text(acts)
    done, records = traced("", place, words=words)
    assert (done.stdout, done.stderr) == (f"[] {place}\n", "")
    assert records == [("p", ".".join(map(str, sys.version_info[:3])))]


def test_nothing_of_it_is_seen(place: Path) -> None:
    script = """
import os, sys
print(sys.modules["sitecustomize"].mine, sys.path[1:2], os.environ["PYTHONPATH"])
print([key for key in os.environ if "RUN_PIPELINE" in key], [p for p in sys.path if "/proc" in p])
print([p for p in sys.path_importer_cache if "/proc" in p], sys.modules["zipimport"]._zip_directory_cache)
import threading
print(threading.active_count(), len([fd for fd in os.listdir("/proc/self/fd")]) - 3 - 1)
"""
    done, _ = traced(script, place, prelude="mine = 'mine'")
    first, *rest = done.stdout.splitlines()
    assert first == f"mine ['{place}'] {place}", done.stderr
    assert rest == ["[] []", "[] {}", "1 1"]


def test_a_script_without_room_or_descriptors_goes_on(place: Path) -> None:
    script = """
import os
os.closerange(3, 4096)
kept = [open("own-%d" % number, "w") for number in range(50)]
open("after", "w").write("mine")
print(all(os.fstat(file.fileno()).st_size == 0 for file in kept), open("after").read())
import sys
sys.setrecursionlimit(60)
def deep(left):
    return open("after").close() if left == 0 else deep(left - 1)
deep(5)
"""
    done, records = traced(script, place)
    assert (done.stdout, done.stderr, done.returncode) == ("True mine\n", "", 0)
    assert only(records, "w") == []


def test_an_exception_of_a_signal_handler_is_the_scripts(place: Path) -> None:
    """It may come while the hook runs; the hook must not take it for one of its own."""
    script = """
import signal
class Mine(Exception):
    pass
def handler(*_):
    raise Mine
signal.signal(signal.SIGALRM, handler)
for _ in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while True:
            try:
                open("/home/none/such")
            except FileNotFoundError:
                pass
    except Mine:
        pass
print("each one arrived")
"""
    done, _ = traced(script, place)
    assert (done.stdout, done.returncode) == ("each one arrived\n", 0), done.stderr


def test_what_is_kept_is_bounded(place: Path) -> None:
    script = """
for number in range(3000):
    try:
        open("/home/none/%d" % number)
    except FileNotFoundError:
        pass
"""
    _, records = traced(script, place)
    assert len(only(records, "m")) == 1000
    assert max(int(count) for count in only(records, "+")) in range(1000, 2001)


def test_forks_and_threads_note_whole_records(place: Path) -> None:
    script = """
import os, threading
def work(name):
    for number in range(50):
        open("%s-%d" % (name, number), "w").close()
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        threads = [threading.Thread(target=work, args=("%d-%d" % (child, n),)) for n in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""
    _, records = traced(script, place)
    wanted = {f"{place}/{child}-{thread}-{n}" for child in range(4) for thread in range(3) for n in range(50)}
    assert set(only(records, "w")) == wanted
    assert {kind for kind, _ in records} == {"s", "w"}


def test_an_old_python_says_so(place: Path) -> None:
    """Its `sys` has no audit hooks; nothing else differs."""
    done, records = traced("print('runs')", place, prelude="import sys; del sys.addaudithook")
    assert done.stdout == "runs\n"
    assert records == [("o", ".".join(map(str, sys.version_info[:3])))]


def test_children_and_addresses(place: Path) -> None:
    script = """
import os, socket, subprocess
subprocess.run("exit 0", shell=True)
subprocess.run(["true", "x"])
os.system("exit 0")
with socket.socket() as one:
    try:
        one.connect(("127.0.0.1", 1))
    except OSError:
        pass
with socket.socket(socket.AF_UNIX) as one:
    try:
        one.connect("/none")
    except OSError:
        pass
"""
    done, records = traced(script, place)
    assert done.stderr == ""
    assert only(records, "n") == ["127.0.0.1:1"]
    assert [name for name in only(records, "c") if name in ("true", "exit 0")] == ["true", "exit 0"]
