"""What a warm container is: everything about it that is fixed before its step is known in full.

Two launches may have the same container exactly if their keys are equal. The key holds all that Docker fixes when it
creates a container (image, limits, network, the very directories that are mounted, the agent's text) and all that is
fixed when its interpreter starts (program, script's path, directory, user, modules, start-up hook). Not in it: the
script's text, arguments, variables, data. The agent decides at `go` whether the interpreter that waits can take other
arguments and variables (`runner.agent.renew`), and starts a new one where it cannot.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.engine import creation
from runner.engine.base import Launch, StartMode

_FIXED = ("argv", "cwd", "user", "home_set", "staged", "preload", "modules", "hook", "code")
"""Fields of the agent's message that an interpreter has when it starts; of `argv` the first two words."""
_SECRET = re.compile(
    r"SECRET|TOKEN|PASS|PWD|CREDENTIAL|PRIVATE|KEY|AUTH|SIGN|COOKIE|WEBHOOK|DSN|_URL|[_-]PAT$", re.IGNORECASE
)
"""In the name of a variable, or in an argument: better too much than too little, since it costs next to nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A container to keep ready."""

    key: str
    slot: str
    """The step that it is for: of one step only the newest wish counts."""
    step: str
    image: str
    image_id: str
    modules: tuple[str, ...]
    config: dict[str, Any]
    """The body of Docker's create call, without labels."""
    message: dict[str, Any]
    """The agent's first message; it holds no data, and nothing whose name speaks of a secret."""
    places: tuple[tuple[str, int, int], ...]
    """Path, device and inode of each directory that it mounts."""


def poolable(launch: Launch) -> bool:
    """Whether a container can be made for it without knowing its data: no instances with peers, no server, and no
    credentials, which must not lie in a process that waits."""
    job = launch.job
    alone = not launch.members and launch.peering is None and job.transform is None
    return (
        launch.image.mode is StartMode.STAGED
        and alone
        and job.credentials == "none"
        and not job.network.startswith(creation.SHARED)
    )


def wish(api: Any, launch: Launch, engine_id: str) -> Wish:
    """The container that this launch would take, to be made before the next one asks for it."""
    config = json.loads(json.dumps(creation.body(api, launch, ())))
    config.pop("Labels", None)
    message = _waiting(creation.job_message(launch, nonce="", uid=os.getuid(), gid=os.getgid()))
    places = tuple(zip(map(str, creation.sources(launch)), creation.identities(launch), strict=True))
    job, image = launch.job, launch.image
    return Wish(
        key=_key(config, message, engine_id, places),
        slot=f"{launch.runs_root or launch.run_root}|{job.step}",
        step=job.step,
        image=image.reference,
        image_id=image.id,
        modules=launch.preimport if message["preload"] else (),
        config=config,
        message=message,
        places=tuple((path, *found) for path, found in places),
    )


def _waiting(message: dict[str, Any]) -> dict[str, Any]:
    """The message of a job that has no data yet."""
    kept = [[name, value] for name, value in message["env"] if not _SECRET.search(name)]
    words = message["argv"]
    if any(_SECRET.search(word) for word in words[2:]):
        words = words[:2]
    return {**message, "argv": words, "env": kept, "inputs": [], "binds": [], "owned": [], "endpoint": None}


def _key(config: Mapping[str, Any], message: Mapping[str, Any], engine_id: str, places: object) -> str:
    fixed = {name: message[name] for name in _FIXED if message["preload"] or name == "preload"}
    fixed["argv"] = message["argv"][:2] if message["preload"] else []
    trace = message["trace"]
    fixed["trace"] = None if trace is None else [trace["why"], trace["script"], trace["archive"]]
    text = json.dumps([config, fixed, engine_id, places], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
