"""The Docker daemon is killed in mid-run, and started again: on an engine of the test's own.

It lives in a network namespace of its own, since a second daemon would take the first one's bridge away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from faults.workspace import Workspace, wait_until

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("dockerd"), reason="starts a Docker daemon, as root"),
]


class Daemon:
    """A dockerd with its own data, socket and network namespace, and beside it, as on most machines, its containerd."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.socket = root / "docker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start_containerd(self) -> None:
        config = self.root / "containerd.toml"
        config.write_text(
            f'version = 2\nroot = "{self.root}/containerd"\nstate = "{self.root}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self.root}/containerd.sock"\n'
        )
        self._spawn("containerd", "--config", str(config))
        assert wait_until((self.root / "containerd.sock").exists, 30)

    def start(self) -> None:
        command = ["unshare", "--net", "dockerd", "--bridge=none", "--iptables=false", f"--host=unix://{self.socket}"]
        places = [f"--data-root={self.root}/data", f"--exec-root={self.root}/exec", f"--pidfile={self.root}/pid"]
        (self.root / "pid").unlink(missing_ok=True)
        self.process = self._spawn(*command, *places, f"--containerd={self.root}/containerd.sock")
        assert wait_until(self.answers, 60), (self.root / "log").read_text()[-2000:]

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.root / "log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def answers(self) -> bool:
        with contextlib.suppress(Exception):
            self.client().ping()
            return True
        return False

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=f"unix://{self.socket}", timeout=60)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self._kill_rest()
        for mount in reversed([line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]):
            if mount.startswith(str(self.root)):
                subprocess.run(["umount", "-l", mount], check=False)

    def _kill_rest(self) -> None:
        """containerd and its shims."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.root).encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                    os.kill(int(entry.name), signal.SIGKILL)


@pytest.fixture
def daemon(python_image: str) -> Iterator[Daemon]:
    root = Path("/var/tmp") / f"rp-daemon-{os.getpid()}"
    root.mkdir()
    own = Daemon(root)
    try:
        own.start_containerd()
        own.start()
        main = docker.from_env()
        with contextlib.closing(own.client()) as client:
            client.images.load(b"".join(main.images.get(python_image).save(named=True)))
        main.close()
        yield own
    finally:
        own.stop()
        time.sleep(0.5)
        shutil.rmtree(root, ignore_errors=True)


def test_a_daemon_killed_and_restarted_in_mid_run(daemon: Daemon, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws", {"DOCKER_HOST": f"unix://{daemon.socket}"})
    write = "import pathlib\npathlib.Path('/opt/ml/processing/output/out/file').write_text('x')\n"
    workspace.pipeline(
        {
            "first": (write, {"outputs": ["out"]}),
            "second": (
                write + "import time\nprint('up', flush=True)\ntime.sleep(60)",
                {"outputs": ["out"], "inputs": {"data": {"from": "first.out"}}},
            ),
            "third": ("print(1)", {"inputs": {"data": {"from": "second.out"}}}),
        }
    )
    process = workspace.start("run", "pipeline.yaml")
    workspace.wait_for("runs/2*/steps/second/stdout")
    daemon.kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, out + err
    assert "Docker engine was lost" in out + err
    assert "Traceback" not in out + err
    assert not list(workspace.root.glob("runs/2*/steps/second/outputs/*"))
    assert list(workspace.root.glob("runs/2*/steps/first/outputs/out/file"))

    daemon.start()
    workspace.pipeline({"again": (write, {"outputs": ["out"]})})
    done = workspace.run("run", "pipeline.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    with contextlib.closing(daemon.client()) as client:
        assert client.containers.list(all=True) == []


def test_no_daemon_at_all(tmp_path: Path, python_image: str) -> None:
    workspace = Workspace(tmp_path / "ws", {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"})
    workspace.pipeline({"a": ("print(1)", {})})
    done = workspace.run("run", "pipeline.yaml")
    assert done.returncode == 3
    assert "nobody.sock, which DOCKER_HOST names, does not exist" in done.stderr
    assert "unset DOCKER_HOST" in done.stderr
    assert not (workspace.root / "runs").exists()
