"""One short container that answers one question, and is gone afterwards also when it cannot start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.engine import labels
from runner.engine.sweep import remove_container

if TYPE_CHECKING:
    from docker import DockerClient

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    exit_code: int
    stdout: str
    stderr: str


def ask(
    client: DockerClient,
    image: str,
    argv: Sequence[str],
    *,
    purpose: str,
    mounts: Sequence[dict[str, Any]] = (),
    user: str | None = None,
    seconds: float = _SECONDS,
) -> Answer:
    """Run `argv` in `image` with no network, as the image's USER unless `user` is given.

    `purpose` goes into its label; it is waited for `seconds`. Raises docker's APIError.
    """
    api: Any = client.api
    config = api.create_host_config(network_mode="none")
    config["Mounts"] = list(mounts)
    container = api.create_container(
        image, list(argv[1:]), entrypoint=[argv[0]], user=user, host_config=config, labels=labels.labels(purpose, "ask")
    )["Id"]
    try:
        api.start(container)
        code = int(api.wait(container, timeout=seconds)["StatusCode"])
        out, err = (api.logs(container, stdout=first, stderr=not first) for first in (True, False))
    finally:
        remove_container(api, container)
    return Answer(code, out.decode(errors="replace").strip(), err.decode(errors="replace").strip())
