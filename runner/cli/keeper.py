"""`python -m runner.cli.keeper`: the process that keeps containers warm and answers `run` faster than a new Python can.

It has everything imported, so a run in a fork of it begins where another would still read its modules. It is started by
the first run that ends, and ends by itself. Nothing depends on it but time: what it refuses, runs without it.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import io
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any


def main(socket_path: str) -> int:
    """`socket_path`: as the process that starts this one has it."""
    os.umask(0o077)
    from runner.engine.pool import channel

    channel.own = socket_path
    place, path = Path(channel.directory()), Path(socket_path)
    place.mkdir(parents=True, exist_ok=True)
    if not channel.own_directory(str(place)):
        sys.stderr.write(f"{place} is not this user's alone\n")
        return 1
    lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # another one is there
    listener = _listen(path)
    os.chdir("/")
    sys.stdout.write("ready\n")  # whoever connects now waits in its queue
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    sources = _sources()
    _import_all()
    from runner.engine.pool.keeper import Keeper

    try:
        Keeper(listener, run_request, lambda: refusal(sources)).serve()
    finally:
        _leave_nothing(place, path)
    return 0


def _leave_nothing(place: Path, path: Path) -> None:
    """The socket first: from here on nobody finds this keeper. Then the lock, and the directory if it is our own."""
    for name in (path, place / "keeper.log", path.with_suffix(".lock")):
        name.unlink(missing_ok=True)
    if not os.environ.get("RUN_PIPELINE_POOL", "").startswith("/"):
        with contextlib.suppress(OSError):  # another keeper is there already
            place.rmdir()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a keeper that was killed: the lock says that there is no other
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(64)
    return listener


def _import_all() -> None:
    """What a run imports on its way, so that its fork need not."""
    import docker.transport  # noqa: F401
    import yaml  # noqa: F401

    import runner.cli.run
    import runner.cli.warmth
    import runner.engine.docker
    import runner.pipeline.execute
    import runner.pipeline.provision
    import runner.report.console
    import runner.report.document
    import runner.report.junit
    import runner.report.lines
    import runner.spec.loader  # noqa: F401
    from runner.cli.program import program  # noqa: F401

    gc.collect()
    gc.freeze()  # a collection in a fork would else touch, and so copy, every page


def _sources() -> dict[str, int]:
    """The program's own files with their times: a keeper must not answer with code that has been edited since."""
    root = Path(__file__).parents[1]
    found = {str(root.parent): root.parent.stat().st_mtime_ns}  # installing another package changes it
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".py"):
                path = f"{folder}/{name}"
                found[path] = os.stat(path).st_mtime_ns  # noqa: PTH116
    return found


def refusal(sources: dict[str, int]) -> str:
    """Why this keeper cannot stand in for a new process; empty when it can."""
    try:
        return "" if _sources() == sources else "run-pipeline has been changed since it was started"
    except OSError:
        return "run-pipeline is being changed"


def run_request(request: dict[str, Any], files: list[int]) -> int:
    """In a fork: become the process that asked, and run its command."""
    from runner.cli.main import entry
    from runner.cli.signals import STOPPING

    for number, descriptor in enumerate(files[:3]):
        os.dup2(descriptor, number)
    os.fchdir(files[3])
    for descriptor in files:
        os.close(descriptor)
    os.umask(int(request["umask"]))
    for number in STOPPING:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request["ignored"] else default)
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = [request["program"], *request["arguments"]]
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _text(descriptor, getattr(sys, f"__{name}__")))
        setattr(sys, f"__{name}__", getattr(sys, name))
    code = 4
    try:
        code = entry(request["arguments"])
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    return code


def _text(descriptor: int, like: Any) -> Any:
    """A standard stream as this Python, with its variables, made its own at its start."""
    mode = "rb" if descriptor == 0 else "wb"
    raw = open(descriptor, mode, closefd=False)  # noqa: SIM115  lives as long as the process does
    live = descriptor == 2 or os.isatty(descriptor)
    return io.TextIOWrapper(raw, encoding=like.encoding, errors=like.errors, line_buffering=live)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
