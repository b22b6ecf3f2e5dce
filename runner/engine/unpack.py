"""A model's archive, unpacked for a server. It may be anybody's: nothing of it lands outside of its directory.

Its members are checked one by one (`runner.spec.modelarchive`), and none lies below a link. Links are made last, and
are followed in the container only. Owners and times are not kept; files are 0644 or 0755, directories 0755.
"""

from __future__ import annotations

import posixpath
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from runner.spec.modelarchive import ARCHIVE, BadModel, checked, opened

__all__ = ["BadModel", "Stopped", "find_archive", "unpack"]


class Stopped(Exception):
    """The run was stopped while the model was being unpacked."""


def find_archive(directory: Path) -> Path:
    """`model.tar.gz`, or the one file that is there alone. Raises BadModel, OSError."""
    if (directory / ARCHIVE).is_file():
        return directory / ARCHIVE
    names = sorted(entry.name for entry in directory.iterdir())
    if len(names) == 1 and names[0].endswith(".tar.gz"):
        return directory / names[0]
    shown = ", ".join(ascii(name) for name in names[:5]) or "nothing"
    raise BadModel(f"the model input holds no {ARCHIVE}; it holds {shown}")


def unpack(archive: Path, target: Path, stopped: Callable[[], bool]) -> None:
    """Unpack into the existing, empty directory `target`. Streams.

    Raises BadModel, Stopped, and OSError for what the disk does wrong.
    """
    links: dict[str, str] = {}
    with opened(archive) as tar:
        for name, member in checked(tar, archive.name):
            if stopped():
                raise Stopped
            links.pop(name, None)
            if member.issym():
                links[name] = member.linkname
            elif member.isdir():
                _folders(target, name)
            else:
                _write(tar, member, target, name)
    for name, to in links.items():
        _make_way(target, name).symlink_to(to)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, name: str) -> None:
    if member.islnk():
        first = target / posixpath.normpath(member.linkname)
        if first != target / name:
            shutil.copy(first, _make_way(target, name))
        return
    source = tar.extractfile(member)
    if source is None:
        raise BadModel(f"{posixpath.basename(str(tar.name))} has the member {member.name!r}, which has no content")
    place = _make_way(target, name)
    with source, place.open("xb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)


def _make_way(target: Path, name: str) -> Path:
    """Where a file goes. The directories that lead there are made; one of the same name goes."""
    _folders(target, posixpath.dirname(name))
    place = target / name
    place.unlink(missing_ok=True)
    return place


def _folders(target: Path, name: str) -> None:
    """Each with its mode, whatever the umask is: an image's USER must read it."""
    for part in Path(name).parts:
        target = target / part
        if not target.is_dir():
            target.mkdir()
            target.chmod(0o755)
