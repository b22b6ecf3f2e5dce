"""A model's archive, unpacked for a server. It may be anybody's: nothing of it lands outside of its directory.

While files are written there is no symlink below the directory, so that none can lead outside; links are made last, and
are followed in the container only. Owners and times are not kept; files are 0644 or 0755, directories 0755.
"""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

ARCHIVE = "model.tar.gz"


class BadModel(Exception):
    """The archive is none that SageMaker could unpack; says why, for a person."""


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
    links: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if stopped():
                    raise Stopped
                if member.issym():
                    links.append(member)
                else:
                    _extract(tar, member, target)
                tar.members = []  # type: ignore[attr-defined]  # tarfile remembers every entry otherwise
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        raise BadModel(f"{archive.name} cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno is None:  # gzip's own, as "Not a gzipped file"
            raise BadModel(f"{archive.name} cannot be unpacked: {error}") from error
        raise
    for link in links:
        place = _place(link.name, target)
        _make_way(place, link.name)
        place.symlink_to(link.linkname)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    place = _place(member.name, target)
    if member.isdir():
        _folders(place, member.name)
        return
    if not (member.isreg() or member.islnk()):
        raise BadModel(f"member {member.name!r} is neither a file, a directory nor a link")
    _make_way(place, member.name)
    if member.islnk():
        first = _place(member.linkname, target)
        if not first.is_file():
            raise BadModel(f"member {member.name!r} is a link to {member.linkname!r}, which does not come before it")
        shutil.copyfile(first, place)
        return
    source = tar.extractfile(member)
    if source is None:
        raise BadModel(f"member {member.name!r} has no content")
    with source, place.open("xb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)


def _place(name: str, target: Path) -> Path:
    """Where a member goes. Raises BadModel for a name that leads out of the directory."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadModel(f"member {name!r} would land outside of /opt/ml/model")
    return target / path


def _make_way(place: Path, name: str) -> None:
    """The directories that lead to a file; one of the same name, which an archive may hold twice, goes."""
    _folders(place.parent, name)
    if place.is_dir() and not place.is_symlink():
        raise BadModel(f"member {name!r} is a directory and a file")
    place.unlink(missing_ok=True)


def _folders(place: Path, name: str) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadModel(f"member {name!r} lies below another one that is a file") from error
    place.chmod(0o755)  # whatever the umask is: an image's USER must read it
