"""The first process in every container whose image has Python: it starts the script and holds the leash.

It runs in other people's images, so: standard library only, the syntax of Python 3.7, one file, handed to the
interpreter as text (`python3 -I -S -B -c <this file> MODE`). It must not write to stdout or stderr, which belong to
the script. It is PID 1, so it also reaps.

What it is told comes over stdin, one JSON document a line; stdin is attached to the runner:
  {"op": "job", ...}                      first; the fields are made by `job_message` in the engine's creation.py
  {"op": "go"}                            the inputs exist: mount them and let the script run
  {"op": "stop", "reason": R, "grace": S} SIGTERM to the script, S seconds, SIGKILL to all; may be said again with less
  end of file                             the runner is gone: kill everything, exit

  {"op": "bye"}                           everything has arrived: exit

What it reports comes at the end of the script's own streams, when no process but this one is left to write there: a
trailer that starts with a secret of the job's (`nonce`), on stderr with one JSON document in it:
  exit (int) or signal (int), stopped (null or the reason), oom_kills (int), error (null or [kind, words]), notes (list)
It exits only when told so. A script's last bytes are thus never lost to an engine that closes the streams of an ended
container while the runner was suspended. Its own exit status is the script's, or 128 plus the signal's number.
"""

import ctypes
import json
import os
import select
import signal
import stat
import sys
import time

HIDDEN = "/.runner"
CAP_SYS_ADMIN = 21
MS_RDONLY, MS_BIND, MS_REC, MNT_DETACH = 1, 4096, 16384, 2
PR_SET_DUMPABLE, PR_CAPBSET_DROP = 4, 24


class Failure(Exception):
    """Kind (`mount`, `exec`, `user`) and words for the runner."""


# --- the kernel ------------------------------------------------------------------------------------------------------


def libc():
    return ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags, data=""):
    arguments = [text.encode() for text in (source, target, kind)]
    if libc().mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def unmount(target):
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


def oom_kills():
    """How many processes of this container the kernel has killed for memory (cgroup v2, then v1)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as handle:
                for line in handle:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except (OSError, ValueError):
            continue
    return 0


# --- the data --------------------------------------------------------------------------------------------------------


def copy_tree(source, target):
    """A plain private copy, for file systems that an overlay cannot lie on. Imported late: it is rarely needed."""
    import shutil

    shutil.copytree(source, target, symlinks=True)


def place_input(entry, scratch, notes):
    """Mount one input so that the script may write to it and its source never changes."""
    source, target = entry["source"], entry["target"]
    if not os.path.isdir(source):
        raise Failure("mount", "input %s: %s is not there" % (entry["name"], entry["shown"]))
    os.makedirs(target, exist_ok=True)
    private = os.path.join(scratch, "input-%s" % entry["index"])
    upper, work = os.path.join(private, "upper"), os.path.join(private, "work")
    os.makedirs(upper)
    os.makedirs(work)
    mode = os.stat(source).st_mode
    os.chmod(upper, stat.S_IMODE(mode))
    # redirect_dir: without it a directory of the lower tree cannot be renamed, as it can on SageMaker.
    options = "lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on" % (source, upper, work)
    try:
        mount("overlay", target, "overlay", 0, options)
    except OSError as error:
        notes.append("input %s was copied: an overlay cannot lie here (%s)" % (entry["name"], error.strerror))
        copy_tree(source, os.path.join(private, "copy"))
        mount(os.path.join(private, "copy"), target, "", MS_BIND)


def place_all(job, notes):
    """All mounts of a staged job, shallow targets first, then the hidden root goes."""
    entries = [("input", entry) for entry in job["inputs"]] + [("bind", entry) for entry in job["binds"]]
    try:
        for kind, entry in sorted(entries, key=lambda item: item[1]["target"].count("/")):
            if kind == "input":
                place_input(entry, job["scratch"], notes)
            else:
                os.makedirs(entry["target"], exist_ok=True)
                mount(entry["source"], entry["target"], "", MS_BIND)
        for target in job["hidden"]:
            unmount(target)
        clear_hidden()
    except OSError as error:
        raise Failure("mount", "cannot mount %s: %s" % (error.filename, error.strerror)) from error
    drop_mount_capability()


def clear_hidden():
    """Remove the empty mount points, deepest first, and the hook's file: the script's root directory is the image's."""
    for path, directories, files in os.walk(HIDDEN, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in directories:
            os.rmdir(os.path.join(path, name))
    if os.path.isdir(HIDDEN):
        os.rmdir(HIDDEN)


def give_back(handles, uid, gid, notes):
    """Make the invoking user the owner of everything in the open directories, and let them read and delete it.

    Directory by directory with descriptors, neither recursive nor by path: a script may nest deeper than both allow.
    """
    for handle in handles:
        stack = [(handle, os.scandir(handle))]
        while stack:
            at, entries = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
                if at != handle:
                    os.close(at)
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    hand_over(entry.name, at, uid, gid, stat.S_IRWXU)
                    below = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                    stack.append((below, os.scandir(below)))
                else:
                    hand_over(entry.name, at, uid, gid, stat.S_IRUSR | stat.S_IWUSR)
            except OSError as error:
                notes.append("not handed back: %s: %s" % (entry.name, error.strerror))
        os.fchown(handle, uid, gid)
        os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) | stat.S_IRWXU)


