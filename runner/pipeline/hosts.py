"""What one instance of a step left, or several: their messages as one, their outputs as one."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from runner.data.reading import Unfit
from runner.data.union import unite
from runner.engine.base import Launch
from runner.engine.masking import Mask, secrets_of
from runner.sagemaker import ExitMessage, exit_message, failure_reason

_NO_MESSAGE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}
_MESSAGE_LIMIT = 64 * 1024
"""Bytes read of a message file: far more than SageMaker looks at."""


def folders(launch: Launch) -> list[Path]:
    """Every directory that a script could write to, but for the step's own outputs."""
    own = [folder.host for each in launch.members for folder in each.outputs]
    return own + [folder.host for each in launch.members or (launch,) for folder in each.config]


def unite_outputs(launch: Launch, stopped: Callable[[], bool]) -> list[str]:
    """Bring the instances' outputs together where those of the step are judged; nothing to do for one instance.

    Returns warnings. Raises OSError, Stopped, and Unfit, whose text names the output.
    """
    warnings: list[str] = []
    for number, output in enumerate(launch.outputs if launch.members else ()):
        parts = [(each.job.hostname, each.outputs[number].host) for each in launch.members]
        try:
            warnings += unite(output.name, parts, output.host, stopped)
        except Unfit as error:
            raise Unfit(f"output '{output.name}': {error}") from error
    return warnings


def message(launch: Launch, paths: Sequence[Path], failed_host: str) -> ExitMessage | None:
    """The script's last words. Of several instances a processing job has all, one after the other; a training job has
    those of the host that failed, or else of the first that left any. `mask_messages` comes first: a secret that the
    limit of a message cuts would be found no more."""
    hosts = [each.job.hostname for each in launch.members] or [launch.job.hostname]
    found = [(host, _beginning(path)) for host, path in zip(hosts, paths, strict=False)]
    raws = [(host, raw) for host, raw in found if raw is not None]
    if not raws:
        return None
    if launch.job.step_type == "training":
        return failure_reason(dict(raws).get(failed_host, raws[0][1]))
    whole = exit_message(b"".join(raw for _, raw in raws))
    faults = (
        f"{host}: {fault}" if launch.members else fault for host, raw in raws if (fault := exit_message(raw).fault)
    )
    return ExitMessage(whole.text, next(faults, ""))


def mask_messages(launch: Launch, paths: Sequence[Path]) -> None:
    """Take the secrets of the step's credentials out of the files themselves, which stay in the run directory. They
    must be this user's by now. Raises OSError."""
    secrets = secrets_of(launch.credentials)
    for path in paths if secrets else ():
        with _regular(path) as file:
            if file is not None:
                with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as fresh:
                    _mask(secrets, file, fresh)
                Path(fresh.name).replace(path)


def _mask(secrets: tuple[bytes, ...], source: IO[bytes], target: IO[bytes]) -> None:
    def write(data: bytes) -> None:
        target.write(data)

    mask = Mask(secrets, write)
    while data := source.read(1 << 20):
        mask(data)
    mask.end()


def _beginning(path: Path) -> bytes | None:
    with _regular(path) as file:
        return file.read(_MESSAGE_LIMIT) if file is not None else None


@contextmanager
def _regular(path: Path) -> Iterator[IO[bytes] | None]:
    """A file that a script left; None for anything else. A symlink would name a file of the host's, and a FIFO would
    never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in _NO_MESSAGE:
            raise
        yield None
        return
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        with os.fdopen(descriptor, "rb") as file:
            yield file
    else:
        os.close(descriptor)
        yield None
