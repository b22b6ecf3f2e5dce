"""One build with Docker's classic builder: a generated context in, streamed output, and no layer left that could hold
the host's pip settings. (docker-py has no BuildKit, and BuildKit's secrets with it.)"""

from __future__ import annotations

import io
import re
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runner.engine.recipes import Recipe
from runner.errors import ImageUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

    from runner.engine.recipes_host import HostSettings

Log = Callable[[str], None]

STAGE_LABEL = "run-pipeline.stage"
"""Carried by a build stage in the Dockerfiles: its layers are removed after the build."""

_LAST_LINES = 15
_LAYER = re.compile(r"^ ---> ([0-9a-f]{12,64})$")
_HOST_FOLDER = ".host"


def build_recipe(
    client: DockerClient, recipe: Recipe, base: str, host: HostSettings, labels: Mapping[str, str], log: Log
) -> None:
    """Build `recipe` on `base` and tag it. Raises ImageUnavailable with the last lines of the output."""
    from docker.errors import APIError

    layers: list[str] = []
    tail: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        stream = client.api.build(
            fileobj=context(recipe, host),
            custom_context=True,
            dockerfile="Dockerfile",
            tag=recipe.tag(),
            buildargs={"BASE_IMAGE": base, **host.build_args},
            labels=dict(labels),
            network_mode=host.network,
            rm=True,
            forcerm=True,
            pull=False,
            decode=True,
        )
        failure = _follow(stream, layers, tail, log)
    except APIError as error:
        failure = str(error.explanation or error)
    finally:
        remove_stages(client, layers, log)
    if failure:
        shown = "\n".join(f"    {line}" for line in tail)
        raise ImageUnavailable(
            f"the image {recipe.name!r} could not be built: {failure}\n{shown}",
            remedy=f"see {recipe.folder / 'Dockerfile'}; packages come from where `pip config list` here says",
        )


def context(recipe: Recipe, host: HostSettings) -> io.BytesIO:
    """The build context as an uncompressed tar: the recipe's folder and `.host`, owned by root, with no times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in recipe.files():
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            _add(tar, path.relative_to(recipe.folder).as_posix(), path.read_bytes(), mode)
        for name, content in host.files.items():
            _add(tar, f"{_HOST_FOLDER}/{name}", content, 0o600)
    buffer.seek(0)
    return buffer


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode
    tar.addfile(entry, io.BytesIO(content))


def _follow(stream: Iterable[dict[str, Any]], layers: list[str], tail: deque[str], log: Log) -> str | None:
    """Pass the output on line by line; returns the builder's error message, or None."""
    failure = None
    for message in stream:
        for line in str(message.get("stream", "")).splitlines():
            found = _LAYER.match(line)
            if found:
                layers.append(found.group(1))
            elif line.strip():
                tail.append(line.rstrip())
                log(line.rstrip())
        if "error" in message:
            failure = str(message["error"]).strip()
    return failure


def remove_stages(client: DockerClient, layers: Iterable[str], log: Log) -> None:
    """Remove the layers of build stages, newest first: they may hold an index URL with a password."""
    from docker.errors import APIError, ImageNotFound

    for layer in reversed(list(layers)):
        # Its parents go with it when nothing else uses them: a later look-up then finds nothing.
        with suppress(ImageNotFound):
            try:
                if STAGE_LABEL in (client.images.get(layer).labels or {}):
                    client.images.remove(layer)
            except ImageNotFound:
                raise
            except APIError as error:
                log(f"a layer of the build stage could not be removed ({layer}): {error.explanation}")
