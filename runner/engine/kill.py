"""A signal to a container through the engine, for whoever must not wait for the engine's answer."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger(__name__)


def kill(api: APIClient, container: str, signal: str) -> None:
    """Send it, from a thread of its own: the engine may hold the container's lock until its output is drained, and the
    draining is done by the thread that is in `Container.run`."""
    threading.Thread(target=_kill, args=(api, container, signal), daemon=True).start()


def _kill(api: APIClient, container: str, signal: str) -> None:
    from docker.errors import APIError
    from requests.exceptions import RequestException

    try:
        api.kill(container, signal=signal)
    except (APIError, RequestException, OSError) as error:
        log.debug("kill %s of %s: %s", signal, container[:12], error)  # it has ended: the wait says how
