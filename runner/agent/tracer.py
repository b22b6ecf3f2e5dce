"""What a traced interpreter does: an audit hook that notes what the script opens, where it connects, what it starts.

It runs inside the script's process, so: it never blocks, never raises, starts no thread, imports nothing that the
interpreter has not loaded by itself, and calls nothing that is audited. Each distinct fact is appended at once, with
one `write`, to a file in memory that the agent owns: neither `os._exit` nor SIGKILL loses any, and a fork goes on
with it. What is kept is bounded. pip is not traced: what it does is not the script's doing. Python 3.7 syntax; the
hook itself needs 3.8. It follows `chain.py` and `words.py` in one text.

A record is one letter and a text, and ends in a zero byte:
  s VERSION  traced from here on          o VERSION  too old to be traced
  p VERSION  runs pip, and is not traced
  r PATH     opened to read               w PATH     opened to write, or made by a link or a rename
  l PATH     listed                       m PATH     opened to read, or listed, and not there
  n ADDRESS  connected or looked up       c NAME     a program that was started, whose own doings are not seen
  + COUNT    so many more facts than were kept
"""

import os
import sys

from runner.agent.words import is_pip


class _RunnerTracer:
    """`places`: the job's directories; below them and below /opt/ml every path counts, elsewhere few do."""

    LIMIT = 1000  # facts of a kind
    NEAR_LIMIT = 50  # files that were read in one of the places: what counts is whether there was any
    FULL = 2 << 20  # bytes
    IMAGE = ("/usr/", "/lib/", "/lib32/", "/lib64/", "/bin/", "/sbin/", "/etc/", "/proc/", "/sys/", "/dev/")
    PASSING = ("/tmp/", "/var/tmp/", "/run/", "/var/run/", "/var/cache/")
    WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    MODES = frozenset("wax+")
    HANDLE = getattr(os, "O_PATH", 0)

    def __init__(self, descriptor, places):
        self.descriptor, self.own = descriptor, globals()
        file = os.fstat(descriptor)
        self.file = file.st_dev, file.st_ino
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"", "/"}
        self.image = self.IMAGE + tuple(prefix.rstrip("/") + "/" for prefix in prefixes)
        self.passing = self.image + self.PASSING
        self.roots = {place.rstrip("/") for place in places}
        nested = sorted((root + "/" for root in self.roots), key=len, reverse=True)
        self.below = (*nested, "/opt/ml/", "/.runner/")
        self.seen, self.counts, self.known, self.more = set(), {}, (), 0
        # Bound here: nothing is looked up later in a module that the script may change.
        self.fstat, self.stat, self.write, self.getcwd = os.fstat, os.stat, os.write, os.getcwd
        self.fspath, self.fsdecode, self.normpath = os.fspath, os.fsdecode, os.path.normpath
        self.deal = {
            "open": self.opened,
            "os.listdir": self.listed,
            "os.scandir": self.listed,
            "pathlib.Path.glob": self.listed,  # which lists nothing where there is no directory
            "pathlib.Path.rglob": self.listed,
            "os.rename": self.made,
            "os.link": self.made,
            "os.truncate": self.truncated,
            "sqlite3.connect": self.database,
            "socket.connect": self.connected,
            "socket.sendto": self.connected,
            "socket.getaddrinfo": self.looked_up,
            "socket.gethostbyname": self.looked_up,
            "subprocess.Popen": self.popened,
            "os.system": self.started,
            "os.exec": self.started,
            "os.posix_spawn": self.started,
            "import": self.imported,
        }

    def hook(self, event, arguments):
        deal = self.deal.get(event)
        if deal is None:
            return
        try:
            deal(*arguments)
        except Exception as error:
            # Ours stays here. A signal handler of the script's may have run in between, and raised: that is its own.
            at = error.__traceback__
            while at.tb_next is not None:
                at = at.tb_next
            if at.tb_frame.f_globals is not self.own:
                raise

    def record(self, kind, text, place=""):
        """Keep one fact, if it is new and there is room."""
        key = kind, text
        if key in self.seen:
            return
        count = self.counts[kind, place] = self.counts.get((kind, place), 0) + 1
        if count <= self.LIMIT:
            self.seen.add(key)
            self.append(kind, text)
        else:
            self.count_only()
        if kind == "r" and count == self.NEAR_LIMIT and not any(root.startswith(place) for root in self.roots):
            self.known += (place,)

    def count_only(self):
        """One more that is not kept: told at every power of two, so that the last words are never far off."""
        self.more += 1
        if not self.more & (self.more - 1):
            self.append("+", str(self.more))

    def append(self, kind, text):
        """The descriptor may be closed by now, or even be another file's."""
        try:
            status = self.fstat(self.descriptor)
            if (status.st_dev, status.st_ino) == self.file and status.st_size < self.FULL:
                self.write(self.descriptor, kind.encode() + text.encode("utf-8", "surrogateescape") + b"\0")
        except OSError:
            return  # the trace ends here, and nothing else does

    def absolute(self, path):
        path = self.fspath(path)
        if path.__class__ is bytes:
            path = self.fsdecode(path)
        if path[:1] != "/":
            path = self.getcwd() + "/" + path
        path = self.normpath(path)
        return path[1:] if path[:2] == "//" else path  # POSIX lets two slashes stay, as below a directory `/`

    def there(self, path):
        try:
            self.stat(path)
        except OSError:
            return False
        return True

    def opened(self, path, mode, flags):
        if path.__class__ is not str:
            if path.__class__ is int or path is None:
                return
            path = self.absolute(path)
        # C's `fopen` has no flags.
        writes = flags & self.WRITING if flags else mode.__class__ is str and not self.MODES.isdisjoint(mode)
        if path.startswith(self.passing if writes else self.image) or (not writes and ("r", path) in self.seen):
            return
        if not writes and path.startswith(self.known):
            self.count_only()
            return
        flags = flags or 0
        if mode is None and ((self.HANDLE and flags & self.HANDLE) or self.elsewhere(path, writes)):
            return
        path = self.absolute(path)
        if not writes:
            self.read(path, flags)
        elif not path.startswith(self.passing) and "/__pycache__/" not in path:
            self.record("w", path, self.place(path))
            if flags & os.O_RDWR:
                self.read(path, flags)

    def elsewhere(self, path, writes):
        """Whether `os.open` was perhaps told another directory to start from, which the event does not say."""
        return path[:1] != "/" and not writes and not self.there(path)

    def place(self, path):
        return next((each for each in self.below if path.startswith(each)), "")

    def read(self, path, flags):
        if path in self.roots:
            self.record("l", path)
        elif path.startswith(self.below):
            place = self.place(path)
            if flags & os.O_DIRECTORY:
                self.record("l", path, place)
            elif self.there(path):
                self.record("r", path, place)
            else:
                self.record("m", path)
        elif self.is_missed(path):
            self.record("m", path)

    def is_missed(self, path):
        """Whether a path is not there that no interpreter and no package looks for by itself."""
        return not path.startswith(self.image) and "/site-packages/" not in path + "/" and not self.there(path)

    def listed(self, path=None, *_):
        if path.__class__ is int:
            return
        path = self.absolute("." if path is None else path)
        if self.is_missed(path):
            self.record("m", path)
        elif path in self.roots or path.startswith(self.below):
            self.record("l", path, self.place(path))

    def made(self, _source, target, *_):
        if target.__class__ is not int:
            target = self.absolute(target)
            if not target.startswith(self.passing):
                self.record("w", target, self.place(target))

    def truncated(self, path, _length):
        self.opened(path, "w", 0)

    def database(self, path, *_):
        """SQLite opens its file itself."""
        if path not in (":memory:", ""):
            self.opened(path, "r" if self.there(path) else "w", 0)

    def connected(self, _socket, address):
        if address.__class__ is tuple and len(address) > 1:
            self.record("n", "%s:%s" % (address[0], address[1]))

    def looked_up(self, host, port=None, *_):
        if host:
            host = host.decode() if host.__class__ is bytes else host
            self.record("n", "%s:%s" % (host, port) if port not in (None, 0, "0", "") else host)

    def popened(self, executable, arguments, *_):
        self.started(executable if arguments.__class__ is str else arguments[0])

    def started(self, name, *_):
        self.record("c", self.fsdecode(name).strip()[:200])

    def imported(self, module, *_):
        if module in ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver"):
            self.record("c", "a process of multiprocessing (%s)" % module.split("_")[1].replace("posix", "spawn"))


def _runner_words():
    """This process's command line; `sys.orig_argv` is of Python 3.10, and `sys.argv` has no module's name yet."""
    try:
        with open("/proc/self/cmdline", "rb") as handle:
            return os.fsdecode(handle.read(1 << 16)).split("\0")
    except OSError:
        return []


def _runner_trace(descriptor, places):
    """Trace this interpreter from here on, and its forks."""
    version = "%d.%d.%d" % sys.version_info[:3]
    kept_out = "p" if is_pip(_runner_words()[1:]) else "" if hasattr(sys, "addaudithook") else "o"
    if kept_out:
        os.write(descriptor, ("%s%s\0" % (kept_out, version)).encode())
        os.close(descriptor)
        return
    os.set_inheritable(descriptor, False)
    tracer = _RunnerTracer(descriptor, places)
    tracer.append("s", version)
    sys.addaudithook(tracer.hook)
