"""The private network of a step's instances: every host name has a fixed address on it before any of them starts.

Docker's own names for containers resolve only while a container runs, and SageMaker's hosts know each other from the
first moment to the last. So each container gets its address at creation, and a line for every host in `/etc/hosts`,
which needs neither a server nor the others. Addresses can be chosen only in a subnet that was asked for: a network is
made to learn which one is free, and made again with it.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runner.engine import labels
from runner.engine.base import Launch, Leftover, Peering
from runner.engine.sweep import sweep
from runner.errors import EnvironmentFault

if TYPE_CHECKING:
    from docker import APIClient
    from docker.errors import APIError

log = logging.getLogger(__name__)

_ATTEMPTS = 10
_FIRST = 2
"""The address before it would be the gateway's."""
_TAKEN = ("overlap", "address pool")
"""In the engine's words for a subnet that another network has, and for there being no other: "Pool overlaps with other
one on this address space"; "could not find an available, non-overlapping IPv4 address pool among the defaults"; of
newer engines "all predefined address pools have been fully subnetted"."""
_NO_GATEWAY = {"com.docker.network.bridge.inhibit_ipv4": "true"}
"""The bridge has no address on the host, else what listens on the host could be reached through it."""
NO_SERVER = {"dns": ["127.0.0.1"], "dns_opt": ["timeout:1", "attempts:1"]}
"""Where nothing is to be reached no name server is either: a name that is unknown fails within a second or two."""


def make(api: APIClient, launch: Launch, hosts: Sequence[str]) -> Peering:
    """The network of a launch's members. Raises docker's APIError, a RequestException, EnvironmentFault."""
    isolated = launch.job.network == "none"
    name = f"run-pipeline-{secrets.token_hex(6)}"
    subnet = _create(api, launch, name, isolated=isolated)
    pairs = tuple((host, str(subnet[_FIRST + number])) for number, host in enumerate(hosts))
    return Peering(name, pairs, isolated)


def remove(api: APIClient, name: str) -> None:
    """Never raises: what stays is found by its label later."""
    from docker.errors import APIError
    from requests.exceptions import RequestException

    stub = Leftover(kind="network", name=name, run_id="", step="", owner_alive=True)
    try:
        kept = sweep(api, [stub])
    except (APIError, RequestException, OSError) as error:
        log.warning("network %s is left for the next sweep: %s", name, error)
    else:
        if kept:
            log.warning("network %s is left for the next sweep", name)


def _create(api: APIClient, launch: Launch, name: str, *, isolated: bool) -> ipaddress.IPv4Network:
    from docker import errors

    fault: APIError | None = None
    for _ in range(_ATTEMPTS):
        try:
            subnet = _free(api, launch, name)
            _ask(api, launch, name, str(subnet), isolated=isolated)
        except errors.APIError as error:
            if not _is_taken(error):
                raise
            fault = error  # somebody else has just taken it, or holds the last one for a moment
        else:
            return subnet
    raise EnvironmentFault(
        f"the engine has no free subnet for the instances of step '{launch.job.step}': {fault and fault.explanation}",
        remedy="remove networks that nobody uses (`docker network ls` lists them, `docker network prune` removes all"
        " that no container is in), or give the engine more in its `default-address-pools`",
    ) from fault


def _is_taken(error: APIError) -> bool:
    """Whether the subnet, or every subnet that the engine may give, is another network's. There is no status for it."""
    words = str(error.explanation or error).lower()
    return any(part in words for part in _TAKEN)


def _free(api: APIClient, launch: Launch, name: str) -> ipaddress.IPv4Network:
    """A subnet that the engine itself would take now."""
    made = _ask(api, launch, name, None, isolated=True)
    try:
        configs = api.inspect_network(made)["IPAM"]["Config"]
    finally:
        api.remove_network(made)
    found = [ipaddress.ip_network(str(config["Subnet"])) for config in configs]
    return next(network for network in found if isinstance(network, ipaddress.IPv4Network))


def _ask(api: Any, launch: Launch, name: str, subnet: str | None, *, isolated: bool) -> str:
    from docker.types import IPAMConfig, IPAMPool

    made = api.create_network(
        name,
        driver="bridge",
        internal=isolated,
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]) if subnet is not None else None,
        options=_NO_GATEWAY if isolated else None,
        labels=labels.labels(launch.run_id, launch.job.step),
        check_duplicate=True,
    )
    return str(made["Id"])
