"""A step's `docker run` as lines of bash: a part of `byhand`."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runner.engine.base import BoundInput, BoundOutput, Image, Launch, StartMode
from runner.sagemaker.job import ContainerJob


class Bash(str):
    """A word that stands as it is, for bash to expand; every other one is quoted."""

    __slots__ = ()


def words(*each: str) -> str:
    return " ".join(word if isinstance(word, Bash) else shlex.quote(word) for word in each)


def docker(
    job: ContainerJob, work: Path, shut: tuple[BoundInput, ...], mounts: tuple[BoundOutput, ...], *more: str
) -> list[str]:
    """The command, and what it needs before it. Every mount but those of `shut` is writable: the inputs are copies.
    `more` are further options, `--rm` for instance."""
    from runner.engine.dockercli import arguments, docker_argv
    from runner.engine.recipes import docker_reference

    image = Image(
        reference=docker_reference(job.image), id="", entrypoint=(), cmd=(), env=(), user="", working_dir="",
        python=None, python_version=None, mode=StartMode.COLD,
    )  # fmt: skip
    without: dict[str, Any] = dict.fromkeys(job.limits.of_instance)
    launch = Launch(
        job=dataclasses.replace(job, limits=dataclasses.replace(job.limits, **without)),
        image=image, run_id="by-hand", run_root=work, inputs=shut, outputs=mounts, config=(),
        scratch=work / job.step / "scratch",
    )  # fmt: skip
    argv = docker_argv(launch, by_reference=True)
    end = len(argv) - 1 - len(arguments(launch))
    options = [*argv[:2], *more, *_instance_options(job), *argv[3:end]]  # the third word is `--rm`
    return [*_instance(job), *_credentials(job), folded(options, argv[end:])]


def folded(options: list[str], command: list[str]) -> str:
    """`docker run`, one option a line, then the image and its arguments."""
    lines = [options[:2]]
    for word in options[2:]:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word)
    return " \\\n  ".join(words(*line) for line in [*lines, command])


def _instance(job: ContainerJob) -> Iterator[str]:
    """What the instance type alone gives is no more than the engine has, as in a run."""
    has = {"cpus": ("NCPU", job.limits.cpus), "memory": ("MemTotal", job.limits.memory)}
    for name in job.limits.of_instance:
        field, most = has[name]
        yield f"# {name}: those of {job.instance_type}, at most the engine's"
        yield f"{name}=$(docker info --format '{{{{.{field}}}}}')"
        yield f'[ "${name}" -lt {most:.0f} ] || {name}={most:.0f}'


def _instance_options(job: ContainerJob) -> Iterator[str]:
    for name in job.limits.of_instance:
        for option in ("--cpus",) if name == "cpus" else ("--memory", "--memory-swap"):
            yield from (option, Bash(f'"${name}"'))


def _credentials(job: ContainerJob) -> Iterable[str]:
    if job.credentials == "none":
        return
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")
    yield "# Not in this command: the AWS credentials that the step asks for. Export them, and put behind `docker run`:"
    yield f"#   {' '.join(f'--env {name}' for name in names)}"
    if job.credentials == "endpoint":
        yield "# There is no endpoint either, which a run gives the step: an SDK finds them in these variables."
