"""ShardedByS3Key: the objects of an input, dealt to the instances of a step.

SageMaker says only that each of n instances gets about 1/n of the objects. Here they are dealt in turn, in the order of
their keys: every object goes to exactly one host, and the same data always to the same hosts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.data.files import copy_file, shortened

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Share:
    """An input to be dealt."""

    name: str
    source: Path
    targets: tuple[tuple[str, Path], ...]
    """A directory for each host, by host name; made when it is dealt."""
    published: bool
    """Another step's, which nobody writes to any more."""


def deal(share: Share) -> list[str]:
    """Lay out every host's part below its directory; returns warnings. Raises OSError.

    Published files are linked, not copied: nothing writes to either name, since a container gets a private layer above.
    The user's own are copied (sharing blocks where the file system can): what is edited in a run directory must not
    reach them.
    """
    left_out: list[str] = []
    keys = sorted(_keys(share.source, left_out.append), key=os.fsencode)
    for _, target in share.targets:
        target.mkdir(parents=True)
    for number, key in enumerate(keys):
        place = share.targets[number % len(share.targets)][1] / key
        place.parent.mkdir(parents=True, exist_ok=True)
        _lay(share.source / key, place, link=share.published)
    return [*_without(share, len(keys)), *_not_dealt(share, sorted(left_out, key=os.fsencode))]


def _keys(root: Path, leave_out: Callable[[str], None]) -> Iterator[str]:
    """Relative paths of all files; a link to a file counts as that file, as when a directory is uploaded."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif entry.is_file():
                    yield path
                else:
                    leave_out(path)


def _lay(source: Path, target: Path, *, link: bool) -> None:
    if link and source.lstat().st_uid == os.geteuid():
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links: the copy meets whatever else is wrong
            copy_file(source, target)
        return
    copy_file(source, target)


def _without(share: Share, count: int) -> list[str]:
    """SageMaker starts such hosts, too, and says that they get no data."""
    idle = [host for host, _ in share.targets[count:]]
    if not idle:
        return []
    objects = "1 file" if count == 1 else f"{count} files"
    return [f"input '{share.name}': {objects} for {len(share.targets)} instances: nothing for {', '.join(idle)}"]


def _not_dealt(share: Share, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    shown = ", ".join(shortened(name) for name in names[:_SHOWN])
    return [f"input '{share.name}': not dealt to the instances, as S3 holds files only: {shown}{more}"]
