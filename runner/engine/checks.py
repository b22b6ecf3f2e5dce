"""What `run-pipeline doctor` looks at: each check looks at one thing, and names the cure for what is wrong with it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import EnvironmentFault

if TYPE_CHECKING:
    from docker import DockerClient

    from runner.engine.docker import DockerEngine

GIB = 2**30
DISK_NEEDED, DISK_WANTED = 1 * GIB, 5 * GIB
"""Below the first, runs will fail; below the second, an image build (about 2 GiB with its layers) may."""
MEMORY_WANTED = 2 * GIB
CLOCK_ALLOWED = 30.0
"""Seconds between this machine's clock and the engine's: more, and times in logs and results mislead."""
_ENGINE_CHECKS = (
    "endpoint",
    "engine disk",
    "memory",
    "cpu",
    "clock",
    "images",
    "bind mount",
    "start mode",
    "leftovers",
)


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    """Runs cannot work."""
    SKIPPED = "skipped"
    """Not looked at, because what it needs is missing."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    status: Status
    found: str
    cure: str = ""
    """What to type or do; empty when nothing is wrong."""


def run_checks(workspace: Path) -> list[Check]:
    """All checks, in the order in which their causes lie. `workspace` is where runs are kept; it need not exist.

    Raises nothing for what it finds wrong; without an engine the checks that need one are skipped, and say so.
    """
    place = nearest_existing(workspace)
    checks = [
        _tool(),
        _writable(place),
        _disk("disk", place, "run-pipeline clean --runs, or --runs-dir on another disk"),
    ]
    try:
        from runner.engine import connect
        from runner.engine.client import client

        engine, docker = connect(), client()
    except EnvironmentFault as error:
        checks.append(Check("engine", Status.FAILED, error.message, error.remedy))
        return checks + [Check(name, Status.SKIPPED, "no engine answers") for name in _ENGINE_CHECKS]
    try:
        checks += _engine_checks(engine, docker, place)
    finally:
        engine.close()
        docker.close()
    return checks


def nearest_existing(path: Path) -> Path:
    """`path` itself, or the nearest directory above it that exists."""
    absolute = path.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.is_dir())


def _engine_checks(engine: DockerEngine, docker: DockerClient, place: Path) -> Iterator[Check]:
    """One check that the engine fails to answer is that check's finding; the others still run."""
    raw: dict[str, Any] = docker.info()
    looks: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("engine", lambda: _engine(raw, docker.api.api_version)),
        ("endpoint", _endpoint),
        ("engine disk", lambda: _engine_disk(raw)),
        ("memory", lambda: _memory(raw)),
        ("cpu", lambda: _cpu(raw)),
        ("clock", lambda: _clock(raw)),
        ("images", lambda: _images(docker)),
        ("bind mount", lambda: _bind_mount(docker, place)),
        ("start mode", lambda: _start_mode(engine)),
        ("leftovers", lambda: _leftovers(engine)),
    ]
    from docker.errors import DockerException

    for name, look in looks:
        try:
            yield from look()
        except EnvironmentFault as error:
            yield Check(name, Status.FAILED, error.message, error.remedy)
        except (DockerException, OSError) as error:
            yield Check(
                name, Status.FAILED, f"the engine did not answer: {error}", "see the engine's log, or restart it"
            )


def _tool() -> Check:
    from runner import __version__

    return Check("version", Status.OK, f"run-pipeline {__version__}, Python {sys.version.split()[0]}")


def _writable(place: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=place):  # asks the file system itself: root passes every access check
            pass
    except OSError as error:
        cure = f"sudo chown {os.getuid()}:{os.getgid()} {place}, or choose another place with --runs-dir"
        return Check("permissions", Status.FAILED, f"{place} cannot be written: {error.strerror}", cure)
    return Check("permissions", Status.OK, f"{place} can be written")


def _disk(name: str, place: Path, cure: str) -> Check:
    free = shutil.disk_usage(place).free
    found = f"{_gib(free)} free at {place}"
    if free < DISK_NEEDED:
        return Check(name, Status.FAILED, found, cure)
    return Check(name, Status.WARNING, found, cure) if free < DISK_WANTED else Check(name, Status.OK, found)


def _engine(raw: dict[str, Any], api: str) -> Iterator[Check]:
    rootless = any("name=rootless" in option for option in raw.get("SecurityOptions") or ())
    found = (
        f"Docker {raw['ServerVersion']}, API {api}, {raw['OperatingSystem']}, {raw['OSType']}/{raw['Architecture']}, "
        f"cgroup v{raw.get('CgroupVersion', '1')}" + (", rootless" if rootless else "")
    )
    if raw["OSType"] != "linux":
        cure = "switch the engine to Linux containers: SageMaker's images are Linux images"
        yield Check("engine", Status.FAILED, found, cure)
    elif raw["Architecture"] not in ("x86_64", "amd64"):
        cure = "nothing to do for local images; SageMaker's own are for x86_64 and run emulated or not at all"
        yield Check("engine", Status.WARNING, found, cure)
    else:
        yield Check("engine", Status.OK, found)


