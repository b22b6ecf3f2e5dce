"""Lay out on the host what a container will find: single files alone in a directory, and code as it is now.

Directories of the user's are not copied: the engine gives each container a private view of them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runner.data.archive import pack
from runner.data.files import copy_file, printable
from runner.data.manifest import scan
from runner.data.reading import PACK_LIMIT, Unfit
from runner.errors import WorkspaceError
from runner.spec.archives import is_archive

LEFT_OUT = frozenset({"__pycache__", ".git"})


def single_file(source: Path, directory: Path) -> Path:
    """Put a file of the user's alone, under its own name, into a new directory; returns the new path.

    Always a copy, never a hard link: what the user changes later must reach neither a step that runs nor the run's
    record. Its mode is 0644, as that of every file that comes from S3. Raises WorkspaceError for anything but a regular
    file, OSError.
    """
    real = _regular(source)
    directory.mkdir(parents=True)
    target = directory / source.name
    copy_file(real, target, 0o644)
    return target


def code_file(source: Path, directory: Path) -> Path:
    """Copy one script into a new directory: an edit during the run changes nothing. Raises like `single_file`."""
    real = _regular(source)
    directory.mkdir(parents=True)
    target = directory / source.name
    copy_file(real, target)
    return target


def code_tree(source: Path, directory: Path, leave_out: Path | None = None) -> tuple[str, ...]:
    """Copy a source directory's contents into a new directory, without `__pycache__` and `.git`.

    Symlinks are followed, as when SageMaker's SDK packs a source directory; a directory that was already copied is not
    entered again. `leave_out` (the directory of all runs) is left out, wherever it lies. Returns the relative names of
    sockets and the like, which were left out. Raises WorkspaceError for a broken symlink or a missing directory, and
    OSError.
    """
    if not source.is_dir():
        raise WorkspaceError(f"no directory {printable(source)}", remedy="correct `source_dir` in the pipeline file")
    directory.mkdir(parents=True)
    strange: list[str] = []
    for relative, path in tree_entries(source, leave_out):
        if path.is_dir():
            (directory / relative).mkdir(exist_ok=True)
        elif path.is_file():
            copy_file(path, directory / relative)
        elif path.is_symlink():
            raise WorkspaceError(
                f"broken symlink in the source directory: {printable(path)}", remedy="remove it or restore its target"
            )
        else:
            strange.append(printable(relative))
    return tuple(strange)


def code_text(name: str, content: str, directory: Path) -> Path:
    """Write a script of the platform's own into a new directory. Raises OSError."""
    directory.mkdir(parents=True)
    target = directory / name
    target.write_text(content, encoding="utf-8", errors="surrogateescape")
    return target


def bundle(source: Path, tree: Path, target: Path) -> None:
    """The code as `sourcedir.tar.gz` at `target`, in a new directory: `source` itself where it is an archive, else the
    copied `tree`, packed. Raises WorkspaceError for a name that no archive can hold, and OSError."""
    target.parent.mkdir(parents=True)
    if is_archive(source.name):
        copy_file(source, target, 0o644)
        return
    try:
        pack(tree, scan(tree, longest=PACK_LIMIT), target, empty_directories=True)
    except Unfit as error:
        raise WorkspaceError(f"the source directory {printable(source)} cannot be packed: {error}") from error


def code_files(source: Path, leave_out: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file that `code_tree` would copy now. Raises OSError."""
    return ((relative, path) for relative, path in tree_entries(source, leave_out) if path.is_file())


def tree_entries(source: Path, leave_out: Path | None) -> Iterator[tuple[str, Path]]:
    """Relative name and path of everything below, parents first, sorted, each real directory once."""
    banned = {p.resolve() for p in (leave_out,) if p is not None}
    entered = {source.resolve()}
    pending = [""]
    while pending:
        folder = pending.pop()
        for name in sorted(os.listdir(source / folder), key=os.fsencode):  # noqa: PTH208  # names, not paths
            if name in LEFT_OUT:
                continue
            path = source / folder / name
            relative = f"{folder}/{name}" if folder else name
            if path.is_dir():
                real = path.resolve()
                if real in entered or real in banned:
                    continue
                entered.add(real)
                pending.append(relative)
            yield relative, path


def _regular(source: Path) -> Path:
    try:
        real = source.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise WorkspaceError(
            f"cannot read {printable(source)}: {getattr(error, 'strerror', None) or error}",
            remedy="correct the path in the pipeline file",
        ) from error
    if not stat.S_ISREG(real.stat().st_mode):
        raise WorkspaceError(f"neither a file nor a directory: {printable(source)}", remedy="name a regular file")
    return real
