"""A `Launch` in the words of the `docker` command, for people who run it by hand."""

from __future__ import annotations

from pathlib import Path

from runner.engine.base import BoundInput, BoundOutput, Launch
from runner.sagemaker.job import Limits


def docker_argv(launch: Launch, *, by_reference: bool = False) -> list[str]:
    """A `docker run` command for the same container, without our agent: the script itself is process 1.

    Mounts are the launch's own directories, so inputs and checkpoints are read-only: nothing here makes a private
    copy, and the data of another step or attempt must not change (`render.reproduce_script` copies). Docker cannot
    mount one thing inside a read-only other when the directory for it is missing there; such a launch needs the script
    too.
    The image is named by id, or by the reference that the user wrote. The job's time-out is not in it: Docker has none.
    """
    words = ["docker", "run", "--rm", *(word for option in options(launch) for word in option)]
    for bound in launch.inputs:
        words += ["--mount", f"{_bind(bound)},readonly"]
    for place in (*launch.outputs, *launch.config):
        words += ["--mount", _bind(place)]
    for place in launch.kept:
        words += ["--mount", f"{_bind(place)},readonly"]
    return [*words, image(launch, by_reference=by_reference), *arguments(launch)]


def _bind(bound: BoundInput | BoundOutput) -> str:
    return bind(bound.host, bound.target)


def bind(source: Path, target: str) -> str:
    """The value of a `--mount` that binds a directory, to be written to."""
    return ",".join(("type=bind", csv_field(f"source={source}"), csv_field(f"target={target}")))


def csv_field(text: str) -> str:
    """A field of a `--mount` value, which is one record of CSV (RFC 4180, as Go's `encoding/csv` reads it)."""
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"\r\n') else text


def options(launch: Launch, *, entrypoint: str | None = None) -> list[tuple[str, ...]]:
    """All that the engine sets but mounts, each option with its value.

    The image's USER applies by itself, and its WORKDIR too when the job names none. `--entrypoint` takes one word (the
    job's first, or the one given here); `arguments` has the others.
    """
    job = launch.job
    found: list[tuple[str, ...]] = [("--network", job.network), ("--hostname", job.hostname), ("--no-healthcheck",)]
    if job.network == "none":  # a network of its own makes the name resolve; without one nothing does
        found.append(("--add-host", f"{job.hostname}:127.0.0.1"))
    found += [("--env", f"{key}={value}") for key, value in job.env]
    if job.working_dir is not None:
        found.append(("--workdir", job.working_dir))
    found += _limits(job.limits)
    if entrypoint is not None or job.entrypoint:
        found.append(("--entrypoint", entrypoint if entrypoint is not None else (job.entrypoint or ())[0]))
    return found


def _limits(limits: Limits) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    if limits.cpus is not None:
        found.append(("--cpus", f"{limits.cpus:.9f}".rstrip("0").rstrip(".")))  # Docker refuses more than nine places
    if limits.memory is not None:
        found += [("--memory", str(limits.memory)), ("--memory-swap", str(limits.memory))]
    if limits.shm_size is not None:
        found.append(("--shm-size", str(limits.shm_size)))
    if limits.pids is not None:
        found.append(("--pids-limit", str(limits.pids)))
    return found


def arguments(launch: Launch) -> list[str]:
    """What follows the image."""
    return [*(launch.job.entrypoint or ())[1:], *(launch.job.arguments or ())]


def image(launch: Launch, *, by_reference: bool) -> str:
    return launch.image.reference if by_reference else launch.image.id
