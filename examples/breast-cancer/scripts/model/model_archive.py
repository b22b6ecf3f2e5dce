"""`model.tar.gz` as SageMaker hands it from a training job to its consumers: unopened, alone in an input directory."""

from __future__ import annotations

import gzip
import logging
import tarfile
from pathlib import Path

logger = logging.getLogger("model_archive")

ARCHIVE = "model.tar.gz"


def unpack(directory: Path) -> Path:
    """Unpack `model.tar.gz` where it lies, as the inputs of a processing job are private copies; returns `directory`.

    Raises FileNotFoundError without an archive, and ValueError for members that would land outside.
    """
    archive = directory / ARCHIVE
    if not archive.is_file():
        present = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else "no such directory"
        raise FileNotFoundError(f"no {ARCHIVE} in {directory}: {present}")
    root = directory.resolve()
    with tarfile.open(archive, "r:gz") as tar:
        members = tar.getmembers()
        for member in members:
            inside = (root / member.name).resolve().is_relative_to(root)
            if not inside or not (member.isfile() or member.isdir()):
                raise ValueError(f"{archive}: refuses member {member.name!r}, which is no plain file below {directory}")
        # Checked above: the `filter` argument does not exist in every patch release of Python 3.10 and 3.11.
        tar.extractall(root, members=members)
    logger.info("unpacked %s: %s", archive, sorted(member.name for member in members if member.isfile()))
    return directory


def pack(files: dict[str, Path], archive: Path) -> None:
    """Write a tar.gz whose bytes depend on names and contents alone: no times, no owners, sorted."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = files[name].stat().st_size
            info.mode = 0o644
            with files[name].open("rb") as content:
                tar.addfile(info, content)
