"""What the keeper leaves to forked children, so that it never blocks itself: making containers, removing them, runs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.engine import labels, sweep
from runner.engine.client import client
from runner.engine.creation import identity
from runner.engine.pool import channel
from runner.engine.wire import arm

_GUESS = 96 << 20
"""Bytes that an interpreter with its imports is taken to need before any was measured."""
_PR_SET_PDEATHSIG = 1


def fork(work: Callable[[], int], keep: Sequence[int] = ()) -> int:
    """A child that does this and ends with its answer; returns its pid. Of the keeper's descriptors it has the standard
    streams and `keep`: it must not hold any container by its stream."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Nothing goes on when the keeper is gone: a run is stopped as by a signal from outside.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() == parent:
            _close_all_but({0, 1, 2, *keep})
            code = work()
    finally:
        os._exit(code)


def _close_all_but(keep: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  numbers, not paths
        if int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))


def make(wish: Mapping[str, Any], pool_id: str, others: Sequence[str], memory: int, line: socket.socket) -> int:
    """Make and start one container and send it over the line: an answer with `id` and two descriptors, or with `full`
    or `error` and why."""
    os.environ.update(wish["environ"])
    try:
        api = client(timeout=60).api
        used = [usage(api, other) for other in others]
        need = max([*used, _GUESS])
        if sum(used) + need > memory:
            why = f"{len(used)} waiting containers take {sum(used) >> 20} MiB of {memory >> 20} MiB"
            channel.send(line, {"full": why})
            return 0
        _make(api, wish, pool_id, line)
    except Exception as error:
        channel.send(line, {"error": f"{type(error).__name__}: {error}"})
    return 0


def _make(api: Any, wish: Mapping[str, Any], pool_id: str, line: socket.socket) -> None:
    import json

    marks = labels.labels(pool_id, labels.WARM)
    _check(wish)
    config = {**wish["config"], "Labels": {**marks, labels.OWNER: labels.owner_of(os.getppid())}}
    identifier = str(api.create_container_from_config(config)["Id"])
    try:
        wire = arm(api, identifier, stdin=True)
        api.start(identifier)
        wire.attach.sendall(json.dumps(wish["message"]).encode() + b"\n")
        _check(wish)
        channel.send(line, {"id": identifier}, (wire.attach.fileno(), wire.wait_socket.fileno()))
    except BaseException:
        sweep.remove_container(api, identifier)
        raise


def _check(wish: Mapping[str, Any]) -> None:
    """A directory may have been put in the place of another since the wish was made."""
    for path, *found in wish["places"]:
        if list(identity(path)) != found:
            raise FileNotFoundError(f"{path} is no longer the directory that it was")


def usage(api: Any, container: str) -> int:
    """Bytes of memory that a container takes, page cache left out; 0 for one that is gone."""
    from docker.errors import APIError

    try:
        memory = api.stats(container, stream=False, one_shot=True)["memory_stats"]
    except APIError:
        return 0
    details = memory.get("stats", {})
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(memory.get("usage", 0)) - int(cache))


def remove(containers: Sequence[tuple[str, str, Mapping[str, str]]]) -> int:
    """Remove containers, each with its scratch directory if it has one, from the engine that its variables name."""
    from pathlib import Path

    for identifier, scratch, environ in containers:
        os.environ.update(environ)
        with contextlib.suppress(Exception):  # what stays has a label, and the next sweep finds it
            sweep.remove_container(client(timeout=60).api, identifier)
        if scratch:
            sweep.remove_tree(Path(scratch))
    return 0
