"""What an image and a host allow: a Python for the agent, mounts inside a container, SageMaker's programs.

One short container per image id, agent version and engine; the answer is kept in the user's cache directory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.agent import agent_source, hook_source
from runner.engine import labels
from runner.engine.base import StartMode
from runner.errors import EnvironmentFault

if TYPE_CHECKING:
    from docker import APIClient

INTERPRETERS = ("python3", "python")
OLDEST_PYTHON = (3, 7)
PROGRAMS = ("serve", "train")
"""What SageMaker asks an image to run when nothing else is named."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Docker's, where an image sets none."""
_IS_DIRECTORY, _IS_LINK = 1 << 31, 1 << 27
"""Of Go's `fs.FileMode`."""


@dataclass(frozen=True, slots=True)
class Probe:
    python: str | None
    version: str | None
    mode: StartMode
    why: str
    """Why the mode is not a better one; empty for staged."""
    programs: tuple[str, ...] = ()
    """Those of `PROGRAMS` that are on the image's PATH."""


def cache_dir() -> Path:
    """`$RUN_PIPELINE_CACHE_DIR`, or `run-pipeline` in the user's cache directory (XDG)."""
    own = os.environ.get("RUN_PIPELINE_CACHE_DIR")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "run-pipeline"


def probe(api: APIClient, image_id: str, engine_id: str) -> Probe:
    """The image's probe, from the cache or from a container. Raises EnvironmentFault when no container can start."""
    agent = agent_source() + hook_source()
    key = hashlib.sha256(f"{engine_id}\0{image_id}\0{agent}\0{labels.owner().split('|')[1]}".encode()).hexdigest()[:32]
    path = cache_dir() / "probes" / f"{key}.json"
    try:
        found = json.loads(path.read_text())
        return Probe(
            found["python"], found["version"], StartMode(found["mode"]), found["why"], tuple(found["programs"])
        )
    except (OSError, ValueError, KeyError):
        pass  # not there, or from another version: ask again
    answer = replace(_ask(api, image_id), programs=_programs(api, image_id))
    keep(path, asdict(answer))
    return answer


def keep(path: Path, document: object) -> None:
    """Write a fact about an image into the cache: whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as handle:
            json.dump(document, handle)
        Path(handle.name).replace(path)
    except OSError:
        return  # no cache directory here: the next run asks again, which costs a container's start


def _ask(api: APIClient, image_id: str) -> Probe:
    why = "the image has no python3"
    for interpreter in INTERPRETERS:
        for privileged in (True, False):
            code, output = _run(api, image_id, interpreter, privileged=privileged)
            if code in (126, 127):
                break
            try:
                found = json.loads(output)
            except ValueError:
                why = f"its {interpreter} does not run the agent (exit {code})"
                continue
            version = ".".join(str(part) for part in found["version"])
            if tuple(found["version"][:2]) < OLDEST_PYTHON:
                why = f"its {interpreter} is {version}, older than 3.7"
                break
            mode = StartMode.STAGED if found["mount"] else StartMode.PLAIN
            reason = "" if found["mount"] else f"this host does not let a container mount ({found['why']})"
            return Probe(found["python"], version, mode, reason)
    return Probe(None, None, StartMode.COLD, why)


def _programs(api: Any, image_id: str) -> tuple[str, ...]:
    """A look into a container that is never started, so that it needs nothing of the image."""
    from docker.errors import APIError

    from runner.engine.sweep import remove_container

    variables = dict(entry.partition("=")[::2] for entry in api.inspect_image(image_id)["Config"].get("Env") or ())
    folders = [folder for folder in variables.get("PATH", _PATH).split(":") if folder.startswith("/")]
    try:
        container = api.create_container(
            image=image_id, entrypoint=["/"], labels=labels.labels("probe", "programs"), network_disabled=True
        )["Id"]
    except APIError as error:
        raise EnvironmentFault(f"the engine cannot make a container of {image_id}: {error.explanation}") from error
    try:
        return tuple(name for name in PROGRAMS if any(_runs(api, container, f"{at}/{name}") for at in folders))
    finally:
        remove_container(api, container)


def _runs(api: Any, container: str, path: str) -> bool:
    """Whether there is an executable file; a link counts as what it leads to."""
    answer = api.head(api._url("/containers/{0}/archive", container), params={"path": path})
    if not answer.ok:
        return False
    stat = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
    if stat["mode"] & _IS_LINK:
        return stat["linkTarget"] != path and _runs(api, container, stat["linkTarget"])
    return not stat["mode"] & _IS_DIRECTORY and bool(stat["mode"] & 0o111)


def _run(api: APIClient, image_id: str, interpreter: str, *, privileged: bool) -> tuple[int, bytes]:
    """Run the agent's probe; exit 127 when the interpreter is not there."""
    from docker.errors import APIError

    try:
        container = api.create_container(
            image=image_id,
            entrypoint=[interpreter, "-I", "-S", "-B", "-c", agent_source()],
            command=["probe"],
            user="0:0",
            labels=labels.labels("probe", interpreter),
            host_config=api.create_host_config(network_mode="none", cap_add=["SYS_ADMIN"] if privileged else None),
        )["Id"]
    except APIError as error:
        raise EnvironmentFault(f"the engine cannot make a container of {image_id}: {error.explanation}") from error
    try:
        api.start(container)
        code = int(api.wait(container, timeout=60)["StatusCode"])
        return code, api.logs(container, stdout=True, stderr=False)
    except APIError as error:
        words = str(error.explanation)
        if "executable file not found" in words or "no such file or directory" in words or "not a directory" in words:
            return 127, b""
        if "permission denied" in words:
            return 126, b""
        if privileged:
            return 1, b""  # an engine that refuses the capability: ask again without
        raise EnvironmentFault(f"the engine cannot start a container of {image_id}: {words}") from error
    finally:
        from runner.engine.sweep import remove_container

        remove_container(api, container)