def hand_over(name, at, uid, gid, wanted):
    status = os.stat(name, dir_fd=at, follow_symlinks=False)
    os.chown(name, uid, gid, dir_fd=at, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode) | wanted, dir_fd=at)


# --- the script ------------------------------------------------------------------------------------------------------


def find_program(name, path):
    """As execvp does: a name with a slash is a path, others are looked up."""
    if "/" in name:
        return name
    for directory in (path or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(":"):
        candidate = os.path.join(directory or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise Failure("exec", "%r: no such program in the image's PATH" % name)


def read_table(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            return [line.rstrip("\n").split(":") for line in handle if ":" in line]
    except OSError:
        return []


def identity(user):
    """(uid, gid, groups, home) of an image's USER, by Docker's rules: `name`, `uid`, `name:group`, `uid:gid`."""
    name, _, group = user.partition(":")
    people, groups = read_table("/etc/passwd"), read_table("/etc/group")
    person = next((row for row in people if len(row) > 5 and (row[0] == name or row[2] == name)), None)
    if person is None and not name.isdigit():
        raise Failure("user", "the image's USER %r is not in its /etc/passwd" % name)
    uid, gid, home = (int(person[2]), int(person[3]), person[5]) if person else (int(name), 0, "/")
    if group:
        row = next((row for row in groups if len(row) > 2 and group in (row[0], row[2])), None)
        if row is None and not group.isdigit():
            raise Failure("user", "the image's group %r is not in its /etc/group" % group)
        gid = int(row[2]) if row else int(group)
        return uid, gid, [gid], home
    member = [int(row[2]) for row in groups if len(row) > 3 and person and person[0] in row[3].split(",")]
    return uid, gid, sorted({gid, *member}), home


def is_root(user):
    return user.partition(":")[0] in ("", "0", "root")


def read_environment():
    """The container's environment as the engine set it. `os.environ` will not do: a starting interpreter may add
    LC_CTYPE to it (PEP 538), which a script that is not Python would then see."""
    with open("/proc/self/environ", "rb") as handle:
        pairs = [entry.partition(b"=") for entry in handle.read().split(b"\0") if entry]
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}


def script_environment(job):
    """The environment as Docker would have made it: the job's values come by message, so that LD_PRELOAD and the like
    act on the script and not on this process, and `docker inspect` does not show them. The order is Docker's."""
    initial, own = read_environment(), dict(job["env"])
    first = {key: own.pop(key, initial[key]) for key in ("PATH", "HOSTNAME") if key in initial}
    rest = {key: value for key, value in initial.items() if key not in first and key not in own}
    home = {"HOME": rest.pop("HOME")} if "HOME" in rest and not job["home_set"] else {}
    return dict(first, **dict(own, **dict(rest, **home)))


def spawn(job, environment, staging=None):
    """Fork and exec the script's command; `staging` holds the pipes of an interpreter that waits for its go."""
    program = find_program(job["argv"][0], environment.get("PATH"))
    who = None if is_root(job["user"]) else identity(job["user"])
    if who and not job["home_set"]:
        environment["HOME"] = who[3]
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # Python's own settings
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        if staging is not None:
            staging.inherit()
        os.chdir(job["cwd"])  # a staged interpreter makes a relative script's path absolute here, before the mounts
        if job["staged"]:
            drop_mount_capability()
        if who:
            os.setgroups(who[2])
            os.setgid(who[1])
            os.setuid(who[0])
        os.execve(program, job["argv"], environment)
    except BaseException as error:
        report_exec_failure(error)
    os._exit(127)


def report_exec_failure(error):
    """The child's last word, on the script's own stderr, as a shell would say it."""
    message = "cannot start the script's command: %s\n" % error
    os.write(2, message.encode(errors="replace"))
    os._exit(126 if isinstance(error, PermissionError) else 127)


def write_hook(source):
    """Put the early-import hook where a starting interpreter finds it; gone again before the script runs."""
    directory = HIDDEN + "/hook"
    os.makedirs(directory, exist_ok=True)
    with open(directory + "/sitecustomize.py", "w") as handle:
        handle.write(source)
    os.chmod(directory, 0o755)
    return directory


class Staging:
    """The pipes of an interpreter that has been started ahead: it stops in its start-up, imports, and waits.

    `go` carries the word to run. Both its ends stay open here: bytes still in it when the interpreter ends prove that
    the script never ran. `ready` carries one byte from the hook, as its first act; until then nothing may be mounted,
    since an interpreter that ignored the hook would run the script too early. `void` takes all output until go.
    """

    def __init__(self):
        self.go, self.ready, self.void = os.pipe(), os.pipe(), os.pipe()
        above = max(self.go + self.ready + self.void) + 16  # out of the way of what a child opens
        self.streams = [above, above + 1]
        self.loaded = False

    def inherit(self):
        """In the child: output goes to the void, and the hook finds the script's own streams under other numbers."""
        for number, kept in ((1, self.streams[0]), (2, self.streams[1])):
            os.dup2(number, kept)
            os.dup2(self.void[1], number)
        for number in (self.go[0], self.ready[1], self.void[0]):
            os.set_inheritable(number, True)

    def start(self, job, environment):
        directory = write_hook(job["hook"])
        own = environment.get("PYTHONPATH")
        numbers = [self.go[0], self.ready[1], self.void[0], *self.streams]
        environment["_RUN_PIPELINE_HOOK"] = " ".join(str(number) for number in numbers)
        environment["_RUN_PIPELINE_MODULES"] = " ".join(job["modules"])
        environment["_RUN_PIPELINE_CWD"] = job["cwd"]
        environment["_RUN_PIPELINE_CODE"] = job["code"]
        if own is not None:
            environment["_RUN_PIPELINE_PATH"] = own
        environment["PYTHONPATH"] = directory + ":" + own if own else directory
        return spawn(job, environment, staging=self)

    def untouched(self):
        """Whether the hook has not taken all of its go: then nothing of the script has run."""
        return bool(select.select([self.go[0]], [], [], 0)[0])


# --- PID 1 -----------------------------------------------------------------------------------------------------------


def write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


class Agent:
    """Waits on stdin, on children and on the clock, and on nothing else."""

    def __init__(self):
        self.job = None
        self.child = None
        self.waiting = None  # the Staging of an interpreter that was started ahead
        self.told_to_go = False
        self.running = False
        self.stopped = None
        self.kill_at = None
        self.status = None
        self.notes = []
        self.error = None
        self.buffer = b""
        self.handles = []
        self.signals = signal_descriptor(WATCHED)

    def main(self):
        try:
            while self.status is None:
                self.turn()
        except Exception as error:  # nothing of ours may appear in the script's streams: it goes into the report
            self.fail("agent", "%s: %s" % (type(error).__name__, error), 125)
        return self.finish()

    def turn(self):
        """Wait for one thing to happen, and deal with it."""
        left = None if self.kill_at is None else max(0.0, self.kill_at - time.monotonic())
        ready, _, _ = select.select([0, self.signals, *self.staging_ends()], [], [], left)
        if self.waiting and not self.waiting.loaded and self.waiting.ready[0] in ready:
            self.waiting.loaded = True
        elif self.waiting and self.waiting.void[0] in ready:
            os.kill(self.child, signal.SIGKILL)  # an early import writes: its place in the output would be wrong
            os.read(self.waiting.void[0], 1 << 16)
        if self.signals in ready:
            self.take_signals()
        if self.told_to_go and not self.running and self.status is None:
            self.try_to_go()
        if 0 in ready and self.status is None:
            self.read()
        if self.kill_at is not None and time.monotonic() >= self.kill_at and self.status is None:
            self.kill_at = None
            os.kill(-1, signal.SIGKILL)

    def staging_ends(self):
        if not self.waiting or (self.running and not self.waiting.untouched()):
            return []
        return [self.waiting.void[0]] + ([] if self.waiting.loaded else [self.waiting.ready[0]])

    def fail(self, kind, words, status):
        self.error, self.status = [kind, words], status

    def take_signals(self):
        for number, sender in read_signals(self.signals):
            if number == signal.SIGCHLD:
                self.reap()
            elif sender:
                self.notes.append(
                    "a process in the container sent %s to PID 1, which is not the script here: it had no effect"
                    % signal.Signals(number).name
                )
            else:
                self.from_outside(number)

    def from_outside(self, number):
        """`docker stop` and the like: the script is told, and the runner learns that it was not the script's doing."""
        if self.stopped is None:
            self.stopped = "outside:" + signal.Signals(number).name
        self.signal_script(number)

    def signal_script(self, number):
        if self.running and self.child and self.status is None:
            try:
                os.kill(self.child, number)
            except ProcessLookupError:
                pass
        elif not self.running:
            self.status = -number

    def read(self):
        data = os.read(0, 1 << 20)
        if not data:
            self.stopped = "leash"
            self.status = -signal.SIGKILL
            return
        self.buffer += data
        while b"\n" in self.buffer and self.status is None:
            line, self.buffer = self.buffer.split(b"\n", 1)
            message = json.loads(line.decode())
            getattr(self, "on_" + message["op"])(message)

    def on_job(self, message):
        self.job = message
        if message["staged"] and message["preload"]:
            self.waiting = Staging()
            os.makedirs(message["cwd"], exist_ok=True)
            try:
                self.child = self.waiting.start(message, script_environment(message))
            except (Failure, OSError):
                self.waiting = None  # the plain start at `go` meets the same fault, and reports it

    def on_go(self, _message):
        self.told_to_go = True
        self.try_to_go()

    def try_to_go(self):
        """Mount and let run, but not before a staged interpreter sits in its hook, or has ended."""
        if self.waiting is not None and not self.waiting.loaded:
            return
        try:
            self.let_go(self.job)
        except Failure as failure:
            self.fail(failure.args[0], failure.args[1], 126)

    def let_go(self, job):
        owned = [path for path in job["owned"] if os.path.isdir(path)]
        self.handles = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in owned]
        if job["staged"]:
            place_all(job, self.notes)
        self.open_to_user(job)
        libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # the script, root too, may not look at this process's files
        os.makedirs(job["cwd"], exist_ok=True)
        self.running = True
        if self.waiting is None:
            self.child = spawn(job, script_environment(job))
        else:
            os.write(self.waiting.go[1], b"go")

    def open_to_user(self, job):
        """An image with a USER of its own must be able to write where SageMaker's platform lets it."""
        if is_root(job["user"]):
            return
        uid, gid, _, _ = identity(job["user"])
        for target in job["targets"]:
            os.chown(target, uid, gid)

    def on_stop(self, message):
        self.reap()  # a script that has just ended by itself was not stopped
        if self.status is None and self.stopped is None:
            self.stopped = message["reason"]
            self.signal_script(signal.SIGTERM)
        until = time.monotonic() + message["grace"]
        self.kill_at = until if self.kill_at is None else min(self.kill_at, until)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.child_ended(status)

    def child_ended(self, status):
        if self.never_ran() and self.stopped is None:
            # An early import wrote something, failed or crashed, or a file of the script's own would have been imported
            # in its place: a plain start, so that the script meets what it would meet without us.
            self.waiting = None
            self.child = spawn(self.job, script_environment(self.job)) if self.running else None
            return
        self.status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def never_ran(self):
        """Whether the staged interpreter ended before it took its `go`."""
        return self.waiting is not None and (not self.running or self.waiting.untouched())

    def finish(self):
        for _ in range(2):  # what the script left behind ends with it, as it does when the script is PID 1
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                break
        if self.job is not None:
            try:
                if self.job["give_back"]:
                    give_back(self.handles, self.job["uid"], self.job["gid"], self.notes)
            except OSError as error:
                self.notes.append("not handed back: %s" % error)
            self.report()
        return self.status if self.status >= 0 else 128 - self.status

    def report(self):
        """The trailers, and then a wait until they have arrived. A broken stream means that nobody listens any more."""
        start = b"\0" + self.job["nonce"].encode() + b":"
        try:
            write_all(1, start + b"\n")
            write_all(2, start + json.dumps(self.summary()).encode() + b"\n")
            while b'"bye"' not in self.buffer:
                data = os.read(0, 1 << 16)
                if not data:
                    return
                self.buffer += data
        except OSError:
            return

    def summary(self):
        ended = {"exit": self.status} if self.status >= 0 else {"signal": -self.status}
        return dict(ended, stopped=self.stopped, oom_kills=oom_kills(), error=self.error, notes=self.notes)


def probe():
    """What this image and this host allow, as one JSON line on stdout."""
    found = {"python": sys.executable, "version": list(sys.version_info[:3]), "mount": False, "why": ""}
    try:
        for name in ("lower", "upper", "work", "merged"):
            os.makedirs("/tmp/.runner-probe/" + name)
        mount("tmpfs", "/tmp/.runner-probe", "tmpfs", 0)
        for name in ("lower", "upper", "work", "merged"):
            os.makedirs("/tmp/.runner-probe/" + name)
        options = "lowerdir=/tmp/.runner-probe/lower,upperdir=/tmp/.runner-probe/upper,workdir=/tmp/.runner-probe/work"
        mount("overlay", "/tmp/.runner-probe/merged", "overlay", 0, options)
        drop_mount_capability()
        found["mount"] = True
    except (OSError, AttributeError) as error:
        found["why"] = str(error)
    print(json.dumps(found), flush=True)
    return 0


def reclaim(arguments):
    """Hand directories back: `reclaim UID GID DIR...`."""
    notes = []
    handles = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in arguments[2:]]
    give_back(handles, int(arguments[0]), int(arguments[1]), notes)
    print(json.dumps(notes), flush=True)
    return 1 if notes else 0


if __name__ == "__main__":
    mode = sys.argv[1]
    os._exit(Agent().main() if mode == "run" else probe() if mode == "probe" else reclaim(sys.argv[2:]))
