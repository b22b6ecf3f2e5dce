"""Where a step's data goes, and whose it is afterwards. Part of the agent: see `agent.py`."""

import os
import stat

from runner.agent.inputs import place_input
from runner.agent.kernel import HIDDEN, MS_BIND, Failure, drop_mount_capability, mount, unmount


def place_all(job, made, notes):
    """All mounts of a staged job, shallow targets first, then the hidden root goes. `made` gets, by input, what came of
    its wish to be private."""
    entries = [("input", entry) for entry in job["inputs"]] + [("bind", entry) for entry in job["binds"]]
    try:
        for kind, entry in sorted(entries, key=lambda item: item[1]["target"].count("/")):
            if kind == "input":
                made[entry["name"]] = place_input(entry, job["scratch"], notes)
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
