"""Another job for an interpreter that waits already: what may change without the script being able to tell.

A container of the pool was started for an earlier run of its step. Arguments and environment may have been edited
since; script and data are mounted at `go` anyway. Arguments are what `sys.argv` says. A variable may be changed only if
nobody has looked at it yet: no module that was imported early (the hook knows), not the interpreter while it started,
and no native code that is loaded, for which its name does not occur in any mapped file. Part of the agent: see
`agent.py`.
"""

import os

STARTUP = (
    *("PYTHON", "LC_", "LANG", "LD_", "GLIBC_", "MALLOC_", "HOME", "PATH", "TZ"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "NUMEXPR_", "ARROW_", "CUDA_", "NVIDIA_"),
)
"""Beginnings of what the interpreter, its loader and its C library read while they start, and native libraries while
they are loaded: some of these put a name together, so that it stands in no file."""


def changed_names(before, after):
    """Names of the variables that differ, those that are gone among them."""
    return {name for name in set(before) | set(after) if before.get(name) != after.get(name)}


def looked_at(pid, names):
    """Whether the process may have read one of the variables before Python could see it. True where nobody knows."""
    if any(name.startswith(STARTUP) for name in names):
        return True
    wanted = [os.fsencode(name) for name in names]
    try:
        return any(holds(path, wanted) for path in mapped(pid))
    except (OSError, ValueError):  # another user's process does not show its maps
        return True


def mapped(pid):
    """The files of which the process has mapped code."""
    found = {}
    with open("/proc/%d/maps" % pid, "rb") as lines:
        for line in lines:
            words = line.split(None, 5)
            if len(words) == 6 and b"x" in words[1] and words[5].startswith(b"/"):
                found[words[5].rstrip(b"\n")] = None
    return list(found)


def holds(path, wanted):
    import mmap  # few containers need it

    with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return any(text.find(name) >= 0 for name in wanted)


def packed(argv, before, after):
    """What the hook unpacks: counts and texts, each ended by a zero byte: arguments, names that go, all variables."""
    removed = [name for name in before if name not in after]
    groups = [argv, removed, ["%s=%s" % pair for pair in after.items()]]
    texts = [text for group in groups for text in [str(len(group)), *group]]
    return b"".join(os.fsencode(text) + b"\0" for text in texts)
