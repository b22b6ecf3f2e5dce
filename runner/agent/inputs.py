"""How an input is made private, so that the script may write to it and its source never changes. Part of the agent (see
`agent.py`); the engine follows the same order on the host, where it makes the mounts itself.

A wish is `overlay`, `copy` or `read-only`; what is tried next where it cannot be had stands in `WAYS`. What came of it
is one of `overlay`, `reflink` (a copy that shares its blocks), `copy` and `read-only`.
"""

import errno
import os
import stat

from runner.agent.copying import copy_tree
from runner.agent.kernel import MS_BIND, MS_MOVE, MS_RDONLY, MS_REMOUNT, Failure, mount, unmount

TYPE_CHECKING = False  # importing it would cost every container's start some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

WAYS = {
    "overlay": ("overlay", "copy", "read-only"),
    "copy": ("copy", "read-only"),
    # A view of its own, mounted read-only, where the source itself will not do: see `check_bare`.
    "read-only": ("read-only", "overlay", "copy"),
}
A_WAY = {"overlay": "an overlay", "copy": "a copy", "read-only": "a read-only mount"}
OPTIONS_SIZE = 4095  # what mount(2) reads; it cuts off the rest, and would mount something else
MOUNTS = "/proc/self/mountinfo"
KEPT_FLAGS = 2 | 4 | 8  # nosuid, nodev, noexec: the same numbers for statvfs(3) and mount(2)


def make_private(name: str, wish: str, attempts: "Mapping[str, Callable[[], str]]", notes: "list[str]") -> str:
    """Try the ways in order; returns what came of it, and notes when it is not what was wished for.

    `attempts` maps a way to a function that returns what it made, or raises OSError. Raises Failure when none works.
    """
    refused = []
    for way in WAYS[wish]:
        try:
            made = attempts[way]()
        except OSError as error:
            refused.append("%s cannot be had (%s)" % (A_WAY[way], error.strerror))
            continue
        if wish == "read-only":
            return wish
        if made == "read-only":
            words = "input '%s' is read-only, and a script that writes to it fails: %s"
            notes.append(words % (name, ", ".join(refused)))
        elif refused:
            notes.append("input '%s' is a copy: %s" % (name, ", ".join(refused)))
        return made
    raise Failure("mount", "input '%s' cannot be made private: %s" % (name, ", ".join(refused)))


def overlay_options(lower: str, upper: str, work: str) -> str:
    """An overlay's option string. Raises OSError when it is too long.

    redirect_dir: without it a directory of the lower tree cannot be renamed, as it can on SageMaker. The others say for
    every kernel what most have by default: hard links part at the first write, and a chmod copies the data, too.
    """
    pairs = (("lowerdir", lower), ("upperdir", upper), ("workdir", work))
    words = ["%s=%s" % (key, escaped(path)) for key, path in pairs]
    options = ",".join([*words, "redirect_dir=on", "index=off", "metacopy=off"])
    if len(os.fsencode(options)) > OPTIONS_SIZE:
        raise OSError(errno.ENAMETOOLONG, "its paths are longer than mount options may be")
    return options


def escaped(path: str) -> str:
    """A comma ends an option of overlay's, and a colon one of several lower directories."""
    for character in "\\,:":
        path = path.replace(character, "\\" + character)
    return path


def mount_points() -> "list[str]":
    """Where file systems are mounted; none where there is no Linux, as the engine then has a kernel of its own."""
    if not os.path.exists(MOUNTS):
        return []
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split(" ")[4] for line in lines]
    for code in ("\\040", "\\011", "\\012", "\\134"):  # spaces, tabs, line ends and backslashes are octal here
        points = [point.replace(code, chr(int(code[1:], 8))) if "\\" in point else point for point in points]
    return points


def check_whole(source: str, points: "list[str] | None" = None) -> None:
    """Raise OSError when a file system is mounted somewhere in `source`: an overlay or a mount shows none of it."""
    below = source.rstrip("/") + "/"
    for point in mount_points() if points is None else points:
        if point.startswith(below):
            raise OSError(errno.EXDEV, "another file system is mounted in it, at %s" % point[len(below) :])


