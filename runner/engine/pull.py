"""Pulling an image, bounded in time, with the two kinds of failure told apart."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runner.errors import ImageUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

_SECONDS_OF_SILENCE = 60
"""The engine itself gives up on a dead registry after about 15 s; this covers an engine that does not."""
_UNREACHABLE = (
    "no such host",
    "server misbehaving",
    "temporary failure in name resolution",
    "dial tcp",
    "i/o timeout",
    "connection refused",
    "connection reset",
    "network is unreachable",
    "no route to host",
    "proxyconnect",
    "client.timeout",
    "request canceled",
    "tls handshake",
    "timed out",
    "unexpected eof",
)
_UNTRUSTED = ("x509", "certificate")


class PullFailure(enum.StrEnum):
    UNREACHABLE = "no registry is reachable"
    UNTRUSTED = "the registry's certificate is not trusted by the engine"
    REFUSED = "the registry answered, and refused or does not have it"


_REMEDIES = {
    PullFailure.UNREACHABLE: "check the network and the engine's proxy, or load the image by hand (`docker load`)",
    PullFailure.UNTRUSTED: "add the proxy's CA to the engine's trust store, or load the image by hand (`docker load`)",
    PullFailure.REFUSED: "check the name and tag; `docker login` if it is private",
}


class PullError(ImageUnavailable):
    """A pull failed; `failure` says in which way."""

    def __init__(self, reference: str, failure: PullFailure, detail: str) -> None:
        message = f"image {reference!r} cannot be pulled: {failure} ({detail})"
        super().__init__(message, remedy=_REMEDIES[failure])
        self.failure = failure


def inspect(client: DockerClient, reference: str) -> dict[str, Any] | None:
    """What the engine knows of an image (`docker image inspect`), or None when it is not there."""
    from docker.errors import ImageNotFound

    try:
        return client.images.get(reference).attrs
    except ImageNotFound:
        return None


def present(client: DockerClient, reference: str) -> bool:
    return inspect(client, reference) is not None


def pull(client: DockerClient, reference: str, log: Callable[[str], None]) -> None:
    """Pull one image; each layer's change of state is one line to `log`. Raises PullError."""
    from docker.errors import APIError
    from requests.exceptions import RequestException

    shown: dict[str, str] = {}
    repository, tag = split(reference)
    patience = client.api.timeout
    client.api.timeout = _SECONDS_OF_SILENCE
    try:
        for message in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in message:
                raise _failed(reference, str(message["error"]))
            layer, status = str(message.get("id", "")), str(message.get("status", ""))
            if status and shown.get(layer) != status:
                shown[layer] = status
                log(f"{layer}: {status}" if layer else status)
    except APIError as error:
        raise _failed(reference, str(error.explanation or error)) from error
    except (RequestException, OSError) as error:
        raise _failed(reference, f"timed out or lost: {type(error).__name__}") from error
    finally:
        client.api.timeout = patience


def split(reference: str) -> tuple[str, str]:
    """`repository` and `tag` (`latest` when there is none); a digest stays with the repository's `@`."""
    name, _, digest = reference.partition("@")
    repository, separator, tag = name.rpartition(":")
    if not separator or "/" in tag:  # no tag, or the colon of a registry's port
        repository, tag = name, "latest"
    return (repository, digest) if digest else (repository, tag)


def classify(detail: str) -> PullFailure:
    lowered = detail.lower()
    if any(mark in lowered for mark in _UNTRUSTED):
        return PullFailure.UNTRUSTED
    if any(mark in lowered for mark in _UNREACHABLE):
        return PullFailure.UNREACHABLE
    return PullFailure.REFUSED


def _failed(reference: str, detail: str) -> PullError:
    return PullError(reference, classify(detail), detail.strip())
