"""Says what a script can see of its interpreter, its process and its files: one line each, `name = value`."""

import atexit
import builtins
import ctypes
import faulthandler
import gc
import json
import locale
import os
import resource
import signal
import site
import socket
import sys
import threading
import tracemalloc
import warnings

BEGAN = {"modules": sorted(sys.modules), "gc": gc.isenabled(), "main": sorted(globals())}


def text(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as handle:
        return handle.read()


def status(*names):
    fields = dict(line.split(":", 1) for line in text("/proc/self/status").splitlines())
    return [(name, fields.get(name, "").split()) for name in names]


def interpreter():
    main = sys.modules["__main__"]
    yield "argv", sys.argv
    yield "orig argv", getattr(sys, "orig_argv", None)
    yield "path", sys.path
    yield "flags", str(sys.flags)
    yield "xoptions", sys._xoptions
    yield "warn options", sys.warnoptions
    yield "executable", [sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix]
    yield "main", [main.__name__, main.__file__, str(main.__spec__), type(main.__loader__).__name__, main.__package__]
    yield "main more", [main.__doc__, str(getattr(main, "__cached__", None)), main.__loader__.path, BEGAN["main"]]
    yield "builtins", sorted(dir(builtins))
    yield "finders", [str(finder).split(" at ")[0] for finder in sys.meta_path]
    yield "path hooks", len(sys.path_hooks)
    yield "path cache", sorted(sys.path_importer_cache)
    yield "modules", BEGAN["modules"]
    yield "depth", [sys._getframe().f_back.f_back is None, len(sys._current_frames())]
    yield "limits", [sys.getrecursionlimit(), sys.getswitchinterval(), sys.getdlopenflags()]
    yield "hooks", [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__]
    yield (
        "profile",
        [str(sys.getprofile()), str(sys.gettrace()), str(threading._profile_hook), str(threading._trace_hook)],
    )
    yield "tracing", [tracemalloc.is_tracing(), faulthandler.is_enabled()]
    yield "filters", [[str(part) for part in each] for each in warnings.filters]
    yield "gc", [BEGAN["gc"], gc.get_threshold(), gc.get_freeze_count(), gc.get_debug(), gc.garbage, len(gc.callbacks)]
    yield "gc counters", [gc.get_count(), [each["collections"] for each in gc.get_stats()]]
    yield "threads", [each.name for each in threading.enumerate()]
    yield "atexit", atexit._ncallbacks()
    yield "site", [site.ENABLE_USER_SITE, site.getsitepackages()]
    yield "hash", [hash("a") == hash("a"), list({"pear", "fig", "plum"}) if sys.flags.hash_randomization == 0 else None]


def encodings():
    yield "locale", [locale.getlocale(), locale.getpreferredencoding(), locale.setlocale(locale.LC_ALL)]
    yield "file system", [sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.getdefaultencoding()]
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        more = [stream.line_buffering, stream.write_through, stream.newlines, stream.name, stream.mode]
        yield name, [stream.encoding, stream.errors, stream.isatty(), *more, type(stream.buffer).__name__]
        yield name + " is its original", getattr(sys, "__" + name + "__") is stream


def signals():
    handlers = {}
    for number in sorted(signal.valid_signals()):
        found = signal.getsignal(number)
        handlers[int(number)] = str(found)
    yield "signal handlers", handlers
    yield "signal mask", sorted(int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, []))
    yield "wakeup", signal.set_wakeup_fd(-1)
    yield "signals", status("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd")
    yield "timers", [signal.getitimer(each) for each in (0, 1, 2)]


def process():
    umask = os.umask(0)
    os.umask(umask)
    yield "environ", list(os.environ.items())
    yield "proc environ", text("/proc/self/environ").split("\0")
    yield "cmdline", text("/proc/self/cmdline").split("\0")
    yield "pid", [os.getpid(), os.getppid()]
    yield "session", [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), text("/proc/self/stat").split()[6:8]]
    yield "umask", umask
    yield "who", [os.getresuid(), os.getresgid(), os.getgroups()]
    yield (
        "niceness",
        [os.nice(0), os.sched_getscheduler(0), len(os.sched_getaffinity(0)), text("/proc/self/oom_score_adj")],
    )
    yield "rights", status("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Threads")
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    yield "rlimits", {name: resource.getrlimit(getattr(resource, name)) for name in names}
    prctl = ctypes.CDLL(None).prctl
    yield "prctl", [prctl(option, 0, 0, 0, 0) for option in (3, 7, 21, 23, 27, 30, 39)]
    yield "comm", text("/proc/self/comm")
    yield "links", [os.readlink("/proc/self/" + name) for name in ("exe", "cwd", "root")]
    yield "cwd", os.getcwd()
    yield "host", [socket.gethostname(), text("/etc/hostname"), os.uname().nodename]


def descriptors():
    found = {}
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name).split(":")[0]
        except OSError:  # the listing's own
            continue
    yield "descriptors", found
    yield "blocking", [os.get_blocking(number) for number in (0, 1, 2)]
    yield "stdin", [os.isatty(0), os.read(0, 1)]
    try:
        input()
    except EOFError as error:
        yield "input()", str(error)


def files():
    yield "mounts", sorted({line.split()[1] for line in text("/proc/self/mounts").splitlines()})
    kinds = {line.split()[1]: line.split()[2] for line in text("/proc/self/mounts").splitlines()}
    yield "mount kinds", sorted((place, kind) for place, kind in kinds.items() if place.startswith("/opt/ml"))
    shm = os.statvfs("/dev/shm")
    yield "shm", [shm.f_blocks * shm.f_frsize, os.listdir("/dev/shm")]
    yield "root", sorted(os.listdir("/"))
    yield "tmp", [os.listdir("/tmp"), oct(os.stat("/tmp").st_mode)]
    for place, folders, names in os.walk("/opt/ml"):
        folders.sort()
        for name in [".", *sorted(names)]:
            about = os.lstat(os.path.join(place, name))
            yield (
                os.path.join(place, name),
                [oct(about.st_mode), about.st_uid, about.st_gid, about.st_size * (name != ".")],
            )


sys.stdout.reconfigure(errors="backslashreplace")
for group in (interpreter, encodings, signals, process, descriptors, files):
    for key, value in group():
        print(key, "=", json.dumps(value, default=str))
