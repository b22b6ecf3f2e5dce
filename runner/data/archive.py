"""Deterministic `tar.gz`: the same files give the same bytes, whoever packs them and when.

Entries are sorted by the bytes of their path, times and owners are 0, modes are 0644 or 0755, the gzip header has
neither a time nor a file name. The content of the directory is at the archive's root, as SageMaker packs a model.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from runner.data.manifest import Manifest
from runner.data.reading import Reading, never


def pack(
    root: Path,
    manifest: Manifest,
    target: Path,
    stopped: Callable[[], bool] = never,
    *,
    empty_directories: bool = False,
) -> None:
    """Write the manifest's files below `root` to the new file `target`. Streams: memory does not grow with the data.

    Raises OSError, FileExistsError among them, and Stopped.
    """
    with (
        target.open("xb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(
            fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
        ) as archive,
    ):
        made: set[str] = set()
        reading = Reading(stopped)
        for entry in manifest.entries:
            _add_parents(archive, entry.path, made)
            _add_file(archive, root / entry.path, entry.path, reading)
            archive.members = []  # type: ignore[attr-defined]  # tarfile remembers every entry otherwise
        for skipped in manifest.skipped if empty_directories else ():
            if skipped.kind == "empty directory":
                _add_parents(archive, f"{skipped.path}/x", made)


def _add_parents(archive: tarfile.TarFile, path: str, made: set[str]) -> None:
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        if str(parent) not in made:
            made.add(str(parent))
            member = _member(str(parent), 0o755)
            member.type = tarfile.DIRTYPE
            archive.addfile(member)


def _add_file(archive: tarfile.TarFile, source: Path, path: str, reading: Reading) -> None:
    with source.open("rb") as stream:
        status = source.stat()
        member = _member(path, 0o755 if status.st_mode & 0o100 else 0o644)
        member.size = status.st_size
        reading.count()
        archive.addfile(member, reading.guard(stream))


def _member(path: str, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.mode = mode
    return member
