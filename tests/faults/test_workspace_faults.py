"""Disks, names, users and neighbours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.workspace import Workspace

from runner.engine.base import StartMode

pytestmark = pytest.mark.docker

WRITE = "import pathlib\npathlib.Path('/opt/ml/processing/output/out/file').write_text('x')\n"
as_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk, which needs root")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """8 MiB of tmpfs."""
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@as_root
def test_a_log_that_fills_the_disk_is_the_environments_fault(small_disk: Path, python_image: str, engine: Any) -> None:
    workspace = Workspace(small_disk)
    workspace.pipeline({"flood": ("while True: print('x' * 10000)", {}), "next": (WRITE, {"depends_on": ["flood"]})})
    done = workspace.run("run", "pipeline.yaml")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "no space left" in (done.stdout + done.stderr).lower()
    assert "Traceback" not in done.stdout + done.stderr
    run = next(path.name for path in (small_disk / "runs").glob("2*"))
    assert engine.leftovers(run) == []


@as_root
def test_an_output_that_does_not_fit_publishes_nothing(small_disk: Path, python_image: str) -> None:
    workspace = Workspace(small_disk)
    script = "open('/opt/ml/processing/output/out/big', 'wb').write(bytes(20 << 20))"
    workspace.pipeline({"big": (script, {"outputs": ["out"]})})
    done = workspace.run("run", "pipeline.yaml")
    assert done.returncode in (1, 3)
    assert "no space left" in (done.stdout + done.stderr).lower()
    assert not list(small_disk.glob("runs/2*/steps/big/outputs/*"))


@as_root
def test_a_read_only_workspace_is_refused_before_anything_starts(tmp_path: Path, python_image: str) -> None:
    workspace = Workspace(tmp_path / "ws")
    workspace.pipeline({"a": (WRITE, {"outputs": ["out"]})})
    subprocess.run(["mount", "--bind", workspace.root, workspace.root], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", workspace.root], check=True)
        done = workspace.run("run", "pipeline.yaml")
    finally:
        subprocess.run(["umount", "-l", workspace.root], check=True)
    assert done.returncode == 3
    assert "runs: Read-only file system" in done.stderr
    assert "--runs-dir" in done.stderr


def test_two_runs_at_once_in_one_workspace(workspace: Workspace, engine: Any) -> None:
    script = "import time; time.sleep(1)\n" + WRITE
    workspace.pipeline({"a": (script, {"outputs": ["out"]}), "b": (WRITE, {"outputs": ["out"], "depends_on": ["a"]})})
    both = [workspace.start("run", "pipeline.yaml", "--json") for _ in range(2)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for _, code in ended] == [0, 0], ended
    ids = {json.loads(out)["run_id"] for (out, _), _ in ended}
    assert len(ids) == 2
    assert (workspace.root / "runs" / "latest").resolve().name in ids


def test_names_that_break_naive_mounts(odd_dir: Path, python_image: str) -> None:
    workspace = Workspace(odd_dir / "ws")
    data = workspace.root / "da,ta: 'x'"
    data.mkdir()
    (data / 'na me\n:,".csv').write_text("1")
    script = "import os, shutil\nshutil.copytree('/opt/ml/processing/input/data', '/opt/ml/processing/output/out/all')"
    check = "import os\nassert os.listdir('/opt/ml/processing/input/data/all') == ['na me\\n:,\".csv']"
    workspace.pipeline(
        {
            "a": (script, {"outputs": ["out"], "inputs": {"data": data.name}}),
            "b": (check, {"inputs": {"data": {"from": "a.out"}}}),
        }
    )
    code, document = workspace.document()
    assert code == 0, document


def test_ten_thousand_output_files(workspace: Workspace) -> None:
    script = "for i in range(10000): open(f'/opt/ml/processing/output/out/{i}', 'w').write(str(i))"
    check = "import os\nassert len(os.listdir('/opt/ml/processing/input/data')) == 10000"
    workspace.pipeline({"a": (script, {"outputs": ["out"]}), "b": (check, {"inputs": {"data": {"from": "a.out"}}})})
    code, document = workspace.document()
    assert code == 0, document
    manifest = json.loads(next(workspace.root.glob("runs/2*/steps/a/outputs.json")).read_text())
    assert "9999" in json.dumps(manifest)


@pytest.fixture(scope="module")
def user_home() -> Iterator[Path]:
    home = Path("/var/tmp") / f"rp-user-{os.getpid()}"
    yield home
    shutil.rmtree(home, ignore_errors=True)


@as_root
@pytest.mark.parametrize("mode", list(StartMode))
def test_files_belong_to_an_ordinary_user_of_the_docker_group(
    user_home: Path, python_image: str, mode: StartMode
) -> None:
    """In every start mode, also what a hostile script shut, and what it did to its private inputs."""
    prefix, env = ordinary_user(user_home)
    workspace = Workspace(user_home / f"ws-{mode}", {**env, "RUN_PIPELINE_CACHE_DIR": str(user_home / f"cache-{mode}")})
    (workspace.root / "data").mkdir()
    (workspace.root / "data" / "f").write_text("1")
    scribble = (
        "import os\nos.remove('/opt/ml/processing/input/data/f')\n"
        "open('/opt/ml/processing/input/data/g', 'w').write('x')\n"
    )
    shut = "for path in ('/file', ''):\n    os.chmod('/opt/ml/processing/output/out' + path, 0)\n"
    keep = (
        "import os\nplace = '/opt/ml/checkpoints/epoch'\nos.makedirs(place)\nopen(place + '/w', 'w').write('x')\n"
        "os.chmod(place, 0)\nopen('/opt/ml/model/m', 'w').write('m')\n"
    )
    workspace.pipeline(
        {
            "a": (WRITE + scribble + shut, {"outputs": ["out"], "inputs": {"data": "data"}}),
            "b": (scribble.replace("/f'", "/file'"), {"inputs": {"data": {"from": "a.out"}}}),
            "c": (WRITE + "raise SystemExit(3)", {"outputs": ["out"], "depends_on": ["b", "d"]}),
            "d": (keep, {"type": "training", "checkpoints": "state/kept"}),
        }
    )
    (user_home / f"cache-{mode}" / "probes").mkdir(parents=True)
    for path in (user_home, *user_home.rglob("*")):
        os.chown(path, 54321, 54321, follow_symlinks=False)
    pretend(workspace, prefix, user_home / f"cache-{mode}" / "probes", mode)

    done = workspace.run("run", "pipeline.yaml", prefix=prefix)
    assert done.returncode == 1, done.stdout + done.stderr
    results = {
        json.loads(path.read_text())["step"]: path for path in workspace.root.glob("runs/2*/steps/*/result.json")
    }
    verdicts = {step: json.loads(path.read_text())["verdict"] for step, path in results.items()}
    assert verdicts == {"a": "passed", "b": "passed", "c": "exit", "d": "passed"}
    assert {json.loads(path.read_text())["mode"] for path in results.values()} == {str(mode)}
    assert {path.lstat().st_uid for path in (workspace.root / "runs").rglob("*")} == {54321}
    kept = [workspace.root / "state", *(workspace.root / "state").rglob("*")]
    assert ({path.lstat().st_uid for path in kept}, kept[-1].name) == ({54321}, "w")
    assert (workspace.root / "data" / "f").read_text() == "1"
    gone = subprocess.run([*prefix[:-1], "rm", "-r", str(workspace.root / "runs")], capture_output=True, text=True)
    assert gone.returncode == 0, gone.stderr


def pretend(workspace: Workspace, prefix: tuple[str, ...], probes: Path, mode: StartMode) -> None:
    """Make the tool believe that the image starts in this mode: a first run writes the probe, which is then changed."""
    workspace.run("run", "pipeline.yaml", "--only", "a", prefix=prefix)
    (probe,) = probes.glob("*.json")
    found = json.loads(probe.read_text())
    if mode is StartMode.STAGED and found["mode"] != "staged":
        pytest.skip("this host does not let a container mount")
    probe.write_text(json.dumps({**found, "mode": str(mode)}))
    shutil.rmtree(workspace.root / "runs")


def ordinary_user(home: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """A `setpriv` prefix for uid 54321 in the socket's group, and an environment in which this Python can be used."""
    import sys
    import sysconfig

    site = Path(sysconfig.get_paths()["purelib"])
    base = Path(sys.base_prefix)
    group = Path("/var/run/docker.sock").stat().st_gid
    user = ("setpriv", "--reuid", "54321", "--regid", "54321", "--groups", str(group))
    interpreter, launcher = home / "python", home / "launch"
    env = {"HOME": str(home), "PYTHONPATH": str(home / "site"), "PYTHONHOME": str(interpreter)}
    if home.exists():
        return (*user, str(launcher)), env
    (home / "site").mkdir(parents=True)
    shutil.copytree(site, home / "site", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pth"))
    root = Path(__file__).parents[2]
    shutil.copytree(root / "runner", home / "site" / "runner", dirs_exist_ok=True)
    shutil.copytree(root / "images", home / "site" / "images", dirs_exist_ok=True)
    shutil.copytree(base, interpreter, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "site-packages"))
    python = interpreter / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    launcher.write_text(
        f'#!/bin/sh\nshift\nexec "{python}" -P -c "from runner.cli.main import entry; raise SystemExit(entry())" "$@"\n'
    )
    launcher.chmod(0o755)
    return (*user, str(launcher)), env
