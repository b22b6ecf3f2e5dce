"""A `Launch` as the body of Docker's create call, for each of the three start modes.

Mounts are the API's structured ones (`Mounts`), never `source:target` strings, so that a path may hold any character.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.agent import agent_source, hook_source
from runner.engine import labels, network, tracing
from runner.engine.base import Image, Launch, StartMode
from runner.errors import EnvironmentFault

HIDDEN = "/.runner"
"""Where a staged container sees the run directory until the agent has mounted this step's part of it."""

KNOCK = "go"
"""Name of the FIFO in a staged container's scratch directory through which it is told to go."""
SHARED = "container:"
"""Before a container's id: a network that is that container's, its host name with it."""


@dataclass(frozen=True, slots=True)
class Private:
    """How one input of a plain or cold container was made private: a volume's name, or a directory that is bound."""

    name: str
    target: str
    volume: str | None
    directory: Path | None
    how: str
    """`overlay`, `reflink`, `copy` or `read-only`."""
    read_only: bool = False
    notes: tuple[str, ...] = ()
    """Why it is not what was wished for."""


def argv(launch: Launch) -> list[str]:
    """The command by Docker's rules: an entrypoint of the job's own hides the image's ENTRYPOINT and CMD both."""
    job, image = launch.job, launch.image
    if job.entrypoint is not None:
        words = [*job.entrypoint, *(job.arguments or ())]
    else:
        words = [*image.entrypoint, *(image.cmd if job.arguments is None else job.arguments)]
    if not words:
        raise EnvironmentFault(
            f"image {image.reference!r} has neither ENTRYPOINT nor CMD, and step {job.step!r} names no script",
            remedy="give the step a `script` or an `entrypoint`",
        )
    return words


def create(api: Any, launch: Launch, privates: Sequence[Private]) -> str:
    """Create the container, not started; returns its id. `api` is docker-py's APIClient; raises its APIError."""
    return str(api.create_container_from_config(body(api, launch, privates))["Id"])


def body(api: Any, launch: Launch, privates: Sequence[Private]) -> dict[str, Any]:
    """What is sent to the engine to create the container."""
    job = launch.job
    staged = launch.image.mode is StartMode.STAGED
    cold = launch.image.mode is StartMode.COLD
    config: dict[str, Any] = api.create_container_config(
        image=launch.image.id,
        hostname=None if job.network.startswith(SHARED) else job.hostname,
        # With an agent the job's values travel in its message: see `script_environment` there.
        environment=_with_proxies(api, [f"{key}={value}" for key, value in environment(launch)] if cold else []),
        working_dir=(job.working_dir or "") if cold else "/",
        stdin_open=not cold,
        labels=labels.labels(launch.run_id, job.step, launch.scratch),
        healthcheck={"test": ["NONE"]},
        networking_config=_networking(api, launch),
        host_config=api.create_host_config(
            mounts=_staged_mounts(launch) if staged else _plain_mounts(launch, privates),
            **_network(launch),
            cap_add=["SYS_ADMIN"] if staged else None,
            log_config={"Type": "none", "Config": {}},
            **_limits(launch),
        ),
        **_command(launch, cold=cold),
    )
    return config


def _with_proxies(api: Any, variables: list[str]) -> list[str] | None:
    """As `docker run` does: with the proxies that the user's Docker configuration names for containers."""
    return api._proxy_configs.inject_proxy_environment(variables) or None


def _command(launch: Launch, *, cold: bool) -> dict[str, Any]:
    if cold:
        job = launch.job
        return {
            "entrypoint": list(job.entrypoint) if job.entrypoint is not None else None,
            "command": list(job.arguments) if job.arguments is not None else None,
        }
    # stdin is closed for good when the runner's connection ends: that end of file is the leash.
    return {
        "entrypoint": [launch.image.python, "-I", "-S", "-B", "-c", agent_source()],
        "command": ["run"],
        "user": "0:0",
    }


def _network(launch: Launch) -> dict[str, Any]:
    job, peering = launch.job, launch.peering
    if peering is not None:
        closed = network.NO_SERVER if peering.isolated else {}
        return {"network_mode": peering.network, "extra_hosts": dict(peering.addresses), **closed}
    # A network of its own writes its own line for the host name; without a network nothing does.
    return {
        "network_mode": job.network,
        "extra_hosts": {job.hostname: "127.0.0.1"} if job.network == "none" else None,
    }


