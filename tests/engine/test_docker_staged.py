"""A staged container: started before its inputs exist, and afterwards a container like any other."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine.launches import Ended, Workbench

from runner.engine.base import Image, StartMode, StopReason, Verdict
from runner.engine.client import client
from runner.engine.creation import KNOCK
from runner.sagemaker.job import Limits

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


def test_go_comes_over_stdin_where_the_fifo_is_of_no_use(bench: Workbench) -> None:
    launch = bench.launch("print(1)")
    container = bench.engine.prepare(launch)
    (launch.scratch / KNOCK).unlink()
    out = bytearray()
    container.run(out.extend, out.extend)
    outcome = container.confirm()
    container.remove()
    assert (outcome.verdict, bytes(out)) == (Verdict.PASSED, b"1\n")


def test_a_script_sees_what_came_last_into_an_input_of_the_users(bench: Workbench, tmp_path: Path) -> None:
    """Such an input is mounted at go alone: the user may work on it until then."""
    data = tmp_path / "outside"
    data.mkdir()
    launch = bench.launch("import os\nprint(os.listdir('/opt/ml/processing/input/data'))", inputs={"data": data})
    launch = dataclasses.replace(launch, run_root=bench.root / "steps")
    container = bench.engine.prepare(launch)
    (data / "late").write_text("late")
    out = bytearray()
    container.run(out.extend, out.extend)
    container.remove()
    assert bytes(out) == b"['late']\n"


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
    of_package = "import sys; print([name for name in ('xml.dom', 'xml.sax') if name in sys.modules])"
    assert bench.script(of_package, preimport=("xml:dom,no_such_name",)).stdout == b"['xml.dom']\n"
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


def same(bench: Workbench, script: str, beside: dict[str, str] | None = None, **options: Any) -> Ended:
    """Run cold and staged; equal verdicts and streams. Returns the staged one."""
    ends = {}
    for mode in (StartMode.COLD, StartMode.STAGED):
        launch = bench.launch(script, mode=mode, **options)
        for name, text in (beside or {}).items():
            path = launch.inputs[0].host / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        ends[mode] = bench.run(launch)
    cold, staged = ends[StartMode.COLD], ends[StartMode.STAGED]
    assert (cold.outcome.verdict, cold.outcome.exit_code) == (staged.outcome.verdict, staged.outcome.exit_code)
    assert (cold.stdout, cold.stderr) == (staged.stdout, staged.stderr)
    return staged


@pytest.mark.parametrize(
    ("script", "beside", "preimport"),
    [
        ("import json\nprint(json.dumps({}))", {"json.py": ""}, ()),
        ("import json\nprint(json.dumps({}))", {"json.py": ""}, ("sqlite3", "json")),
        ("import select, sys\nprint(select.__file__)", {"select.py": ""}, ()),
        ("import http.client\nprint('in')", {"email/__init__.py": "raise RuntimeError('mine')"}, ("http.client",)),
        ("import logging\nprint(logging.mine)", {"logging.py": "mine = 1"}, ("logging",)),
    ],
)
def test_a_file_beside_the_script_wins(
    bench: Workbench, script: str, beside: dict[str, str], preimport: tuple[str, ...]
) -> None:
    same(bench, script, beside, preimport=preimport)


@pytest.fixture(scope="module")
def odd_modules(engine: Any, python_image: str) -> Iterator[Image]:
    """An image with modules that do at their import what most do not."""
    loud, slow = "import sys; sys.stdout.write('n' * 200000)", "import time; time.sleep(4)"
    busy = "import threading, time; threading.Thread(target=time.sleep, args=(0.1,)).start()"
    asking = """try:
    import turbo
except ImportError:
    turbo = None"""
    write = f"""import sysconfig, pathlib
p = pathlib.Path(sysconfig.get_paths()['purelib'])
(p / 'loud_import.py').write_text({loud!r})
(p / 'slow_import.py').write_text({slow!r})
(p / 'busy_import.py').write_text({busy!r})
(p / 'asking_import.py').write_text({asking!r})
(p / 'matplotlib.py').write_text("import os; found = os.path.exists('matplotlibrc')")"""
    docker = client()
    tag = "run-pipeline-test:odd-modules"
    text = f"FROM {python_image}\nRUN {json.dumps(['python3', '-c', write])}\n"
    docker.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True)
    yield engine.image(tag)
    docker.images.remove(tag, force=True)
    docker.close()


def test_an_import_that_writes_much_is_begun_again(bench: Workbench, odd_modules: Image) -> None:
    bench.image = odd_modules
    ended = bench.script("print('before', flush=True)\nimport loud_import", preimport=("loud_import",))
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"before\n" + b"n" * 200000)


def test_an_import_that_starts_a_thread_is_begun_again(bench: Workbench, odd_modules: Image) -> None:
    bench.image = odd_modules
    ended = bench.script("import sys; print('busy_import' in sys.modules)", preimport=("busy_import",))
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"False\n")


def test_an_optional_module_beside_the_script_is_found(bench: Workbench, odd_modules: Image) -> None:
    """The early import looked for it in vain, before the script's directory was mounted."""
    bench.image = odd_modules
    script = "import sys\nprint(len(sys.meta_path))\nimport asking_import\nprint(asking_import.turbo)"
    alone = same(bench, script, preimport=("asking_import",))
    assert alone.stdout.endswith(b"None\n")
    ended = same(bench, script, {"turbo.py": ""}, preimport=("asking_import",))
    assert b"/turbo.py'>\n" in ended.stdout


def test_a_settings_file_in_the_working_directory_counts(bench: Workbench, odd_modules: Image) -> None:
    """Of matplotlib; here a module of that name stands for it."""
    bench.image = odd_modules
    script = "import os, matplotlib\nprint(matplotlib.found, os.getcwd())"
    options = {"entrypoint": ("python3", "script.py"), "working_dir": "/opt/ml/processing/input/code"}
    same(bench, script, preimport=("matplotlib",), **options)
    ended = same(bench, script, {"matplotlibrc": ""}, preimport=("matplotlib",), **options)
    assert ended.stdout.startswith(b"True")


def test_a_stop_during_an_early_import_lets_nothing_run(bench: Workbench, odd_modules: Image) -> None:
    bench.image = odd_modules
    limits = Limits(timeout=1.0, grace=30.0)
    ended = bench.script("print('ran')", preimport=("slow_import",), limits=limits)
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.TIMEOUT, b"")
    assert ended.outcome.seconds < 15


def test_values_for_the_loader_reach_the_script_alone(bench: Workbench) -> None:
    same(bench, "print('runs')", env=(("LD_PRELOAD", "/no/such/library.so"),))


def test_the_agent_does_not_count_as_one_of_the_scripts_processes(bench: Workbench) -> None:
    script = """
import os
made = 0
try:
    while made < 10:
        if os.fork() == 0:
            os.read(os.pipe()[0], 1)
        made += 1
except BlockingIOError:
    pass
print(made)
"""
    assert same(bench, script, limits=Limits(pids=3)).stdout == b"2\n"


def test_a_signal_to_process_1_from_within_is_not_a_hand_from_outside(bench: Workbench) -> None:
    ended = bench.script("import os, time\nos.kill(1, 15)\ntime.sleep(0.2)\nprint('on')")
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"on\n")
    assert "sent SIGTERM to PID 1" in ended.outcome.warnings[0]
