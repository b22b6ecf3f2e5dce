"""What the script did, as far as it can be known from outside of it and from its own audit hook (`tracer.py`).

Three witnesses: the hook in the script's interpreter, inotify on the inputs (which also sees what is not Python), and
a look at /opt/ml in the end. Part of the agent: see `agent.py`.
"""

import binascii
import ctypes
import fcntl
import os
import time

from runner.agent.kernel import libc

IN_OPEN, IN_ISDIR, IN_Q_OVERFLOW, IN_ONLYDIR = 0x20, 0x40000000, 0x4000, 0x01000000
EVENT = 16  # bytes of struct inotify_event before the name
LOOK = 2000  # entries of an input, or of /opt/ml, that are looked at: a large tree must not cost the script time
KEPT = 200  # facts of a kind in the report
LONGEST = 128 << 10  # bytes of paths in the report
ABOVE = 600  # the number of the trace's descriptor: out of the way, below the usual limit of 1024
ML = "/opt/ml"


def entries_below(root, passed_over, count):
    """(directories, files) below `root`, or None when there are more than `count` entries. Follows no link."""
    directories, files, left = [root], [], count
    for path in directories:
        with os.scandir(path) as found:
            for entry in found:
                left -= 1
                if left < 0:
                    return None
                if not entry.is_dir(follow_symlinks=False):
                    files.append(entry.path)
                elif entry.path not in passed_over:
                    directories.append(entry.path)
    return directories, files


