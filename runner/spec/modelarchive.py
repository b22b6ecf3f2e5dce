"""The archive of a model, which SageMaker unpacks into a server's /opt/ml/model: whether it can be.

It may be anybody's. Its links are followed in the container only, and may point to anything; its other members lie
inside. Who unpacks it (`runner.engine.unpack`) asks here, member by member, and so does who looks before a run starts.
"""

from __future__ import annotations

import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.spec.members import DIRECTORY, FILE, LINK, Members

ARCHIVE = "model.tar.gz"
LOOKED_AT = 256 << 20
"""Bytes, unpacked, that are looked at before a run starts: about a second. A larger model's rest is looked at when it
is unpacked, before its server starts."""


class BadModel(Exception):
    """The archive is none that SageMaker could unpack; says why, with the archive's name, for a person."""


@contextmanager
def opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """What goes wrong while it is read raises BadModel; OSError is what the disk does wrong."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        raise BadModel(f"{archive.name} cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno is None:  # gzip's own, as "Not a gzipped file"
            raise BadModel(f"{archive.name} cannot be unpacked: {error}") from error
        raise


def checked(tar: tarfile.TarFile, archive: str) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Relative, normal path and member, one after the other. Raises BadModel; `archive` is the name that it says."""
    members = Members()
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # tarfile remembers every entry otherwise
        fault = _fault(member, members)
        if fault:
            raise BadModel(f"{archive} has the member {member.name!r}, {fault}")
        yield posixpath.normpath(member.name), member


def fault(archive: Path, most: int = LOOKED_AT) -> str:
    """Why it cannot be unpacked, as far as its first bytes tell; or an empty text. Raises OSError."""
    try:
        with opened(archive) as tar:
            for _ in checked(tar, archive.name):
                if tar.offset > most:  # where the next member begins
                    break
    except BadModel as error:
        return str(error)
    return ""


def _fault(member: tarfile.TarInfo, members: Members) -> str:
    if not member.name or "\0" in member.name + member.linkname:
        return "whose name is none"
    if _leaves(member.name):
        return "which would land outside of /opt/ml/model"
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        return "which is neither a file, a directory nor a link"
    if member.islnk() and (_leaves(member.linkname) or members.kind(posixpath.normpath(member.linkname)) != FILE):
        return f"a link to {member.linkname!r}, and no file of that name comes before it"
    if member.issym() and not member.linkname:
        return "a link to nothing"
    kind = DIRECTORY if member.isdir() else LINK if member.issym() else FILE
    return members.fault(posixpath.normpath(member.name), kind)


def _leaves(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/")
