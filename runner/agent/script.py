"""The script's process: program, identity, environment, early start. Part of the agent: see `agent.py`."""

import errno
import os
import select
import signal

from runner.agent.kernel import HIDDEN, Failure, drop_mount_capability
from runner.agent.renew import changed_names, looked_at, packed


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


def open_to_user(job):
    """An image with a USER of its own must be able to write where SageMaker's platform lets it."""
    if is_root(job["user"]):
        return
    uid, gid, _, _ = identity(job["user"])
    for target in job["targets"]:
        try:
            os.chown(target, uid, gid)
        except OSError as error:
            if error.errno != errno.EROFS:  # an input that is read-only is so for every user
                raise


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


def add_home(job, environment, who):
    if who and not job["home_set"]:
        environment["HOME"] = who[3]


def spawn(job, environment, staging=None, trace=None):
    """Fork and exec the script's command; `staging` holds the pipes of an interpreter that waits for its go, `trace`
    the files through which it tells what it does."""
    program = find_program(job["argv"][0], environment.get("PATH"))
    who = None if is_root(job["user"]) else identity(job["user"])
    add_home(job, environment, who)
    if trace is not None:
        trace.enter(environment, os.path.join(job["cwd"], program))
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
        if trace is not None:
            trace.inherit(staging is not None)
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
    `other` is a file in memory: the arguments and variables of another job, if there is one.
    """

    def __init__(self):
        self.go, self.ready, self.void = os.pipe(), os.pipe(), os.pipe()
        self.other = os.memfd_create("job") if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_RDONLY)
        above = max(self.go + self.ready + self.void + (self.other,)) + 16  # out of the way of what a child opens
        self.streams = [above, above + 1]
        self.loaded = False
        self.argv, self.environment = [], {}

    def inherit(self):
        """In the child: output goes to the void, and the hook finds the script's own streams under other numbers."""
        for number, kept in ((1, self.streams[0]), (2, self.streams[1])):
            os.dup2(number, kept)
            os.dup2(self.void[1], number)
        for number in (self.go[0], self.ready[1], self.void[0], self.other):
            os.set_inheritable(number, True)

    def start(self, job, environment, trace):
        directory = write_hook(job["hook"])
        add_home(job, environment, None if is_root(job["user"]) else identity(job["user"]))
        self.argv, self.environment = job["argv"], dict(environment)
        own = environment.get("PYTHONPATH")
        numbers = [self.go[0], self.ready[1], self.void[0], self.other, *self.streams]
        environment["_RUN_PIPELINE_HOOK"] = " ".join(str(number) for number in numbers)
        environment["_RUN_PIPELINE_MODULES"] = " ".join(job["modules"])
        environment["_RUN_PIPELINE_CWD"] = job["cwd"]
        environment["_RUN_PIPELINE_CODE"] = job["code"]
        if own is not None:
            environment["_RUN_PIPELINE_PATH"] = own
        environment["PYTHONPATH"] = directory + ":" + own if own else directory
        return spawn(job, environment, staging=self, trace=trace)

    def renew(self, pid, job, environment):
        """Let the interpreter run another job; False: it cannot, since the script might be able to tell."""
        add_home(job, environment, None if is_root(job["user"]) else identity(job["user"]))
        names = changed_names(self.environment, environment)
        if not names and job["argv"] == self.argv:
            return True
        if not hasattr(os, "memfd_create") or (names and looked_at(pid, names)):
            return False
        os.pwrite(self.other, packed(job["argv"][1:], self.environment, environment), 0)
        return True

    def let_go(self):
        os.write(self.go[1], b"go")

    def untouched(self):
        """Whether the hook has not taken all of its go: then nothing of the script has run."""
        return bool(select.select([self.go[0]], [], [], 0)[0])