def _endpoint() -> Iterator[Check]:
    from runner.engine.client import endpoint

    where = endpoint()
    yield Check("endpoint", Status.OK, f"{where.url} ({_origin(where.origin)})")


def _origin(name: str) -> str:
    return name if name == "DOCKER_HOST" else f"context {name}"


def _engine_disk(raw: dict[str, Any]) -> Iterator[Check]:
    root = Path(str(raw["DockerRootDir"]))
    if raw["Name"] != platform.node() or not root.exists():
        yield Check("engine disk", Status.SKIPPED, f"{root} is on another machine (or in a virtual one)")
    else:
        yield _disk("engine disk", root, "docker system prune")


def _memory(raw: dict[str, Any]) -> Iterator[Check]:
    found = f"{_gib(int(raw['MemTotal']))} for containers"
    problems = []
    if int(raw["MemTotal"]) < MEMORY_WANTED:
        problems.append("give the engine 2 GiB or more (Docker Desktop: Settings > Resources), or run with -j 1")
    if not raw.get("MemoryLimit", True):
        found += ", memory limits are not enforced"
        problems.append("boot the kernel with `cgroup_enable=memory`, else no step is killed at its limit")
    yield Check("memory", Status.WARNING if problems else Status.OK, found, "; ".join(problems))


def _cpu(raw: dict[str, Any]) -> Iterator[Check]:
    found = f"{raw['NCPU']} for containers"
    if not raw.get("CpuCfsQuota", True):
        cure = "the kernel lacks CFS bandwidth control: a step's cpu limit has no effect"
        yield Check("cpu", Status.WARNING, f"{found}, cpu limits are not enforced", cure)
    else:
        yield Check("cpu", Status.OK, found)


def _clock(raw: dict[str, Any]) -> Iterator[Check]:
    there = datetime.fromisoformat(str(raw["SystemTime"]))
    apart = abs(there.timestamp() - time.time())
    found = f"the engine's clock and this machine's are {apart:.0f} s apart"
    if apart > CLOCK_ALLOWED:
        cure = "set the clock of the engine's machine (Docker Desktop and Colima: restart the virtual machine)"
        yield Check("clock", Status.WARNING, found, cure)
    else:
        yield Check("clock", Status.OK, found)


def _images(docker: DockerClient) -> Iterator[Check]:
    from runner.engine import images

    for row in images.listing(client=docker):
        name = f"image {row.name}"
        if row.present:
            note = f"; {row.note}" if row.note else ""
            yield Check(name, Status.OK, f"{row.tag}, Python {row.python}, {_gib(row.size or 0)}{note}")
        else:
            cure = f"run-pipeline images build {row.name}    (a run that needs it does this by itself)"
            yield Check(name, Status.WARNING, "not built yet", cure)


def _bind_mount(docker: DockerClient, place: Path) -> Iterator[Check]:
    """A canary file: an engine in a virtual machine or on another host shows an empty directory, and no error."""
    from runner.engine import creation, images
    from runner.engine.oneshot import ask

    row = next((row for row in images.listing(client=docker) if row.present), None)
    if row is None:
        yield Check("bind mount", Status.SKIPPED, "no image is built yet to look with")
        return
    with tempfile.TemporaryDirectory(prefix=".run-pipeline-canary-", dir=place) as folder:
        word = os.urandom(16).hex()
        (Path(folder) / "canary").write_text(word, encoding="ascii")
        mount = creation.bind(folder, "/canary")
        seen = ask(docker, row.tag, ["cat", "/canary/canary"], purpose="doctor", mounts=[mount]).stdout
    if seen == word:
        yield Check("bind mount", Status.OK, f"containers see the files of {place}")
    else:
        cure = "share this directory with the engine's machine (Docker Desktop: Settings > Resources > File sharing)"
        yield Check("bind mount", Status.FAILED, f"containers do not see the files of {place}", cure)


def _start_mode(engine: DockerEngine) -> Iterator[Check]:
    from runner.engine import images
    from runner.engine.base import StartMode

    for row in images.listing():
        if row.present:
            mode = engine.image(row.tag).mode
            if mode is StartMode.STAGED:
                yield Check("start mode", Status.OK, "staged: containers are started ahead of their inputs")
            else:
                cure = "nothing to do: results are the same, each step starts a little later"
                yield Check("start mode", Status.OK, f"{mode}: this engine does not let a container mount", cure)
            return
    yield Check("start mode", Status.SKIPPED, "no image is built yet to look with")


def _leftovers(engine: DockerEngine) -> Iterator[Check]:
    dead = [leftover for leftover in engine.leftovers() if not leftover.owner_alive]
    if dead:
        yield Check("leftovers", Status.WARNING, f"{len(dead)} of dead runs on the engine", "run-pipeline clean")
    else:
        yield Check("leftovers", Status.OK, "none of dead runs")


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
