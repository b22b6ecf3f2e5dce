"""What `doctor` finds, without an engine and with the real one."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.engine import checks
from runner.engine.checks import GIB, Status, nearest_existing, run_checks

RAW: dict[str, Any] = {
    "ServerVersion": "27.1",
    "OperatingSystem": "Debian",
    "OSType": "linux",
    "Architecture": "x86_64",
    "CgroupVersion": "2",
    "MemTotal": 8 * GIB,
    "NCPU": 4,
    "Name": "elsewhere",
    "DockerRootDir": "/var/lib/docker",
}


def test_without_an_engine_it_says_so_and_looks_at_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    found = {check.name: check for check in run_checks(tmp_path)}
    assert found["engine"].status is Status.FAILED
    assert "absent.sock" in found["engine"].found
    assert found["engine"].cure
    assert found["permissions"].status is Status.OK
    assert found["disk"].status in (Status.OK, Status.WARNING)
    skipped = {name for name, check in found.items() if check.status is Status.SKIPPED}
    assert {"memory", "images", "bind mount", "start mode", "leftovers", "clock"} <= skipped


def test_a_workspace_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert nearest_existing(tmp_path / "a" / "b") == tmp_path
    assert nearest_existing(tmp_path) == tmp_path


def test_a_workspace_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checks.tempfile, "TemporaryFile", refuse)
    found = checks._writable(tmp_path)
    assert found.status is Status.FAILED
    assert "Permission denied" in found.found
    assert f"chown {os.getuid()}" in found.cure


@pytest.mark.parametrize(
    ("free", "status"), [(GIB // 2, Status.FAILED), (3 * GIB, Status.WARNING), (50 * GIB, Status.OK)]
)
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: Status) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda place: type("Usage", (), {"free": free}))
    found = checks._disk("disk", tmp_path, "make room")
    assert (found.status, bool(found.cure)) == (status, status is not Status.OK)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.OK),
        ({"OSType": "windows"}, Status.FAILED),
        ({"Architecture": "aarch64"}, Status.WARNING),
        ({"SecurityOptions": ["name=rootless"]}, Status.OK),
    ],
)
def test_engine(change: dict[str, Any], status: Status) -> None:
    (found,) = checks._engine(RAW | change, "1.46")
    assert found.status is status
    assert ("rootless" in found.found) == ("SecurityOptions" in change)


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({}, Status.OK, ""),
        ({"MemTotal": GIB}, Status.WARNING, "2 GiB"),
        ({"MemoryLimit": False}, Status.WARNING, "cgroup_enable=memory"),
    ],
)
def test_memory(change: dict[str, Any], status: Status, word: str) -> None:
    (found,) = checks._memory(RAW | change)
    assert found.status is status
    assert word in found.cure


@pytest.mark.parametrize(("apart", "status"), [(0, Status.OK), (3600, Status.WARNING)])
def test_clock(apart: int, status: Status) -> None:
    there = datetime.fromtimestamp(time.time() - apart, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    (found,) = checks._clock({"SystemTime": there})
    assert found.status is status


def test_the_disk_of_an_engine_elsewhere_is_not_this_machines() -> None:
    (found,) = checks._engine_disk(RAW)
    assert found.status is Status.SKIPPED


@pytest.mark.docker
def test_on_this_machine_everything_is_looked_at(tmp_path: Path, python_image: str) -> None:
    found = {check.name: check for check in run_checks(tmp_path / "runs")}
    for name in (
        "engine",
        "endpoint",
        "memory",
        "cpu",
        "clock",
        "image python",
        "bind mount",
        "start mode",
        "leftovers",
    ):
        assert found[name].status in (Status.OK, Status.WARNING), found[name]
    assert found["bind mount"].status is Status.OK
    assert list(tmp_path.iterdir()) == [], "the canary is gone"
