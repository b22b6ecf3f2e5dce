"""What lies beside a step's results for a person with nothing but Docker: `reproduce.sh` and `shell.sh`.

Both are bash (3.2 or newer). Arguments, environment and paths go through `shlex.quote`, so that any character
survives; a text with undecodable bytes holds surrogates, so write the script with `errors="surrogateescape"`.
Environment values stand in the scripts in plain text.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runner.engine import byhand
from runner.engine.base import Launch
from runner.engine.creation import argv, points, targets
from runner.engine.dockercli import arguments, csv_field, docker_argv, image, options
from runner.engine.posting import client_command, server_part
from runner.engine.recipes import docker_reference
from runner.errors import EnvironmentFault
from runner.sagemaker.job import Transform

__all__ = ["docker_argv", "reproduce_script", "shell_script"]

_SHELL = "if [ -x /bin/bash ]; then exec /bin/bash; else exec /bin/sh; fi"


def reproduce_script(launch: Launch, *, directory: Path | None = None, by_reference: bool = False) -> str:
    """A script that runs the step's command again, on private copies, and ends with the container's status.

    `directory` is where the script will lie (default: the step's, the parent of `scratch`). What lies in the run
    directory is named relative to it, so that a run directory can be moved; other inputs are named absolutely.
    """
    where = directory or launch.scratch.parent
    if launch.job.transform is not None:
        return _reproduce_transform(launch, launch.job.transform, where, by_reference)
    return _script(
        launch,
        "reproduce",
        where,
        by_reference,
        [f"# Runs {_about(launch)} again, by hand, with nothing but docker.", *_differences(launch)],
        [*_run("--rm", options(launch), arguments(launch)), byhand.START],
    )


def shell_script(launch: Launch, *, directory: Path | None = None, by_reference: bool = False) -> str:
    """As `reproduce_script`, but with a shell where the command would start: same image, mounts, environment, limits
    and working directory. The command is shown first. Commands on a standard input that is no terminal work too."""
    where = directory or launch.scratch.parent
    before: list[str] = []
    if launch.job.transform is not None:
        launch = server_part(launch)
        before = ["# Only the server's: nothing posts the data here.", *_unpacking(launch)]
    run = _run('"${terminal[@]}"', options(launch, entrypoint="/bin/sh"), ["-c", _SHELL])
    told = [f"say {shlex.quote('the command of this step is:')}", f"say {shlex.quote('  ' + _command_text(launch))}"]
    return _script(
        launch,
        "shell",
        where,
        by_reference,
        [f"# Opens a shell in the container of {_about(launch)}, with nothing but docker.", *_without(launch)],
        [*before, byhand.TERMINAL, *run, *told, byhand.START_SHELL],
    )


def _reproduce_transform(launch: Launch, transform: Transform, where: Path, by_reference: bool) -> str:
    """The server, and the client that posts the same requests to it."""
    places = {place.name: place for place in _places(launch, where)}
    poster = launch.image if launch.image.python else None
    post = [
        "post=(",
        '  docker run --rm --name "$name-post" --network "container:$name" --user 0:0',
        f"  --mount {_mount(places['data'])},readonly",
        f"  --mount {_mount(places['output'])}",
        *_client_words(transform, poster.python if poster and poster.python else "python3", poster is not None),
        ")",
    ]
    run = _run("--rm", options(launch), arguments(launch))
    body = [*_unpacking(launch), *run, *post, f"grace={launch.job.limits.grace:g}", byhand.START_SERVING]
    return _script(
        launch,
        "reproduce",
        where,
        by_reference,
        [
            f"# Serves and posts {_about(launch)} again, by hand, with nothing but docker and tar.",
            *_differences(launch),
        ],
        body,
        apart=("data", "output"),
    )


def _client_words(transform: Transform, python: str, same_image: bool) -> list[str]:
    command = client_command(transform, python)
    where = '"$image"' if same_image else shlex.quote(docker_reference("python"))
    return [f"  --entrypoint {shlex.quote(command[0])}", f"  {where}", f"  {shlex.join(command[1:])}"]


def _unpacking(launch: Launch) -> list[str]:
    folders = [
        _folder("inputs", number, bound.name) for number, bound in enumerate(launch.inputs) if bound.name == "model"
    ]
    return [byhand.UNPACK, *(f'unpack "$work/{folder}"' for folder in folders)] if folders else []


@dataclass(frozen=True)
class _Place:
    """A mount of the copy: a directory below `$work`."""

    folder: str
    name: str
    target: str
    source: str | None
    """A word of bash that names the directory to copy; None: starts empty."""
    points: tuple[str, ...] | None = None
    """Of what is mounted read-only: the directories in it on which other things are mounted."""


def _script(
    launch: Launch,
    what: str,
    where: Path,
    by_reference: bool,
    head: list[str],
    body: list[str],
    apart: tuple[str, ...] = (),
) -> str:
    """`apart` names what is copied and reported, but not mounted in the container."""
    places = _places(launch, where)
    parts = [
        "#!/usr/bin/env bash",
        *head,
        f"# The image was {_comment(launch.image.reference)}, {launch.image.id}.",
        f"# Usage: {what}.sh [--image REFERENCE]    for instance when that image is gone",
        "set -euo pipefail",
        f"what={what}",
        f"image={shlex.quote(image(launch, by_reference=by_reference))}",
        byhand.HEAD.replace(byhand.REPORT, "\n".join(_report(launch, places))),
        *_copies(launch, places),
        "mounts=(",
        *(f"  --mount {_mount(place)}" for place in places if place.name not in apart),
        ")",
        *_alone(launch),
        *body,
    ]
    return "\n".join([*parts, ""])


def _places(launch: Launch, where: Path) -> list[_Place]:
    """Numbers keep the folders apart where two names look alike to a file system."""
    written = {str(PurePosixPath(item.target).parent) for item in launch.job.config}
    inputs = [
        _Place(
            _folder("inputs", n, bound.name),
            bound.name,
            bound.target,
            _source(bound.host, launch, where),
            tuple(points(bound.target, targets(launch))) if bound.private == "read-only" else None,
        )
        for n, bound in enumerate(launch.inputs)
    ]
    outputs = [
        _Place(_folder("outputs", n, bound.name), bound.name, bound.target, None)
        for n, bound in enumerate(launch.outputs)
    ]
    config = [
        _Place(
            f"config/{n}",
            bound.name,
            bound.target,
            _source(bound.host, launch, where) if bound.target in written else None,
        )
        for n, bound in enumerate(launch.config)
    ]
    kept = [
        _Place(_folder("kept", n, bound.name), bound.name, bound.target, _source(bound.host, launch, where))
        for n, bound in enumerate(launch.kept)
    ]
    return [*inputs, *outputs, *config, *kept]


def _folder(kind: str, number: int, name: str) -> str:
    return f"{kind}/{number}-{re.sub('[^A-Za-z0-9._-]', '_', name)}"


def _source(host: Path, launch: Launch, where: Path) -> str:
    if host.is_relative_to(launch.run_root) and where.is_relative_to(launch.run_root):
        return f'"$here"/{shlex.quote(os.path.relpath(host, where))}'
    return shlex.quote(str(host))


def _mount(place: _Place) -> str:
    shut = ",readonly" if place.points is not None else ""
    return f'type=bind,"$(source_of "$work/{place.folder}")",{shlex.quote(csv_field(f"target={place.target}"))}{shut}'


def _copies(launch: Launch, places: list[_Place]) -> list[str]:
    # SageMaker's platform lets an image with a USER of its own write where outputs are due.
    own_user = launch.image.user.partition(":")[0] not in ("", "0", "root")
    empty = "empty_for_all" if own_user else "empty"
    lines = []
    for place in places:
        folder = f'"$work/{place.folder}"'
        if place.source is None:
            lines.append(f"{empty} {folder}")
        else:
            lines.append(f"copy {shlex.quote(place.name)} {place.source} {folder}")
        lines += [f"empty {folder}/{shlex.quote(point)}" for point in place.points or ()]
    return lines


def _run(mode: str, options: list[tuple[str, ...]], arguments: list[str]) -> list[str]:
    return [
        "run=(",
        f'  docker run {mode} --name "$name" --cidfile "$work/container"',
        *(f"  {shlex.join(option)}" for option in options),
        '  "${mounts[@]}"',
        '  "$image"',
        *(f"  {shlex.quote(word)}" for word in arguments),
        ")",
    ]


def _report(launch: Launch, places: list[_Place]) -> list[str]:
    outputs = [place for place in places if place.folder.startswith("outputs/")]
    lines = [f'  say {shlex.quote(f"output {place.name}:")} "$work/{place.folder}"' for place in outputs]
    message = launch.job.exit_message
    for place in places:
        if message is not None and place.target == str(PurePosixPath(message).parent):
            file = shlex.quote(PurePosixPath(message).name)
            lines.append(f'  [ ! -e "$work/{place.folder}"/{file} ] || say "message:" "$work/{place.folder}"/{file}')
    return lines or ["  :"]


def _differences(launch: Launch) -> list[str]:
    timeout = launch.job.limits.timeout
    clock = [f"# Not repeated here: the time-out of {timeout:g} s."] if timeout is not None else []
    kept = [f"# {place.target} begins with a copy of what is kept there now." for place in launch.kept]
    return [*clock, *kept, *_without(launch)]


def _without(launch: Launch) -> list[str]:
    if launch.job.credentials == "none":
        return []
    return ["# Not repeated here: the step's AWS credentials; give some with --env in the line `docker run`."]


def _alone(launch: Launch) -> list[str]:
    """One of several instances is started by itself: whoever waits for the others should know."""
    job = launch.job
    if job.instance_count == 1:
        return []
    text = f"this is {job.hostname} alone, of {job.instance_count} instances: the others do not run and do not resolve"
    return [f"say {shlex.quote(text)}"]


def _command_text(launch: Launch) -> str:
    try:
        return shlex.join(argv(launch))
    except EnvironmentFault as error:  # such a step cannot run; a shell in its image still helps
        return f"none: {error.message}"


def _about(launch: Launch) -> str:
    return f"step {_comment(launch.job.step)} of run {_comment(launch.run_id)}"


def _comment(text: str) -> str:
    """In quotes and on one line: a line end in a name must not end the comment."""
    return json.dumps(text, ensure_ascii=False)
