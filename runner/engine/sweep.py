"""What of ours the engine still holds, and its removal. Used at start-up, by `clean`, and by the janitor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.engine import labels, trees
from runner.engine.base import Leftover

if TYPE_CHECKING:
    from docker import APIClient


def leftovers(api: APIClient, run_id: str | None = None) -> list[Leftover]:
    """Containers first, since they hold volumes and networks. Raises docker's APIError or a RequestException."""
    wanted: dict[str, Any] = {"label": f"{labels.RUN}={run_id}" if run_id else labels.MARK}
    found = [
        _leftover("container", each["Id"], each.get("Labels")) for each in api.containers(all=True, filters=wanted)
    ]
    volumes = api.volumes(filters=wanted).get("Volumes") or []
    found += [_leftover("volume", each["Name"], each.get("Labels")) for each in volumes]
    found += [_leftover("network", each["Id"], each.get("Labels")) for each in api.networks(filters=wanted)]
    return found


def sweep(api: APIClient, found: Sequence[Leftover]) -> list[Leftover]:
    """Remove them; what was gone already counts as removed. Returns what the engine would not remove."""
    from docker.errors import APIError

    kept = []
    for leftover in found:
        try:
            _remove(api, leftover)
        except APIError:
            kept.append(leftover)
    return kept


def remove_container(api: APIClient, container: str) -> None:
    """Remove a container, killing it if it runs, and wait out a removal that is already under way."""
    from docker.errors import APIError, NotFound

    for attempt in range(20):
        try:
            api.remove_container(container, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409 or attempt == 19:
                raise
            time.sleep(0.1)
        else:
            return


def _scratch(api: APIClient, container: str) -> Path | None:
    """The directory that goes with a container that somebody else made; only its label knows."""
    scratch = (api.inspect_container(container)["Config"].get("Labels") or {}).get(labels.SCRATCH)
    return Path(scratch) if scratch else None


def remove_tree(path: Path) -> None:
    """Remove a directory of ours; foreign-owned remains are left for `clean`, which says so."""
    with contextlib.suppress(OSError):
        trees.remove(path)


def _remove(api: APIClient, leftover: Leftover) -> None:
    from docker.errors import NotFound

    try:
        if leftover.kind == "container":
            scratch = _scratch(api, leftover.name)
            remove_container(api, leftover.name)
            if scratch is not None:
                remove_tree(scratch)
        elif leftover.kind == "volume":
            api.remove_volume(leftover.name, force=True)
        else:
            api.remove_network(leftover.name)
    except NotFound:
        return


def is_taken(container: str, step: str) -> bool:
    """Whether it is a container of the pool that a living run uses."""
    from runner.engine.pool import pins

    return step == labels.WARM and pins.pinned(container)


def _leftover(kind: str, name: str, found: dict[str, str] | None) -> Leftover:
    marks = found or {}
    return Leftover(
        kind=kind,
        name=name,
        run_id=marks.get(labels.RUN, ""),
        step=marks.get(labels.STEP, ""),
        owner_alive=labels.owner_alive(marks.get(labels.OWNER, "")) or is_taken(name, marks.get(labels.STEP, "")),
    )
