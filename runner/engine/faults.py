"""docker-py's and requests' exceptions, turned into ours at the edge of the room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import EnvironmentFault


@contextmanager
def lost_is(kind: type[EnvironmentFault]) -> Iterator[None]:
    """An engine that does not answer raises `kind`; one that refuses raises EnvironmentFault with its words.

    A missing image passes through as docker-py's ImageNotFound: only the caller knows the remedy.
    """
    try:
        yield
    except Exception as error:  # docker-py's are imported only where there is one: that takes a fifth of a second
        from docker.errors import APIError, ImageNotFound
        from requests.exceptions import RequestException

        if isinstance(error, ImageNotFound):
            raise
        if isinstance(error, APIError):
            raise EnvironmentFault(f"the Docker engine refused: {error.explanation or error}") from error
        if isinstance(error, RequestException | ConnectionError):
            remedy = "run `run-pipeline doctor`"
            raise kind(f"the Docker engine does not answer: {error}", remedy=remedy) from error
        raise
