"""One result that is kept: what `result.json` and `outputs.json` said, and where the files are.

An entry is written last, as a whole, so that there is none without its trees. What cannot be read, is of another
version, or belongs to another user is no entry.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.data.digests import replace_file
from runner.data.files import printable
from runner.data.manifest import Entry, Manifest
from runner.pipeline.cache.key import FORMAT
from runner.pipeline.cache.trees import Damaged, name_of

STREAMS = ("stdout", "stderr", "trace.json")
"""Files of a step's directory that are kept beside its outputs."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as it was read."""

    key: str
    result: Mapping[str, Any]
    """`result.json` of the run that made it."""
    run_id: str
    outputs: Mapping[str, Any]
    """The `outputs` of its `outputs.json`."""
    logs: Manifest
    """Of `STREAMS`, as far as they were there."""

    def manifests(self) -> dict[str, Manifest]:
        """By output name. Raises Damaged."""
        return {name: manifest_from(document) for name, document in self.outputs.items()}

    def trees(self) -> list[str]:
        """Names of all that it needs. Raises Damaged."""
        return [name_of(manifest) for manifest in (*self.manifests().values(), self.logs)]


def write(folder: Path, kept: Kept) -> None:
    """Raises OSError."""
    document = {
        "version": FORMAT,
        "key": kept.key,
        "uid": os.geteuid(),
        "run": kept.run_id,
        "result": kept.result,
        "outputs": kept.outputs,
        "logs": kept.logs.to_json(),
    }
    replace_file(place(folder, kept.key), json.dumps(document).encode())


def read(folder: Path, key: str) -> Kept | None:
    """None where there is none. Raises Damaged for one that is not to be used, OSError."""
    path = place(folder, key)
    try:
        with path.open("rb") as stream:
            owner, text = os.fstat(stream.fileno()).st_uid, stream.read()
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
        if document["version"] != FORMAT:
            raise Damaged(f"{printable(path)} is of version {document['version']!r}, and this one makes {FORMAT}")
        if document["uid"] != os.geteuid() or owner != os.geteuid():
            raise Damaged(f"{printable(path)} belongs to another user")
        if document["key"] != key:
            raise Damaged(f"{printable(path)} is that of another key")
        logs = manifest_from(document["logs"])
        return Kept(key, dict(document["result"]), str(document["run"]), dict(document["outputs"]), logs)
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{printable(path)} is damaged: {type(error).__name__}: {error}") from error


def used(folder: Path, key: str) -> None:
    """Note the time: what was used longest ago is removed first. It may have gone meanwhile. Raises OSError."""
    with suppress(FileNotFoundError):
        os.utime(place(folder, key))


def drop(folder: Path, key: str) -> None:
    """Raises OSError."""
    place(folder, key).unlink(missing_ok=True)


def place(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def manifest_from(document: Mapping[str, Any]) -> Manifest:
    """The inverse of `Manifest.to_json`, without what was skipped. Raises Damaged for one that contradicts itself."""
    try:
        entries = tuple(Entry(_path(each), int(each["size"]), str(each["sha256"])) for each in document["entries"])
        manifest = Manifest(entries, ())
        if manifest.digest != document["digest"]:
            raise Damaged("a manifest does not fit its digest")
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"a manifest cannot be read: {error!r}") from error
    return manifest


def _path(entry: Mapping[str, Any]) -> str:
    path = os.fsdecode(base64.b64decode(entry["path_base64"])) if "path_base64" in entry else str(entry["path"])
    if path.startswith("/") or ".." in path.split("/"):
        raise Damaged(f"a manifest names a file outside of its directory: {printable(path)}")
    return path
