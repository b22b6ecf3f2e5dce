"""Give a `run` to the keeper, where there is one: it has everything imported. Without one, or if it refuses, the
command runs here, with the same result.

This process stays: it passes signals on and ends as the run does. Nothing is imported that costs more than it saves.
"""

from __future__ import annotations

import _signal
import os
import sys

from runner.cli.signals import STOPPING, listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def delegate(arguments: list[str]) -> int | None:
    """The exit code of the run; None when it is to be run here."""
    from runner.cli.table import COMMANDS

    first = arguments[0] if arguments else ""
    if first != "run" and (first in COMMANDS or not arguments):
        return None
    if any(word in ("-h", "--help") for word in arguments) or not _open(0, 1, 2):
        return None
    from runner.engine.pool import channel

    line = channel.connect() if channel.enabled() else None
    if line is None:
        return None
    inbox = channel.Inbox(line)
    listener.hold()  # a signal that comes now is passed on as soon as there is a run
    pid = _begin(line, inbox, arguments)
    try:
        if pid:
            return _follow(line, inbox, pid)
    finally:
        line.close()
    listener.release()
    return None


def _begin(line: Any, inbox: Any, arguments: list[str]) -> int:
    """The pid of the run; 0 where the keeper has refused, or is gone: then nothing was started."""
    from runner.engine.pool import channel

    here = -1
    try:
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # it need not be readable
        channel.send(line, _request(arguments), (0, 1, 2, here))
        if not (inbox.wait() or {}).get("accepted"):
            return 0
        channel.send(line, {"op": "begin"})
        line.settimeout(None)
    except (OSError, ValueError):
        return 0
    finally:
        if here >= 0:
            os.close(here)
    try:
        return int((inbox.wait() or {})["pid"])
    except (OSError, ValueError, KeyError):
        from runner.errors import EnvironmentFault

        raise EnvironmentFault(
            "the process that keeps containers warm was ended as it began the run", remedy="run it once more"
        ) from None


def _open(*descriptors: int) -> bool:
    try:
        return all(os.fstat(descriptor) for descriptor in descriptors)
    except OSError:
        return False


def _request(arguments: list[str]) -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "op": "run",
        "program": sys.argv[0],
        "arguments": arguments,
        "environ": dict(os.environ),
        "umask": umask,
        "ignored": [int(number) for number in STOPPING if _signal.getsignal(number) == _signal.SIG_IGN],
    }


def _follow(line: Any, inbox: Any, pid: int) -> int:
    """Pass signals on until the run has ended."""
    from runner.engine.pool import channel

    def pass_on(number: int, _frame: object) -> None:
        channel.send(line, {"op": "signal", "number": int(number)})

    def suspend(_number: int, _frame: object) -> None:
        channel.send(line, {"op": "signal", "number": int(_signal.SIGSTOP)})
        os.kill(os.getpid(), _signal.SIGSTOP)
        channel.send(line, {"op": "signal", "number": int(_signal.SIGCONT)})

    for number in STOPPING:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, pass_on)
    _signal.signal(_signal.SIGTSTP, suspend)
    if listener.pending is not None:
        pass_on(listener.pending, None)
    try:
        answer = inbox.wait()
    except (OSError, ValueError):
        answer = None
    if answer is None:
        return _without_keeper(pid)
    return int(answer["exit"])


def _without_keeper(pid: int) -> int:
    """The keeper was killed; its death stops the run, which is waited for."""
    import select
    import signal

    sys.stderr.write(
        "run-pipeline: the process that keeps containers warm was ended, and the run was stopped with it\n"
    )
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return 3

    def pass_on(number: int, _frame: object) -> None:
        signal.pidfd_send_signal(descriptor, number)

    for number in STOPPING:
        if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL):
            signal.signal(number, pass_on)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    select.select([descriptor], [], [])
    os.close(descriptor)
    return 3
