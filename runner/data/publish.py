"""Judge what a passed container left, and publish it: all of its outputs or none.

1. Nothing of a step that failed is published; its files stay in `attempt/` for the person who debugs.
2. `outputs/` appears by one rename, complete, or not at all. Until then every file is where the script left it.
3. `outputs.json` exists if `outputs/` does. After a publication nothing here touches the files again.
4. Only regular files are published, as S3 holds nothing else: symlinks, FIFOs, sockets, devices and empty directories
   are taken out, and named in `outputs.json` and in a warning.
5. S3 keeps no modes either: files become 0644 and directories 0755, so that a consumer finds what it would find on
   SageMaker, whatever its USER, and cannot live on a producer's `chmod +x`.

The manifest and the names are made durable with fsync, by `make_durable`, which nobody needs to wait for: outputs
without their manifest are taken by no later run. The data files are left to the kernel: a power cut may lose them, and
then the manifest's digests tell.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.data import archive
from runner.data.files import fsync_directory, fsync_file, remove_tree, write_json
from runner.data.manifest import Manifest, file_manifest, scan
from runner.data.reading import KEY_LIMIT, PACK_LIMIT, Unfit, never
from runner.engine.base import BoundOutput, Verdict
from runner.engine.trees import Folder, walk
from runner.sagemaker.job import OutputMount

SCHEMA = 1
_FILE, _FOLDER = 0o644, 0o755
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}


@dataclass(frozen=True, slots=True)
class Judged:
    """One output as the script left it."""

    mount: OutputMount
    host: Path
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Judgement:
    """`verdict` is passed, missing-output or invalid-output; `reason` names the outputs at fault, else is empty."""

    verdict: Verdict
    reason: str
    outputs: tuple[Judged, ...]
    warnings: tuple[str, ...]


def judge(
    mounts: Sequence[OutputMount], bound: Sequence[BoundOutput], stopped: Callable[[], bool] = never
) -> Judgement:
    """Look at the outputs of a container that ended with 0. Raises OSError when one cannot be read, and Stopped.

    An output without a single regular file counts as missing unless it may be empty.
    """
    places = {output.name: output.host for output in bound}
    looks = [_look(mount, places[mount.name], stopped) for mount in mounts]
    unfit = [look for look in looks if isinstance(look, str)]
    if unfit:
        return Judgement(Verdict.INVALID_OUTPUT, "; ".join(unfit), (), ())
    judged = tuple(look for look in looks if isinstance(look, Judged))
    warnings = tuple(w for j in judged if (w := j.manifest.warning(j.mount.name)) is not None)
    faults = [_missing(j) for j in judged if not j.manifest.entries and not j.mount.allow_empty]
    verdict = Verdict.MISSING_OUTPUT if faults else Verdict.PASSED
    return Judgement(verdict, "; ".join(faults), judged, warnings)


def _look(mount: OutputMount, host: Path, stopped: Callable[[], bool]) -> Judged | str:
    """The output, or why it can be none."""
    longest = KEY_LIMIT if mount.archive is None else PACK_LIMIT
    try:
        return Judged(mount, host, scan(host, stopped, longest) if host.is_dir() else Manifest((), ()))
    except Unfit as error:
        return f"output '{mount.name}': {error}"


def _missing(judged: Judged) -> str:
    mount = judged.mount
    what = "is empty" if not judged.manifest.skipped else "holds no regular file"
    return f"output '{mount.name}' {what}: the script wrote nothing to {mount.target}"


def publish(
    judged: Sequence[Judged], published: Path, record: Path, stopped: Callable[[], bool] = never
) -> dict[str, Manifest]:
    """Publish to the directory `published`, which must not exist, and write the manifests to `record`.

    Returns by output name what consumers will find there. Raises OSError and Stopped; then nothing is published and
    every file is back in its place.
    """
    whole = _whole(judged)
    draft = whole or published.with_name(f"{published.name}.part")
    moved: list[tuple[Path, Path]] = []
    try:
        if whole is None:
            draft.mkdir()
            manifests = {j.mount.name: _place(j, draft / j.mount.name, moved, stopped) for j in judged}
        else:
            manifests = {j.mount.name: j.manifest for j in judged}
        write_json(record, _document(judged, manifests, published.name), durable=False)
        for item in judged:
            _make_like_s3(draft / item.mount.name)
        draft.rename(published)
    except BaseException:
        record.unlink(missing_ok=True)
        if whole is None:
            _undo(moved, draft)
        raise
    return manifests


def make_durable(published: Path, record: Path) -> None:
    """After a publication: what of it must outlast a power cut. Raises OSError."""
    fsync_file(record)
    fsync_directory(published)
    fsync_directory(published.parent)


def _whole(judged: Sequence[Judged]) -> Path | None:
    """The directory that holds the outputs, as they are to be published, and nothing else: it is renamed itself."""
    parents = {each.host.parent for each in judged}
    if len(parents) != 1 or any(each.mount.archive or each.host.name != each.mount.name for each in judged):
        return None
    (parent,) = parents
    with os.scandir(parent) as found:
        there = {entry.name: entry.is_dir(follow_symlinks=False) for entry in found}
    return parent if there == {each.mount.name: True for each in judged} else None


def withdraw(judged: Sequence[Judged], published: Path, record: Path) -> None:
    """Take a publication back, for when the result of the step could not be written. Raises OSError."""
    draft = published.with_name(f"{published.name}.part")
    published.rename(draft)
    record.unlink(missing_ok=True)
    _undo([(j.host, draft / j.mount.name) for j in judged if j.mount.archive is None], draft)


def _place(judged: Judged, target: Path, moved: list[tuple[Path, Path]], stopped: Callable[[], bool]) -> Manifest:
    if judged.mount.archive is None:
        if judged.host.is_dir():
            judged.host.rename(target)
            moved.append((judged.host, target))
        else:  # the script removed an output that may be empty
            target.mkdir()
        return judged.manifest
    target.mkdir()
    packed = target / judged.mount.archive
    archive.pack(judged.host, judged.manifest, packed, stopped)
    return file_manifest(packed, stopped)


def _document(judged: Sequence[Judged], manifests: dict[str, Manifest], folder: str) -> dict[str, object]:
    outputs: dict[str, object] = {}
    for item in judged:
        name = item.mount.name
        document = {"path": f"{folder}/{name}", "target": item.mount.target, **manifests[name].to_json()}
        if item.mount.archive is not None:
            document["archive"] = {"name": item.mount.archive, "content": item.manifest.to_json()}
        outputs[name] = document
    return {"schema_version": SCHEMA, "outputs": outputs}


def _make_like_s3(root: Path) -> None:
    """Leave regular files alone, and the directories that lead to them, with the same modes for all."""
    for folder in walk(root, open_up=True):
        if folder.leaving:
            _drop_empty(folder)
            continue
        os.fchmod(folder.descriptor, _FOLDER)
        for entry in folder.entries:
            if entry.is_file(follow_symlinks=False):
                os.chmod(entry.name, _FILE, dir_fd=folder.descriptor)
            else:
                os.unlink(entry.name, dir_fd=folder.descriptor)


def _drop_empty(folder: Folder) -> None:
    for name in folder.folders:
        try:
            os.rmdir(name, dir_fd=folder.descriptor)
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                raise


def _undo(moved: Sequence[tuple[Path, Path]], draft: Path) -> None:
    for origin, target in moved:
        if target.is_dir():
            origin.parent.mkdir(exist_ok=True)
            target.rename(origin)
    remove_tree(draft)
