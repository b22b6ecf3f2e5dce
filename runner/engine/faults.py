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
    from docker.errors import APIError, ImageNotFound
    from requests.exceptions import RequestException

    try:
        yield
    except ImageNotFound:
        raise
    except APIError as error:
        raise EnvironmentFault(f"the Docker engine refused: {error.explanation or error}") from error
    except (RequestException, ConnectionError) as error:
        remedy = "run `run-pipeline doctor`"
        raise kind(f"the Docker engine does not answer: {error}", remedy=remedy) from error