def _networking(api: Any, launch: Launch) -> Any:
    """The container's own address, where it has peers."""
    if launch.peering is None:
        return None
    own = dict(launch.peering.addresses)[launch.job.hostname]
    return api.create_networking_config({launch.peering.network: api.create_endpoint_config(ipv4_address=own)})


def _limits(launch: Launch) -> dict[str, Any]:
    limits = launch.job.limits
    found: dict[str, Any] = {}
    if limits.cpus is not None:
        found["nano_cpus"] = int(limits.cpus * 1_000_000_000)
    if limits.memory is not None:
        # The same figure for memory plus swap: a SageMaker instance has no swap to hide in.
        found |= {"mem_limit": limits.memory, "memswap_limit": limits.memory}
    if limits.shm_size is not None:
        found["shm_size"] = limits.shm_size
    if limits.pids is not None:
        agent = launch.image.mode is not StartMode.COLD
        found["pids_limit"] = limits.pids + agent + (agent and _endpoint(launch) is not None)  # these are ours
    return found


def environment(launch: Launch) -> list[tuple[str, str]]:
    """The job's variables, and those of its credentials."""
    given, own = launch.credentials, {key for key, _ in launch.job.env}
    if given is None:
        return list(launch.job.env)
    in_environment = launch.job.credentials == "environment"
    added = given.variables() if in_environment else given.region_variables()
    return [*launch.job.env, *((key, value) for key, value in added.items() if key not in own)]


def _endpoint(launch: Launch) -> dict[str, str] | None:
    """What the agent's credentials endpoint answers; None: it has none."""
    given = launch.credentials
    return given.document() if given is not None and launch.job.credentials == "endpoint" else None


def inside_run(launch: Launch, path: Path) -> bool:
    return path.is_relative_to(_root(launch))


def _root(launch: Launch) -> Path:
    """What a staged container has at its hidden place. All runs, where that is known: a container that waits for the
    next run cannot know its directory, and the outputs of earlier runs need no mounts of their own."""
    return launch.runs_root or launch.run_root


def hidden_path(launch: Launch, path: Path) -> str:
    """Where a staged container sees a host path until `go`."""
    if inside_run(launch, path):
        return f"{HIDDEN}/run/{path.relative_to(_root(launch))}"
    kept = [bound.host for bound in launch.kept]
    if path in kept:
        return f"{HIDDEN}/kept/{kept.index(path)}"
    return f"{HIDDEN}/in/{_foreign(launch).index(path)}"


def _foreign(launch: Launch) -> list[Path]:
    """Once each: two inputs may have the same source."""
    return list(dict.fromkeys(bound.host for bound in launch.inputs if not inside_run(launch, bound.host)))


def targets(launch: Launch) -> list[str]:
    """Every directory of the container on which something is mounted."""
    return [*(bound.target for bound in launch.inputs), *(bound.target for bound in launch.written)]


def sources(launch: Launch) -> list[Path]:
    """The host directories that a staged container has when it is created."""
    return [_root(launch), *_foreign(launch), *(bound.host for bound in launch.kept)]


def identities(launch: Launch) -> tuple[tuple[int, int], ...]:
    """Device and inode of each of `sources`, zeros where there is none. A mount holds the directory, not its name: one
    that was put in its place (`mv`, a checkout, `rm -r` and a new one) is another, and its content is not seen."""
    return tuple(identity(path) for path in sources(launch))


def identity(path: Path | str) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116  both kinds of paths
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def points(target: str, targets: Iterable[str]) -> list[str]:
    """Those of the targets that lie inside the first one, relative to it: their directories must be there."""
    return [other[len(target) + 1 :] for other in targets if other.startswith(f"{target}/")]


def bind(source: Path | str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}


def _staged_mounts(launch: Launch) -> list[dict[str, Any]]:
    """The directory of runs, whole, foreign inputs and what is kept: all hidden, so that nothing need exist yet."""
    foreign = [bind(host, hidden_path(launch, host), read_only=True) for host in _foreign(launch)]
    kept = [bind(bound.host, hidden_path(launch, bound.host)) for bound in launch.kept]
    return [bind(_root(launch), f"{HIDDEN}/run"), *foreign, *kept]


