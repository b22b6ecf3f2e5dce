"""What `doctor` checks: each check looks at one thing and names the cure for what is wrong with it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import EnvironmentFault

if TYPE_CHECKING:
    from runner.engine.base import Engine, EngineInfo

GIB = 2**30
DISK_NEEDED, DISK_WANTED = 1 * GIB, 5 * GIB
"""Below the first, runs will fail; below the second, an image build (about 2 GiB with its layers) may."""
MEMORY_WANTED = 2 * GIB


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    """Runs cannot work: exit code 3."""
    SKIPPED = "skipped"
    """Not looked at, because what it needs is missing."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    status: Status
    found: str
    cure: str = ""
    """What to type or do; empty when nothing is wrong."""


def examine(runs_dir: Path) -> Iterator[Check]:
    """All checks, in the order in which their causes lie; raises nothing for what it finds wrong."""
    from runner import engine

    yield _python()
    try:
        connected = engine.connect()
        info = connected.info()
    except EnvironmentFault as error:
        yield Check("engine", Status.FAILED, error.message, error.remedy)
        yield from (Check(name, Status.SKIPPED, "no engine answers") for name in ("memory", "images", "leftovers"))
    else:
        try:
            yield _engine(info)
            yield _memory(info)
            yield from _images(connected)
            yield _leftovers(connected)
        finally:
            connected.close()
    yield _disk("disk", runs_dir)
    yield _writable("permissions", runs_dir)


def _python() -> Check:
    from runner import __version__

    return Check("version", Status.OK, f"run-pipeline {__version__}, Python {sys.version.split()[0]}")


def _engine(info: EngineInfo) -> Check:
    found = (
        f"{info.name} {info.version}, API {info.api_version}, {info.os}/{info.architecture}, "
        f"context {info.context or 'default'}, {info.endpoint}" + (", rootless" if info.rootless else "")
    )
    if "windows" in info.os.lower():
        cure = "switch the engine to Linux containers: SageMaker's images are Linux images"
        return Check("engine", Status.FAILED, found, cure)
    return Check("engine", Status.OK, found)


def _memory(info: EngineInfo) -> Check:
    from runner.report.text import count, size

    found = f"{size(info.memory)} and {count(info.cpus, 'CPU')} for containers"
    if info.memory < MEMORY_WANTED:
        cure = "give the engine 2 GiB or more (Docker Desktop: Settings > Resources), or run with -j 1"
        return Check("memory", Status.WARNING, found, cure)
    return Check("memory", Status.OK, found)


def _images(connected: Engine) -> Iterator[Check]:
    from runner.engine import images
    from runner.errors import ImageUnavailable

    for name in images.catalogue():
        try:
            image = connected.image(images.local_tag(name))
        except ImageUnavailable:
            cure = f"run-pipeline images build {name}    (a run that needs it does this by itself)"
            yield Check(f"image {name}", Status.WARNING, "not built yet", cure)
        except EnvironmentFault as error:
            yield Check(f"image {name}", Status.FAILED, error.message, error.remedy)
        else:
            python = f"Python {image.python_version}" if image.python_version else "no Python"
            yield Check(f"image {name}", Status.OK, f"{image.reference}, {python}, {image.mode} start")


def _leftovers(connected: Engine) -> Check:
    from runner.report.text import count

    found = connected.leftovers()
    dead = [leftover for leftover in found if not leftover.owner_alive]
    if dead:
        kinds = count(len(dead), "object")
        return Check("leftovers", Status.WARNING, f"{kinds} of dead runs on the engine", "run-pipeline clean")
    return Check("leftovers", Status.OK, f"none of dead runs; {count(len(found), 'object')} of live ones")


def _disk(name: str, runs_dir: Path) -> Check:
    from runner.report.text import size

    place = nearest_existing(runs_dir)
    free = shutil.disk_usage(place).free
    found = f"{size(free)} free at {place}"
    cure = "run-pipeline clean --runs --keep 5, or docker system prune, or --runs-dir on another disk"
    if free < DISK_NEEDED:
        return Check(name, Status.FAILED, found, cure)
    return Check(name, Status.WARNING, found, cure) if free < DISK_WANTED else Check(name, Status.OK, found)


def _writable(name: str, runs_dir: Path) -> Check:
    place = nearest_existing(runs_dir)
    try:
        with tempfile.TemporaryFile(dir=place):  # asks the file system itself: root passes every access check
            pass
    except OSError as error:
        cure = f"sudo chown {os.getuid()}:{os.getgid()} {place}, or choose another place with --runs-dir"
        return Check(name, Status.FAILED, f"{place} cannot be written: {error.strerror}", cure)
    return Check(name, Status.OK, f"{place} can be written")


def nearest_existing(path: Path) -> Path:
    """`path` itself, or the nearest directory above it that exists."""
    absolute = path.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.is_dir())
