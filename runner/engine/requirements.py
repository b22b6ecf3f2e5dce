"""What a step's `requirements.txt` would install into its image, collected once so that the step needs no network.

A short container of the same image, with a network and this machine's pip settings, asks its own pip what it would
install, and makes a wheel of each. The set lies in the cache directory, under a key of all that decides its content,
and appears there by a rename: a set is whole or not there. pip's own cache lies beside it and survives runs.

1. A set that is there costs neither a container nor a network.
2. Runs that want the same set at the same time make it once.
3. An index that does not answer is the environment's fault; a package that does not exist is the step's.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.agent import requirements_source
from runner.agent.requirements import CODE, OLD_PIP, OUT, PIP_CACHE, UNREACHABLE
from runner.engine import labels
from runner.engine.base import Installation
from runner.engine.creation import bind
from runner.engine.faults import lost_is
from runner.engine.probe import cache_dir
from runner.engine.recipes_host import BUILD_FOLDER, HostSettings, host_settings
from runner.engine.requirements_texts import fingerprint
from runner.engine.sweep import remove_container
from runner.errors import Abandoned, EngineLost, EnvironmentFault, RequirementsError, WorkspaceError

FILE = "requirements.txt"
_SECONDS = 3600.0
_LINES = 400
_NOT_THE_STEPS_FAULT = re.compile(
    r"Retrying \(Retry\(|connection error|NewConnectionError|Max retries exceeded|Temporary failure in name resolution|"
    r"ProxyError|SSLError|SSLCertVerificationError|Read timed out|HTTP error (401|403|407|5\d\d)|\b(401|403|407|5\d\d) "
    r"(Client|Server) Error|No space left on device|Disk quota exceeded"
)


def collect(api: Any, wanted: Installation, *, rootless: bool) -> Path:
    """The directory of the set: wheels, and a `requirements.txt` that names each exactly.

    Raises RequirementsError with pip's words, EnvironmentFault, and Abandoned when `wanted.stopped` says so.
    """
    key = _key(wanted)
    home = _home()
    found = home / key
    try:
        home.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            return found
        with _lock(home / f"{key}.lock", wanted.stopped):
            if not found.is_dir():
                _make(api, wanted, found, rootless=rootless)
        return found
    except OSError as error:
        remedy = "set RUN_PIPELINE_CACHE_DIR to a directory that you may write to, with space for packages"
        raise WorkspaceError(f"what {FILE} asks for cannot be kept: {error}", remedy=remedy) from error


def collected(wanted: Installation) -> Path | None:
    """The directory of the set, if it is there; nothing is made. Raises OSError."""
    found = _home() / _key(wanted)
    return found if found.is_dir() else None


def _home() -> Path:
    return cache_dir().absolute() / "requirements"


def _key(wanted: Installation) -> str:
    facts = (wanted.image.id, wanted.interpreter, requirements_source(), fingerprint(wanted.code, FILE))
    return hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


@contextmanager
def _lock(path: Path, stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of one set, which goes with the process that holds it. The file stays: to remove it would race."""
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stopped():
                    raise Abandoned("stopped while another run collected the same packages") from None
                time.sleep(0.1)
        yield


def _make(api: Any, wanted: Installation, found: Path, *, rootless: bool) -> None:
    """Under the lock: what an earlier process left half-done is nobody's."""
    wanted.tell(f"collects what its {FILE} asks for, in a container with a network; later runs need not")
    part, cache = found.with_name(f"{found.name}.part"), found.parent / "pip"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    cache.mkdir(exist_ok=True)
    try:
        # As the invoking user, so that what is made is theirs; in a rootless engine that is root.
        user = (0, 0) if rootless else (os.getuid(), os.getgid())
        mounts = [bind(wanted.code, CODE, read_only=True), bind(part, OUT), bind(cache, PIP_CACHE)]
        code, output = _run(api, wanted, mounts, user)
        if code != 0:
            raise _failure(wanted, code, output)
        part.replace(found)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _run(api: Any, wanted: Installation, mounts: list[dict[str, Any]], user: tuple[int, int]) -> tuple[int, str]:
    """The helper's status and what it said."""
    from docker.errors import APIError

    host = host_settings()
    with lost_is(EngineLost):
        container = api.create_container(
            wanted.image.id,
            entrypoint=[wanted.interpreter, "-c", requirements_source()],
            command=[],
            user=f"{user[0]}:{user[1]}",
            environment={**host.build_args, **_environment(host)},
            working_dir="/",
            labels=labels.labels(wanted.run_id, wanted.step),
            healthcheck={"test": ["NONE"]},
            host_config=api.create_host_config(mounts=mounts, network_mode=host.network or "bridge"),
        )["Id"]
        try:
            api.put_archive(container, "/", _settings(host.files, user))
            try:
                api.start(container)
            except APIError as error:
                words = str(error.explanation)
                if "executable file not found" in words or "no such file or directory" in words:
                    return 127, f"{wanted.interpreter}: not found in the image"
                raise
            code = _wait(api, container, wanted.stopped)
            return code, api.logs(container, stdout=True, stderr=True, tail=_LINES).decode(errors="replace")
        finally:
            remove_container(api, container)


def _environment(host: HostSettings) -> Mapping[str, str]:
    names = {"HOME": "/tmp", "PIP_CACHE_DIR": PIP_CACHE, "PIP_CONFIG_FILE": f"{BUILD_FOLDER}/pip.conf"}  # noqa: S108
    return names if "ca.crt" not in host.files else {**names, "SSL_CERT_FILE": f"{BUILD_FOLDER}/ca.crt"}


def _settings(files: Mapping[str, bytes], user: tuple[int, int]) -> bytes:
    """pip's settings as a tar, for that user alone: they may hold a password, and go with the container."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{BUILD_FOLDER.strip('/')}/{name}")
            entry.size, entry.mode, (entry.uid, entry.gid) = len(content), 0o600, user
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _wait(api: Any, container: str, stopped: Callable[[], bool]) -> int:
    from requests.exceptions import ConnectionError as Unanswered
    from requests.exceptions import ReadTimeout

    until = time.monotonic() + _SECONDS
    while True:
        try:
            return int(api.wait(container, timeout=1)["StatusCode"])
        except (ReadTimeout, Unanswered):
            api.ping()
        if stopped():
            raise Abandoned(f"stopped while {FILE} was resolved")
        if time.monotonic() > until:
            raise EnvironmentFault(f"{FILE} was not resolved within {_SECONDS / 60:.0f} minutes")


def _failure(wanted: Installation, code: int, output: str) -> Exception:
    last = _last_words(output)
    if code == OLD_PIP:
        return EnvironmentFault(last, remedy="use an image with a newer pip, or install the packages in the image")
    if code > 128:
        return EnvironmentFault(
            f"pip was killed while it resolved {FILE} (exit {code})", remedy="is there memory left?"
        )
    if code == UNREACHABLE or _NOT_THE_STEPS_FAULT.search(output):
        return EnvironmentFault(
            f"what {FILE} of step '{wanted.step}' asks for cannot be fetched: {last}",
            remedy="check the network, and that `pip config list` here names an index that a container can reach",
        )
    return RequirementsError(f"{FILE} could not be installed: {last}", status=code, output=output)


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["pip said nothing"])[-1]
