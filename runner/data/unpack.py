"""A source archive's content on this machine: laid out as the step will see it, or only looked at.

Every member is checked as when the pipeline file was loaded (`runner.spec.archives`): it may have changed since.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from runner.data.files import printable
from runner.data.reading import Reading
from runner.errors import WorkspaceError
from runner.spec import archives


def unpack(source: Path, directory: Path) -> None:
    """Lay the archive out in a new directory; links stay links. Raises WorkspaceError for what may not be unpacked,
    and OSError."""
    directory.mkdir(parents=True)
    with _read(source) as archive:
        for name, member in archives.checked(archive):
            target = directory / name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # the last member of a name counts, as for tar
            if member.issym():
                target.symlink_to(member.linkname)
            elif member.islnk():
                os.link(directory / os.path.normpath(member.linkname), target)
            else:
                _write(archive, member, target)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = archive.extractfile(member)
    if content is not None:
        with target.open("xb") as writer:
            shutil.copyfileobj(content, writer, 1 << 20)
    target.chmod((member.mode | 0o644) & 0o777)  # the image's USER must read it


def archived(source: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every regular file, or `linked` of a link, as `unpack` would lay it out now. Raises
    as it does."""
    found: dict[str, str] = {}
    with _read(source) as archive:
        for name, member in archives.checked(archive):
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                found[name] = Reading().sha256(cast(BinaryIO, content))[0]
            elif member.islnk():
                found[name] = found.get(os.path.normpath(member.linkname), "")
            elif member.issym():
                found[name] = linked(member.linkname)
    return found


def linked(target: str) -> str:
    """What stands for a link where a file has its SHA-256."""
    return f"link to {target}"


def holds(source: Path, name: str) -> bool:
    """Whether a source directory, or an archive of one, has a file of that name at its root now."""
    try:
        return name in archives.files(source) if archives.is_archive(source.name) else (source / name).is_file()
    except (OSError, archives.Unfit):
        return False  # whoever lays the archive out says what is wrong with it


@contextmanager
def _read(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with archives.opened(source) as archive:
            yield archive
    except archives.Unfit as error:
        remedy = "correct `source_dir` in the pipeline file"
        raise WorkspaceError(f"the archive {printable(source)} {error}", remedy=remedy) from error
