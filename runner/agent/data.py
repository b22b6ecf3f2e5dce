"""Where a step's data goes, and whose it is afterwards. Part of the agent: see `agent.py`."""

import os
import stat

from runner.agent.inputs import StagedInput, mount_points
from runner.agent.kernel import HIDDEN, MS_BIND, Failure, drop_mount_capability, mount, unmount


class Bind:
    """A directory that the script writes to: an output, configuration, checkpoints."""

    def __init__(self, entry):
        self.target, self.source = entry["target"], entry["source"]

    def mount(self, _notes):
        mount(self.source, self.target, "", MS_BIND)


class Placement:
    """All mounts of a staged job, shallow targets first. What does not depend on the inputs is done before `go`."""

    def __init__(self, job):
        self.hidden = job["hidden"]
        self.inputs = [StagedInput(entry, job["scratch"]) for entry in job["inputs"]]
        self.left = sorted(self.inputs + [Bind(entry) for entry in job["binds"]], key=lambda each: depth(each.target))
        self.fault = None
        self.prepared = False

    def prepare(self):
        """Before an interpreter is started ahead: were it to overlook its hook, it would find no script, which comes
        with an input. What goes wrong here is met again at `go`."""
        self.prepared = True
        try:
            points, late = mount_points(), []
            for each in self.left:
                is_free = not any(each.target.startswith(other.target + "/") for other in late)
                if is_free:
                    os.makedirs(each.target, exist_ok=True)
                if isinstance(each, Bind) and is_free and all(each.target != other.target for other in late):
                    each.mount(None)
                else:
                    late.append(each)
            self.left = late
            for each in self.inputs:
                each.prepare(points)
        except OSError as error:
            self.fault = error

    def finish(self, made, notes):
        """The rest, and then the hidden root goes. `made` gets, by input, what came of its wish to be private."""
        try:
            if not self.prepared:
                self.prepare()
            if self.fault is not None:
                raise self.fault
            for each in self.left:
                if not os.path.isdir(each.target):
                    os.makedirs(each.target)
                how = each.mount(notes)
                if how is not None:
                    made[each.entry["name"]] = how
            for target in self.hidden:
                unmount(target)
            remove_hook()  # of an interpreter that never came to it
            clear_hidden(self.hidden)
        except OSError as error:
            raise Failure("mount", "cannot mount %s: %s" % (error.filename, error.strerror)) from error
        drop_mount_capability()


def depth(target):
    return target.count("/")


def remove_hook():
    """The start-up hook's file, which its interpreter has read, and what that may have made of it."""
    for path, directories, files in os.walk(HIDDEN + "/hook", topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in directories:
            os.rmdir(os.path.join(path, name))
        if path == HIDDEN + "/hook":
            os.rmdir(path)


def clear_hidden(points):
    """Remove the empty mount points: the script's root directory is the image's."""
    for point in points:
        os.rmdir(point)
    for directory in {os.path.dirname(point) for point in points} - {HIDDEN}:
        os.rmdir(directory)
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