class Trace:
    """`job["trace"]` says what is wanted: see `tracing.py` in the engine."""

    def __init__(self, job):
        self.wanted = job["trace"]
        self.why = self.wanted["why"]
        self.file = self.archive = None
        self.watched = libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self.inputs = {}  # name of an input -> untouched, listed, read or unknown
        self.of = {}  # watch -> name of its input
        self.began = time.time()
        if not self.why or self.wanted["script"]:
            try:
                self.open_files()
            except (OSError, AttributeError) as error:
                self.why = "no file in memory can be had here (%s)" % error

    def open_files(self):
        file = os.memfd_create("trace", os.MFD_CLOEXEC)
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
        self.file = self.out_of_the_way(file)
        if self.wanted["archive"]:
            archive = os.memfd_create("trace", os.MFD_CLOEXEC)
            os.write(archive, binascii.a2b_base64(self.wanted["archive"]))
            self.archive = self.out_of_the_way(archive)

    def out_of_the_way(self, descriptor):
        try:
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, ABOVE)
        except OSError:
            return descriptor  # fewer descriptors are allowed here
        os.close(descriptor)
        return moved

    def enter(self, environment, program):
        """Let a Python that starts with this environment trace itself; it takes all of this out again. No other
        program sees any of it: one that may be a Python script is looked at first."""
        if self.file is not None and self.wanted["script"]:
            self.why = script_fault(program, self.why)
            if self.why:
                os.close(self.file)
                os.close(self.archive)
                self.file = self.archive = None
        if self.file is None:
            return
        environment["_RUN_PIPELINE_TRACE"] = str(self.file)
        if self.archive is not None and "_RUN_PIPELINE_HOOK" not in environment:
            own = environment.get("PYTHONPATH")
            if own is not None:
                environment["_RUN_PIPELINE_PATH"] = own
            entry = "/proc/self/fd/%d" % self.archive
            environment["PYTHONPATH"] = entry + ":" + own if own else entry

    def inherit(self, staged):
        """In the child. A staged interpreter finds its tracer in its hook."""
        for descriptor in (self.file, None if staged else self.archive):
            if descriptor is not None:
                os.set_inheritable(descriptor, True)

    # -- the inputs, as the kernel sees them

    def watch(self):
        """Before the script runs, when the inputs are in place."""
        self.began = time.time()
        c = libc()
        found = [(name, self.tree(target)) for name, target in self.wanted["inputs"]]
        for name, directories in found:  # all are looked at before one is watched: a look is an event, too
            watched = self.watched >= 0 and directories and all(self.add(c, path, name) for path in directories)
            self.inputs[name] = "untouched" if watched else "unknown"

    def tree(self, target):
        """The directories of an input; none when they are too many."""
        try:
            found = entries_below(target, self.wanted["places"], LOOK)
        except OSError:
            return []
        return found[0] if found else []

    def add(self, c, path, name):
        number = c.inotify_add_watch(self.watched, os.fsencode(path), ctypes.c_uint32(IN_OPEN | IN_ONLYDIR))
        self.of[number] = name
        return number >= 0

    def ends(self):
        return [self.watched] if self.watched >= 0 else []

    def take(self):
        """What was opened since. An input that was read is watched no longer: one reading is enough to know."""
        if self.watched < 0:
            return
        while True:
            try:
                data = os.read(self.watched, 1 << 16)
            except BlockingIOError:
                return
            while data:
                watch = int.from_bytes(data[0:4], "little", signed=True)
                mask, length = int.from_bytes(data[4:8], "little"), int.from_bytes(data[12:16], "little")
                data = data[EVENT + length :]
                self.seen(watch, mask)

    def seen(self, watch, mask):
        if mask & IN_Q_OVERFLOW:
            self.inputs = {name: how if how == "read" else "unknown" for name, how in self.inputs.items()}
            return
        name = self.of.get(watch)
        if name is None or self.inputs[name] == "read" or not mask & IN_OPEN:
            return
        if mask & IN_ISDIR:
            self.inputs[name] = "listed" if self.inputs[name] == "untouched" else self.inputs[name]
            return
        self.inputs[name] = "read"
        for number in [number for number, of in self.of.items() if of == name]:
            libc().inotify_rm_watch(self.watched, number)
            del self.of[number]

    # -- the end

    def summary(self):
        """All that is known, of bounded length. Only when no process but this one is left."""
        self.take()
        facts = self.facts()
        version, too_old, pip = facts.pop("s", []), facts.pop("o", []), facts.pop("p", [])
        why = self.why
        if too_old:
            why = "the script's Python is %s, older than 3.8" % too_old[0]
        elif not why and not version:
            why = "pip alone ran, which is not traced" if pip else "its interpreter did not take the tracer in"
        self.listen(facts)
        written = [[path, real] for path in facts.get("w", []) for real in [os.path.realpath(path)]]
        told = {
            "traced": not why,
            "why": why,
            "python": version[0] if version else None,
            "inputs": self.inputs,
            "left": self.left_behind(),
            "writes": [pair for pair in written if os.path.lexists(pair[0])],
            "connections": facts.get("n", []),
            "missing": facts.get("m", []),
            "children": facts.get("c", []),
            "reads": facts.get("r", []),
        }
        more = max([int(count) for count in facts.get("+", [])], default=0)
        return dict(told, more=more + shorten(told))

    def facts(self):
        """Kind -> distinct texts, in their order."""
        found = {}
        if self.file is not None:
            size = os.fstat(self.file).st_size
            for record in os.pread(self.file, size, 0).split(b"\0"):
                text = record[1:].decode("utf-8", "backslashreplace")
                found.setdefault(record[:1].decode("ascii", "replace"), {})[text] = None
        return {kind: list(texts) for kind, texts in found.items()}

    def listen(self, facts):
        """The hook's word on the inputs counts where the kernel's could not be had."""
        for path in facts.get("l", []):
            if self.inputs.get(self.input_of(path)) == "untouched":
                self.inputs[self.input_of(path)] = "listed"
        for path in facts.get("r", []):
            if self.input_of(path) in self.inputs:
                self.inputs[self.input_of(path)] = "read"

    def input_of(self, path):
        """The innermost place that holds the path, if that is an input."""
        names = {target: name for name, target in self.wanted["inputs"]}
        holding = [place for place in self.wanted["places"] if path == place or path.startswith(place + "/")]
        return names.get(max(holding, key=len)) if holding else None

    def left_behind(self):
        """Files below /opt/ml that were made since the start, and that no declared directory holds."""
        try:
            found = entries_below(ML, self.wanted["kept"], LOOK)
        except OSError:
            return []
        return [path for path in found[1] if self.is_new(path)] if found else []

    def is_new(self, path):
        try:
            return os.lstat(path).st_ctime >= self.began - 0.1  # the kernel's stamps are a tick behind
        except OSError:
            return False


def script_fault(program, otherwise):
    """Why the script of an interpreter cannot be traced; an empty text for one of Python's, by its first line."""
    try:
        with open(program, "rb") as file:
            line = os.fsdecode(file.readline(256))
    except OSError:
        return otherwise
    words = line[2:].split() if line.startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S" and "=" not in word]
    name = os.path.basename(words[0]) if words else ""
    if not name.startswith("python") or name[6:].strip(".0123456789") or name[6:7] == "2":
        return otherwise
    for word in words[1:]:
        closed = [letter for letter in word[1:] if letter in "IES"] if word.startswith("-") else []
        if closed:
            return "its interpreter is started with -%s, which keeps the tracer out" % closed[0]
    return ""


def shorten(told):
    """Cut every list to what a report may hold; returns how many facts that costs."""
    lost, room = 0, LONGEST
    for name, facts in told.items():
        if isinstance(facts, list):
            kept = []
            for fact in facts[:KEPT]:
                room -= len(fact) if isinstance(fact, str) else len(fact[0]) + len(fact[1])
                if room >= 0:
                    kept.append(fact)
            lost += len(facts) - len(kept)
            told[name] = kept
    return lost
