"""Consumers that do to their inputs whatever a program can do to a directory; their producers must not notice."""

from __future__ import annotations

import os
from pathlib import Path

from runner.data.manifest import scan

PRODUCE = r"""
import os, sys
root = sys.argv[1]
def put(name, data):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(data)
    return path
for name in "abcdefghijklmnopq":
    put(name, name.encode() * 100)
put("big", bytes(range(256)) * 12288)
put("sub/deep/er/x", b"x")
put("sub/y", b"y")
put("tree/of/files", b"z")
put("na me,:\n\"q\\'", b"odd")
put("\u00fcn\u00ef", b"unicode")
os.chmod(put("read-only", b"r"), 0o444)
os.chmod(put("program", b"#!"), 0o755)
put("one", b"linked")
os.link(os.path.join(root, "one"), os.path.join(root, "two"))
os.makedirs(os.path.join(root, "opened/by/nobody"))
put("opened/by/nobody/f", b"f")
for path, _, files in os.walk(root):
    for name in files:
        os.utime(os.path.join(path, name), ns=(10**18, 10**18 + 123456789))
"""
"""Writes what hostile consumers want into the directory that is its argument."""

ATTACK = r"""
import ctypes, errno, mmap, os, shutil, stat, sys
root = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)

def at(name):
    return os.path.join(root, name)

def read(name):
    with open(at(name), "rb") as handle:
        return handle.read()

def write(name, data, mode="wb"):
    with open(at(name), mode) as handle:
        handle.write(data)

# Pristine, whoever came before.
for name in "abcdefghijklmnopq":
    assert read(name) == name.encode() * 100, name
assert read("big") == bytes(range(256)) * 12288
assert read("na me,:\n\"q\\'") == b"odd" and read("\u00fcn\u00ef") == b"unicode"
assert len(os.listdir(root)) == 27, os.listdir(root)
assert os.stat(at("a")).st_mtime_ns == 10**18 + 123456789
assert stat.S_IMODE(os.stat(at("read-only")).st_mode) in (0o444, 0o644)  # as a step wrote it, or published

write("a", b"overwritten")
write("b", b"more", "ab")
os.truncate(at("c"), 3)
os.remove(at("d"))
os.chmod(at("e"), 0)
os.chown(at("f"), 12345, 12345)
os.rename(at("g"), at("g2"))
os.rename(at("sub"), at("moved"))
write("moved/deep/er/x", b"mine")
os.rename(at("moved/deep"), at("shallow"))
os.makedirs(at("new/er"))
write("new/er/file", b"new")
shutil.rmtree(at("tree"))
write("tree", b"a file now")
os.remove(at("h"))
os.makedirs(at("h/now/a/directory"))
os.link(at("i"), at("i-link"))
write("i-link", b"through a hard link")
write("one", b"parted")
os.symlink("j", at("symlink"))
write("symlink", b"through a symlink")
os.symlink("/", at("way-out"))
with open(at("k"), "r+b") as handle, mmap.mmap(handle.fileno(), 0) as memory:
    memory[:6] = b"mapped"
    memory.flush()
os.utime(at("m"), (0, 0))
os.close(os.open(at("n"), os.O_RDWR))
os.replace(at("o"), at("p"))
os.utime(at("q"), ns=(1, 1))
write("read-only", b"not any more")
os.chmod(at("program"), 0o4777)
write("na me,:\n\"q\\'", b"even")
os.remove(at("\u00fcn\u00ef"))
os.chmod(at("opened/by/nobody"), 0)
os.chmod(root, 0o700)

def optional(numbers, call):
    '''What not every file system can.'''
    try:
        call()
    except OSError as error:
        assert error.errno in numbers, error

def nameless():
    handle = os.open(root, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(handle, b"linked in")
    path = b"/proc/self/fd/%d" % handle
    if libc.linkat(-100, path, -100, os.fsencode(at("had-no-name")), 0x400) != 0:  # follow the symlink
        raise OSError(ctypes.get_errno(), "linkat")
    assert read("had-no-name") == b"linked in"

def punch():
    handle = os.open(at("big"), os.O_RDWR)
    if libc.fallocate(handle, 3, ctypes.c_long(0), ctypes.c_long(4096)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    assert os.pread(handle, 4096, 0) == bytes(4096)

unable = (errno.EOPNOTSUPP, errno.EINVAL, errno.EISDIR)
optional(unable, lambda: os.setxattr(at("l"), "user.mark", b"1"))
optional(unable, nameless)
optional(unable, punch)
handle = os.open(at("big"), os.O_RDWR | os.O_APPEND)
os.write(handle, b"tail")
os.ftruncate(handle, 10)

# It sees what it wrote.
assert read("a") == b"overwritten" and read("b") == b"b" * 100 + b"more" and read("c") == b"ccc"
assert read("i") == b"through a hard link" and read("j") == b"through a symlink"
assert (read("one"), read("two")) == (b"parted", b"linked")
assert read("k")[:7] == b"mappedk" and read("p") == b"o" * 100 and read("tree") == b"a file now"
assert read("shallow/er/x") == b"mine" and read("moved/y") == b"y" and read("new/er/file") == b"new"
assert os.stat(at("m")).st_mtime == 0 and os.stat(at("big")).st_size == 10
assert os.stat(at("f")).st_uid == 12345 and read("read-only") == b"not any more"
gone = [name for name in ("d", "g", "sub", "o", "\u00fcn\u00ef") if os.path.exists(at(name))]
assert not gone, gone
print("attacked", flush=True)
"""
"""A hostile consumer (root) of the directory that is its argument. Exits 0 when all that it did had its effect."""

