"""A `Launch` as the body of Docker's create call, for each of the three start modes.

Mounts are the API's structured ones (`Mounts`), never `source:target` strings, so that a path may hold any character.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.agent import agent_source, hook_source
from runner.engine import labels
from runner.engine.base import BoundInput, Image, Launch, StartMode
from runner.errors import EnvironmentFault

HIDDEN = "/.runner"
"""Where a staged container sees the run directory until the agent has mounted this step's part of it."""


SHARED = "container:"
"""Before a container's id: a network that is that container's, its host name with it."""


@dataclass(frozen=True, slots=True)
class Private:
    """How one input of a plain or cold container is made private: a volume's name, or a directory that is bound."""

    target: str
    volume: str | None
    directory: Path | None


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
    job = launch.job
    staged = launch.image.mode is StartMode.STAGED
    cold = launch.image.mode is StartMode.COLD
    container = api.create_container(
        image=launch.image.id,
        hostname=None if job.network.startswith(SHARED) else job.hostname,
        # With an agent the job's values travel in its message: see `script_environment` there.
        environment=[f"{key}={value}" for key, value in job.env] if cold else [],
        working_dir=(job.working_dir or "") if cold else "/",
        stdin_open=not cold,
        labels=labels.labels(launch.run_id, job.step, launch.scratch),
        healthcheck={"test": ["NONE"]},
        host_config=api.create_host_config(
            mounts=_staged_mounts(launch) if staged else _plain_mounts(launch, privates),
            network_mode=job.network,
            # A network of its own writes its own line for the host name; without a network nothing does.
            extra_hosts={job.hostname: "127.0.0.1"} if job.network == "none" else None,
            cap_add=["SYS_ADMIN"] if staged else None,
            log_config={"Type": "none", "Config": {}},
            **_limits(launch),
        ),
        **_command(launch, cold=cold),
    )
    return str(container["Id"])


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
        found["pids_limit"] = limits.pids + (launch.image.mode is not StartMode.COLD)  # the agent is one more
    return found


def inside_run(launch: Launch, path: Path) -> bool:
    return path.is_relative_to(launch.run_root)


def hidden_path(launch: Launch, path: Path) -> str:
    """Where a staged container sees a host path until `go`."""
    if inside_run(launch, path):
        return f"{HIDDEN}/run/{path.relative_to(launch.run_root)}"
    index = [bound.host for bound in _foreign(launch)].index(path)
    return f"{HIDDEN}/in/{index}"


def _foreign(launch: Launch) -> list[BoundInput]:
    return [bound for bound in launch.inputs if not inside_run(launch, bound.host)]


def bind(source: Path | str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}


def _staged_mounts(launch: Launch) -> list[dict[str, Any]]:
    """The run directory, whole, and foreign inputs: all hidden, so that nothing need exist yet."""
    foreign = [bind(bound.host, hidden_path(launch, bound.host), read_only=True) for bound in _foreign(launch)]
    return [bind(launch.run_root, f"{HIDDEN}/run"), *foreign]


def _plain_mounts(launch: Launch, privates: Sequence[Private]) -> list[dict[str, Any]]:
    mounts = [bind(bound.host, bound.target) for bound in (*launch.outputs, *launch.config)]
    for private in privates:
        if private.volume is not None:
            mounts.append({"Type": "volume", "Source": private.volume, "Target": private.target})
        else:
            mounts.append(bind(str(private.directory), private.target))
    if launch.image.mode is StartMode.PLAIN and os.getuid() != 0:
        # So that the agent can hand back what the script wrote into its private inputs.
        mounts.append(bind(launch.scratch, f"{HIDDEN}/scratch"))
    return sorted(mounts, key=lambda mount: mount["Target"].count("/"))


def job_message(launch: Launch, *, nonce: str, uid: int, gid: int) -> dict[str, Any]:
    """The agent's first message. `nonce` marks its trailers; nothing in the container can know it."""
    job, image = launch.job, launch.image
    staged = image.mode is StartMode.STAGED
    binds = (*launch.outputs, *launch.config)
    words = argv(launch)
    names = {key for key, _ in (*image.env, *job.env)}
    return {
        "op": "job",
        "nonce": nonce,
        "argv": words,
        "env": [list(pair) for pair in job.env],
        "cwd": job.working_dir or image.working_dir or "/",
        "user": image.user,
        "home_set": "HOME" in names,
        "staged": staged,
        "preload": staged and _preloads(launch, words, names),
        "modules": list(launch.preimport),
        "hook": hook_source(),
        "inputs": _staged_inputs(launch) if staged else [],
        "binds": [{"source": hidden_path(launch, b.host), "target": b.target} for b in binds] if staged else [],
        "targets": [*(bound.target for bound in launch.inputs), *(bound.target for bound in binds)],
        "hidden": _hidden_targets(launch) if staged else [],
        "code": os.path.dirname(_script(launch, words)),  # noqa: PTH120  container path
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
        }
        for index, bound in enumerate(launch.inputs)
    ]


def _hidden_targets(launch: Launch) -> list[str]:
    return [*(hidden_path(launch, bound.host) for bound in _foreign(launch)), f"{HIDDEN}/run"]


def _owned(launch: Launch, *, staged: bool) -> list[str]:
    """Directories whose contents are handed back: what the script wrote, and the private copies of its inputs."""
    binds = (*launch.outputs, *launch.config)
    if staged:
        return [*(hidden_path(launch, bound.host) for bound in binds), hidden_path(launch, launch.scratch)]
    return [*(bound.target for bound in binds), f"{HIDDEN}/scratch"]


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
