"""A staged container: started before its inputs exist, and afterwards a container like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.launches import Workbench

from runner.engine.base import StartMode, StopReason, Verdict

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def _needs_staged(bench: Workbench) -> None:
    if bench.image.mode is not StartMode.STAGED:
        pytest.skip("this host does not let a container mount")


def test_it_is_prepared_before_its_input_exists(bench: Workbench) -> None:
    late = bench.root / "steps" / "producer" / "outputs" / "x"
    launch = bench.launch("print(open('/opt/ml/processing/input/data/f').read())", inputs={"data": late})
    container = bench.engine.prepare(launch)
    late.mkdir(parents=True)
    (late / "f").write_text("late")
    out = bytearray()
    outcome = container.run(out.extend, out.extend)
    container.remove()
    assert outcome.verdict is Verdict.PASSED, bytes(out)
    assert bytes(out) == b"late\n"


def test_an_input_that_never_came_is_not_the_scripts_fault(bench: Workbench) -> None:
    ended = bench.script("print(1)", inputs={"data": bench.root / "steps" / "nobody" / "x"})
    assert ended.outcome.verdict is Verdict.INFRASTRUCTURE
    assert "input data" in ended.outcome.reason
    assert ended.stdout == b""


def test_the_script_has_neither_the_capability_nor_the_hidden_root(bench: Workbench) -> None:
    script = r"""
import ctypes, os
status = open("/proc/self/status").read()
held = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines() if line.startswith("Cap")}
print(sorted(name for name, bits in held.items() if bits >> 21 & 1))
libc = ctypes.CDLL(None, use_errno=True)
print(libc.umount2(b"/opt/ml/config", 2), ctypes.get_errno())
print(libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, b""), ctypes.get_errno())
points = [line.split()[1] for line in open("/proc/self/mounts")]
print(os.path.exists("/.runner"), [point for point in points if "runner" in point])
def reach(path):
    try:
        return os.listdir(path)
    except OSError as error:
        return error.errno
opened = {reach(f"/proc/1/fd/{fd}") for fd in range(64)} - {2}
print([reach(f"/proc/1/{name}") for name in ("root", "cwd")], opened)
"""
    ended = bench.script(script)
    lines = ended.stdout.decode().splitlines()
    assert lines == ["[]", "-1 1", "-1 1", "False []", "[13, 13] {13}"], ended.stderr


def test_modules_are_imported_early_and_the_streams_stay_exact(bench: Workbench) -> None:
    quiet = bench.script("import sys; print('sqlite3' in sys.modules)", preimport=("sqlite3",))
    assert quiet.stdout == b"True\n"
    noisy = bench.script("import sys\nprint('this' in sys.modules)\nimport this", preimport=("this",))
    assert noisy.stdout.startswith(b"False\nThe Zen of Python")
    broken = bench.script("print('still here')", preimport=("no_such_module_at_all",))
    assert (broken.outcome.verdict, broken.stdout, broken.stderr) == (Verdict.PASSED, b"still here\n", b"")


def test_a_prepared_container_that_is_not_needed_goes(bench: Workbench) -> None:
    container = bench.engine.prepare(bench.launch("print(1)"))
    assert [each.kind for each in bench.engine.leftovers(bench.run_id)] == ["container"]
    container.stop(StopReason.CANCELLED, 0.0)
    container.remove()
    assert bench.engine.leftovers(bench.run_id) == []


def test_the_whole_run_directory_is_never_seen_by_a_script(bench: Workbench, tmp_path: Path) -> None:
    (bench.root / "steps" / "other").mkdir(parents=True)
    (bench.root / "steps" / "other" / "secret").write_text("secret")
    script = """
import os
found = [os.path.join(at, name) for at, _, names in os.walk("/") for name in names if name == "secret"]
print(found)
"""
    assert bench.script(script).stdout == b"[]\n"


def test_a_relative_script_is_found_in_its_working_directory(bench: Workbench) -> None:
    """Training starts `python3 train.py` in /opt/ml/code, which is mounted after the interpreter has started."""
    script = "import os, sys\nprint(__file__, sys.argv, os.getcwd(), os.listdir('.'), sys.path[0])"
    options = {"entrypoint": ("python3", "script.py"), "working_dir": "/opt/ml/processing/input/code"}
    cold = bench.script(script, mode=StartMode.COLD, **options)
    staged = bench.script(script, **options)
    assert staged.outcome.verdict is Verdict.PASSED, staged.stderr
    assert staged.stdout == cold.stdout