def check_bare(source: str, points: "list[str]") -> None:
    """Raise OSError when `source` cannot be mounted as it is, read-only: other things are to be mounted in it."""
    check_whole(source)
    for point in points:
        if not os.path.isdir(os.path.join(source, point)):
            raise OSError(errno.EROFS, "it has no directory %s for another mount" % point)


def shut(target: str) -> None:
    """Make the mount at `target` read-only, or none at all. The kernel takes no other flag together with a bind."""
    flags = os.statvfs(target).f_flag & KEPT_FLAGS
    try:
        mount("", target, "", MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
    except OSError:
        unmount(target)
        raise


class StagedInput:
    """One input of a staged container, which the agent mounts itself."""

    def __init__(self, entry: "Mapping[str, Any]", scratch: str) -> None:
        self.entry = entry
        self.source, self.target = entry["source"], entry["target"]
        self.points = entry["points"]
        self.is_shut = entry["private"] == "read-only"
        self.place = os.path.join(scratch, "input-%s" % entry["index"])
        self.upper, self.work = os.path.join(self.place, "upper"), os.path.join(self.place, "work")
        self.laid_out = self.moves = False
        self.refused = None  # type: OSError | None

    def prepare(self, points: "list[str]") -> None:
        """What can be done before `go`. Where the source is there and changes no more, its overlay is mounted already,
        out of sight, and only moved to its place later."""
        if self.entry["private"] != "overlay":
            return
        self.lay_out(points)
        if self.entry["complete"] and self.refused is None:
            aside = os.path.join(self.place, "view")
            try:
                os.mkdir(aside)
                self.mount_overlay(aside)
                self.moves = True
            except OSError as error:
                self.refused = error

    def lay_out(self, points: "list[str] | None" = None) -> None:
        self.laid_out = True
        try:
            check_whole(self.source, points)
            os.makedirs(self.upper)
            os.makedirs(self.work)
        except OSError as error:
            self.refused = error

    def mount_overlay(self, target: str) -> None:
        os.chmod(self.upper, stat.S_IMODE(os.stat(self.source).st_mode))
        mount("overlay", target, "overlay", 0, overlay_options(self.source, self.upper, self.work))

    def overlay(self) -> str:
        if not self.laid_out:
            self.lay_out()
        if self.refused is not None:
            raise self.refused
        if not (self.moves and self.move()):
            self.mount_overlay(self.target)
        self.shut_if_wished()
        return "overlay"

    def move(self) -> bool:
        """Where the kernel moves no mount (its parent is shared), there is none any more."""
        aside = os.path.join(self.place, "view")
        try:
            mount(aside, self.target, "", MS_MOVE)
        except OSError:
            unmount(aside)
            return False
        return True

    def copy(self) -> str:
        os.makedirs(self.place, exist_ok=True)
        copy = os.path.join(self.place, "copy")
        made = copy_tree(self.source, copy)
        mount(copy, self.target, "", MS_BIND)
        self.shut_if_wished()
        return made

    def shut_if_wished(self) -> None:
        """What is mounted inside later needs its directories first."""
        if self.is_shut:
            for point in self.points:
                os.makedirs(os.path.join(self.target, point), exist_ok=True)
            shut(self.target)

    def read_only(self) -> str:
        check_bare(self.source, self.points)
        mount(self.source, self.target, "", MS_BIND)
        shut(self.target)
        return "read-only"

    def mount(self, notes: "list[str]") -> str:
        """Returns what came of its wish. Raises Failure."""
        if not os.path.isdir(self.source):
            raise Failure("mount", "input %s: %s is not there" % (self.entry["name"], self.entry["shown"]))
        attempts = {"overlay": self.overlay, "copy": self.copy, "read-only": self.read_only}
        return make_private(self.entry["name"], self.entry["private"], attempts, notes)
