"""What the agent asks of the kernel: mounts, capabilities, signals, memory. Part of the agent: see `agent.py`."""

import ctypes
import os
import select
import signal
import sys
import time

HIDDEN = "/.runner"
REAP_SECONDS = 10.0
CAP_SYS_ADMIN = 21
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MNT_DETACH = 1, 32, 4096, 8192, 2
PR_SET_DUMPABLE, PR_CAPBSET_DROP = 4, 24


class Failure(Exception):
    """Kind (`mount`, `exec`, `user`) and words for the runner."""


LIBC = []  # type: list[ctypes.CDLL]


def libc():
    """With its functions looked up already: that takes a while, and most are called when a script waits for it."""
    if not LIBC:
        c = ctypes.CDLL(None, use_errno=True)
        for name in ("mount", "umount2", "prctl", "capget", "capset", "inotify_add_watch", "inotify_rm_watch"):
            getattr(c, name, None)
        LIBC.append(c)
    return LIBC[0]


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    arguments = [text.encode() for text in (source, target, kind)]
    if libc().mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def unmount(target: str) -> None:
    if libc().umount2(target.encode(), MNT_DETACH) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def drop_mount_capability():
    """Give up CAP_SYS_ADMIN for good: bounding, effective, permitted and inheritable sets."""
    c = libc()
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if c.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for index in range(3):
        sets[index] &= ~(1 << CAP_SYS_ADMIN)
    # The bounding set first: dropping from it needs CAP_SETPCAP in the effective set, which stays.
    if c.prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_CAPBSET_DROP)")
    if c.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
SIGNAL_RECORD = 128  # bytes of struct signalfd_siginfo


def signal_descriptor(numbers):
    """Block the signals and read them from a descriptor instead (signalfd), which also tells who sent them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    mask = (ctypes.c_ubyte * 128)()
    for number in numbers:
        mask[(number - 1) // 8] |= 1 << (number - 1) % 8
    descriptor = libc().signalfd(-1, mask, os.O_CLOEXEC | os.O_NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return descriptor


def read_signals(descriptor):
    """(number, pid of the sender) of each; the pid is 0 when the sender is outside of this container."""
    try:
        data = os.read(descriptor, 64 * SIGNAL_RECORD)
    except BlockingIOError:
        return []
    records = [data[at : at + SIGNAL_RECORD] for at in range(0, len(data), SIGNAL_RECORD)]
    return [(int.from_bytes(each[0:4], sys.byteorder), int.from_bytes(each[12:16], sys.byteorder)) for each in records]


def end_the_rest(signals):
    """What the script left behind ends with it, as it does when the script is PID 1.

    PID 1 inherits every orphan, so when it has no child left nobody can write to the streams or outputs any more. A
    process that cannot die (in uninterruptible sleep) is waited for in vain, and not for ever.
    """
    until = time.monotonic() + REAP_SECONDS
    while time.monotonic() < until:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        select.select([signals], [], [], 0.05)
        read_signals(signals)


def write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


class MemoryKills:
    """How many processes of this container the kernel has killed for memory (cgroup v2, then v1). The file is opened
    ahead of time, to cost nothing when the script has ended."""

    PATHS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")

    def __init__(self):
        self.file = -1
        for path in self.PATHS:
            try:
                self.file = os.open(path, os.O_RDONLY)
                return
            except OSError:
                continue

    def count(self):
        try:
            found = os.pread(self.file, 4096, 0).decode().splitlines()
            return next((int(line.split()[1]) for line in found if line.startswith("oom_kill ")), 0)
        except (OSError, ValueError):
            return 0