GUEST = r"""
import os, sys
root = sys.argv[1]
def at(name):
    return os.path.join(root, name)
assert os.getuid() != 0
assert open(at("a"), "rb").read() == b"a" * 100
open(at("mine"), "wb").write(b"mine")
os.rename(at("b"), at("b2"))
os.remove(at("c"))
os.rename(at("mine"), at("a"))
assert open(at("a"), "rb").read() == b"mine"
for shut in (lambda: open(at("d"), "wb"), lambda: os.chmod(at("e"), 0), lambda: os.remove(at("sub/y"))):
    try:
        shut()
    except PermissionError:
        continue
    raise SystemExit("a file of root's was changed")
print("attacked", flush=True)
"""
"""The same by a user who is not root: the directory is theirs, the files in it are not."""

REFUSED = r"""
import errno, os, sys
root = sys.argv[1]
def at(name):
    return os.path.join(root, name)
assert open(at("a"), "rb").read() == b"a" * 100
attempts = {
    "overwrite": lambda: open(at("a"), "wb"), "append": lambda: open(at("b"), "ab"),
    "create": lambda: open(at("new"), "wb"), "truncate": lambda: os.truncate(at("c"), 0),
    "delete": lambda: os.remove(at("d")), "chmod": lambda: os.chmod(at("e"), 0),
    "chown": lambda: os.chown(at("f"), 1, 1), "rename": lambda: os.rename(at("g"), at("g2")),
    "mkdir": lambda: os.mkdir(at("dir")), "link": lambda: os.link(at("h"), at("h2")),
    "symlink": lambda: os.symlink("a", at("s")), "utime": lambda: os.utime(at("i"), (0, 0)),
    "xattr": lambda: os.setxattr(at("j"), "user.mark", b"1"), "chmod of the root": lambda: os.chmod(root, 0o700),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError as error:
        assert error.errno == errno.EROFS, (name, error)
        continue
    raise SystemExit(name + " was possible")
print("refused", flush=True)
"""
"""A consumer whose every write must be refused with EROFS."""


def snapshot(root: Path) -> dict[str, object]:
    """Digests of all files by the manifest that publication makes, and what else a consumer could have changed."""
    manifest = scan(root)
    facts: dict[str, object] = {
        os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace"): _facts(path)
        for path in (root, *sorted(root.rglob("*")))
    }
    return {"digest": manifest.digest, **{f"file {e.path!r}": (e.size, e.sha256) for e in manifest.entries}, **facts}


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    marks = [] if path.is_symlink() else os.listxattr(path)
    return status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns, status.st_size, marks
