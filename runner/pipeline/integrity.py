"""Whether the published outputs of a step are still what its `outputs.json` says.

Names and sizes are compared always. Contents are compared in trees up to `LIMIT`, since they must be read for it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.data.files import os_fault, printable
from runner.errors import UsageError
from runner.pipeline.store import Reused, read_or_nothing

LIMIT = 1 << 30
"""Bytes of one output: to hash so much takes about a second or two."""
_NO_FILE = -1
"""Size of what is not a regular file: no such thing is ever published."""


def verify(reused: Reused, limit: int = LIMIT) -> tuple[str, ...]:
    """Returns the outputs that are larger than `limit`, of which only names and sizes were compared.

    Raises UsageError that names the run, the step and the first file that differs; WorkspaceError for one that cannot
    be read.
    """
    recorded = read_or_nothing(reused.layout.outputs_manifest).get("outputs", {})
    large = []
    for name, place in reused.outputs.items():
        try:
            known = _known(recorded[name])
        except (KeyError, TypeError, ValueError) as error:
            raise _refusal(reused, name, f"its entry in outputs.json is damaged ({error!r})") from error
        try:
            fault = _difference(place, known, limit)
        except OSError as error:
            raise os_fault(error, place, "cannot check the outputs of an earlier run") from error
        if fault:
            raise _refusal(reused, name, fault)
        if _total(known) > limit:
            large.append(name)
    return tuple(large)


def _known(document: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 by relative path."""
    return {_path(entry): (int(entry["size"]), str(entry["sha256"])) for entry in document["entries"]}


def _path(entry: Mapping[str, Any]) -> str:
    """The inverse of `manifest.named`."""
    return os.fsdecode(base64.b64decode(entry["path_base64"])) if "path_base64" in entry else str(entry["path"])


def _total(known: Mapping[str, tuple[int, str]]) -> int:
    return sum(size for size, _ in known.values())


def _difference(place: Path, known: Mapping[str, tuple[int, str]], limit: int) -> str:
    """The first file that is not as it was, in words; empty when there is none."""
    there = sizes(place)
    for path in sorted({*there, *known}, key=os.fsencode):
        shown = printable(place / path)
        if path not in there:
            return f"{shown} is missing"
        if path not in known:
            return f"{shown} was added"
        if there[path] == _NO_FILE:
            return f"{shown} is no regular file any more"
        if there[path] != known[path][0]:
            return f"{shown} has {there[path]} bytes instead of {known[path][0]}"
    if _total(known) <= limit:
        for path, (_, digest) in known.items():
            if sha256(place / path) != digest:
                return f"{printable(place / path)} has other content"
    return ""


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sizes(root: Path) -> dict[str, int]:
    """Bytes by relative path of all that is no directory; links are not followed, and count as -1 like all that is no
    regular file. Raises OSError."""
    found: dict[str, int] = {}

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(root, onerror=refuse):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            path = Path(folder, name)
            status = path.lstat()
            found[str(path.relative_to(root))] = status.st_size if stat.S_ISREG(status.st_mode) else _NO_FILE
    return found


def _refusal(reused: Reused, output: str, fault: str) -> UsageError:
    return UsageError(
        f"run {reused.run_id}, step '{reused.step}': output '{output}' is not what was published: {fault}",
        remedy=f"restore it, or make it anew: run the pipeline with `--until {reused.step}`",
    )
