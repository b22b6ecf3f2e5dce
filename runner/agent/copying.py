"""A private copy of a directory, for where an overlay cannot lie. Part of the agent (see `agent.py`), and used by the
engine on the host, too.

Copies share their blocks with the source where the file system can (a reflink), and holes stay holes. Hard links become
files of their own: an overlay separates them as well, and what SageMaker downloads has none.
"""

import errno
import fcntl
import os
import stat

FICLONE = 0x40049409  # _IOW(0x94, 9, int); a machine that numbers it otherwise refuses, and gets a copy of the bytes
COPY_CHUNK = 1 << 20
COPY_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Copying:
    """One copy: whether the file system can clone, and whether it did so for all."""

    def __init__(self) -> None:
        self.files = 0
        self.cloned = 0
        self.can_clone = True

    def folder(self, here: int, there: int) -> "list[str]":
        """Copy what is in one directory, open on both sides; names of the directories in it, which are not copied."""
        folders = []
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    self.entry(entry.name, here, there)
        return folders

    def entry(self, name: str, here: int, there: int) -> None:
        status = os.stat(name, dir_fd=here, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            self.file(name, here, there)
            return
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
        else:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=there)
        if os.geteuid() == 0:
            os.chown(name, status.st_uid, status.st_gid, dir_fd=there, follow_symlinks=False)
        os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=there, follow_symlinks=False)

    def file(self, name: str, here: int, there: int) -> None:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
        try:
            target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=there)
            try:
                status = os.fstat(source)
                if status.st_size and not self.clone(source, target):
                    copy_bytes(source, target, status.st_size)
                same_attributes(target, status)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def clone(self, source: int, target: int) -> bool:
        self.files += 1
        if not self.can_clone:
            return False
        try:
            reflink(source, target)
        except OSError as error:
            # Elsewhere in the tree it may still work after any other refusal: a swap file, or an encrypted one.
            self.can_clone = error.errno not in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.ENOSYS)
            return False
        self.cloned += 1
        return True


def reflink(source: int, target: int) -> None:
    """Let an open, empty file share the other's blocks (ioctl_ficlone(2)): btrfs, XFS, bcachefs and the like can."""
    fcntl.ioctl(target, FICLONE, source)


def copy_bytes(source: int, target: int, size: int) -> None:
    """The data of an open file, and its size; what is a hole there is one here."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # nothing but a hole is left
        end = os.lseek(source, at, os.SEEK_HOLE)
        os.lseek(target, at, os.SEEK_SET)
        while at < end:
            data = os.pread(source, min(COPY_CHUNK, end - at), at)
            if not data:
                return  # it became shorter
            at += len(data)
            while data:
                data = data[os.write(target, data) :]
    os.ftruncate(target, size)


def same_attributes(handle: int, status: os.stat_result) -> None:
    """Owner (where this process may say so), mode and times of an open file or directory."""
    if os.geteuid() == 0:
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, stat.S_IMODE(status.st_mode))
    os.utime(handle, ns=(status.st_atime_ns, status.st_mtime_ns))


def step_into(handle: int, name: str) -> int:
    """The directory of that name in the open one, which is closed."""
    below = os.open(name, COPY_DIRECTORY, dir_fd=handle)
    os.close(handle)
    return below


def copy_tree(source: str, target: str) -> str:
    """Make `target` a copy of the directory `source`; returns `reflink` when all of it is shared, else `copy`.

    By descriptors and `..`, neither recursive nor by path: a script may nest deeper than both allow. Raises OSError,
    and then what was copied is gone again.
    """
    try:
        return copy_folders(source, target)
    except OSError:
        import shutil

        try:
            shutil.rmtree(target, ignore_errors=True)
        except RecursionError:
            pass  # too deep for it: goes with the scratch directory, when the step has ended
        raise


def copy_folders(source: str, target: str) -> str:
    copying = Copying()
    os.mkdir(target, 0o700)
    here, there = os.open(source, COPY_DIRECTORY), -1
    try:
        there = os.open(target, COPY_DIRECTORY)
        stack = [(os.fstat(here), copying.folder(here, there))]
        while stack:
            status, pending = stack[-1]
            if pending:
                name = pending.pop()
                os.mkdir(name, 0o700, dir_fd=there)
                here, there = step_into(here, name), step_into(there, name)
                stack.append((os.fstat(here), copying.folder(here, there)))
                continue
            same_attributes(there, status)
            stack.pop()
            if stack:
                here, there = step_into(here, ".."), step_into(there, "..")
                if not os.path.samestat(os.fstat(here), stack[-1][0]):
                    raise OSError(errno.ESTALE, "a directory was moved while it was copied")
    finally:
        os.close(here)
        if there >= 0:
            os.close(there)
    return "reflink" if copying.files and copying.cloned == copying.files else "copy"