def _plain_mounts(launch: Launch, privates: Sequence[Private]) -> list[dict[str, Any]]:
    mounts = [bind(bound.host, bound.target) for bound in launch.written]
    for private in privates:
        if private.volume is not None:
            volume = {"Type": "volume", "Source": private.volume, "Target": private.target}
            mounts.append({**volume, "ReadOnly": private.read_only})
        else:
            mounts.append(bind(str(private.directory), private.target, read_only=private.read_only))
    if launch.image.mode is StartMode.PLAIN and os.getuid() != 0:
        # So that the agent can hand back what the script wrote into its private inputs.
        mounts.append(bind(launch.scratch, f"{HIDDEN}/scratch"))
    return sorted(mounts, key=lambda mount: mount["Target"].count("/"))


def job_message(launch: Launch, *, nonce: str, uid: int, gid: int) -> dict[str, Any]:
    """The agent's first message. `nonce` marks its trailers; nothing in the container can know it."""
    job, image = launch.job, launch.image
    staged = image.mode is StartMode.STAGED
    binds = launch.written
    words = argv(launch)
    names = {key for key, _ in (*image.env, *job.env)}
    trace = tracing.wanted(launch, words)
    return {
        "op": "job",
        "nonce": nonce,
        "argv": words,
        "env": [list(pair) for pair in environment(launch)],
        "endpoint": _endpoint(launch),
        "cwd": job.working_dir or image.working_dir or "/",
        "user": image.user,
        "home_set": "HOME" in names,
        "staged": staged,
        "preload": staged and _preloads(launch, words, names),
        "modules": list(launch.preimport),
        "trace": trace,
        "hook": hook_source(trace["places"] if trace and not trace["why"] else None),
        "inputs": _staged_inputs(launch) if staged else [],
        "binds": [{"source": hidden_path(launch, b.host), "target": b.target} for b in binds] if staged else [],
        "targets": targets(launch),
        "hidden": _hidden_targets(launch) if staged else [],
        "code": os.path.dirname(_script(launch, words)),  # noqa: PTH120  container path
        "knock": f"{hidden_path(launch, launch.scratch)}/{KNOCK}" if staged else None,
        "scratch": hidden_path(launch, launch.scratch) if staged else f"{HIDDEN}/scratch",
        "owned": _owned(launch, staged=staged),
        "give_back": uid != 0 or not _is_root(image),
        "uid": uid,
        "gid": gid,
    }


def _staged_inputs(launch: Launch) -> list[dict[str, Any]]:
    return [
        {
            "name": bound.name,
            "index": index,
            "source": hidden_path(launch, bound.host),
            "shown": str(bound.host),
            "target": bound.target,
            "private": bound.private,
            "points": points(bound.target, targets(launch)),
            "complete": _is_complete(launch, bound.host),
        }
        for index, bound in enumerate(launch.inputs)
    ]


def _is_complete(launch: Launch, host: Path) -> bool:
    """Whether it will not change any more: it is there, by a rename or before its container. A served model in the
    scratch directory is unpacked later, and nobody knows what the user does in a directory of their own."""
    return inside_run(launch, host) and not host.is_relative_to(launch.scratch) and host.is_dir()


def _hidden_targets(launch: Launch) -> list[str]:
    outside = [*_foreign(launch), *(bound.host for bound in launch.kept)]
    return [*(hidden_path(launch, host) for host in outside), f"{HIDDEN}/run"]


def _owned(launch: Launch, *, staged: bool) -> list[str]:
    """Directories whose contents are handed back: what the script wrote, and the private copies of its inputs."""
    if staged:
        return [*(hidden_path(launch, bound.host) for bound in launch.written), hidden_path(launch, launch.scratch)]
    return [*(bound.target for bound in launch.written), f"{HIDDEN}/scratch"]


def _preloads(launch: Launch, words: Sequence[str], names: set[str]) -> bool:
    """Whether the interpreter can wait in its start-up: `python3 script.py ...`, and nothing switches that off.

    The script must come with a mount: an interpreter that overlooks the hook then finds nothing to run, and ends.
    """
    if re.fullmatch(r"(.*/)?python3?(\.\d+)?", words[0]) is None or len(words) < 2 or "PYTHONHOME" in names:
        return False
    script = _script(launch, words)
    return script.endswith(".py") and any(script.startswith(f"{bound.target}/") for bound in launch.inputs)


def _script(launch: Launch, words: Sequence[str]) -> str:
    """Container path of the second word, as the first one's script."""
    word = words[1] if len(words) > 1 else ""
    return os.path.normpath(os.path.join(launch.job.working_dir or "/", word))  # noqa: PTH118  container path


def _is_root(image: Image) -> bool:
    return image.user.partition(":")[0] in ("", "0", "root")
