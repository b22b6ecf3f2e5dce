"""Where everything of a cache lies, and whether it may be used at all.

CACHE/                 0700, of the user who runs
  version              the layout; another one is not touched
  secret               0600: the key of all keyed hashes
  entries/<key>.json   one result
  trees/<sha256>-<bytes>/       published files, by their content; never changed
  trees/<sha256>-<bytes>.json   what `stat` said of each of them
  digests/             what files of the user's hold, by `stat`
  locks/<key>          held by whoever computes that key
  pins/<run id>        a live run: its owner, then the keys that it uses
  new/<run id>/        what is being made; goes with the run
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from runner.data.digests import replace_file
from runner.data.files import printable, remove_tree
from runner.engine import labels

NAME = ".cache"
"""Below the directory of all runs, so that nothing has to be copied."""
_LAYOUT = b"run-pipeline step cache 1\n"
_FOLDERS = ("entries", "trees", "digests", "locks", "pins", "new")
_OURS = frozenset({*_FOLDERS, "version", "secret"})
"""Beginnings of all names, drafts among them: another run may be making the same directory."""
_SECRET = 32


class Unusable(OSError):
    """The directory is no cache of this user and version; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Folder:
    root: Path

    @property
    def entries(self) -> Path:
        return self.root / "entries"

    @property
    def trees(self) -> Path:
        return self.root / "trees"

    @property
    def digests(self) -> Path:
        return self.root / "digests"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def pins(self) -> Path:
        return self.root / "pins"

    @property
    def new(self) -> Path:
        return self.root / "new"

    def secret(self) -> bytes:
        """Made once; whoever comes second takes the first one's. Raises OSError, Unusable."""
        path = self.root / "secret"
        try:
            found = path.read_bytes()
        except FileNotFoundError:
            found = _make_secret(path)
        if len(found) != _SECRET:
            raise Unusable(f"{printable(path)} is damaged: remove {printable(self.root)}")
        return found

    def pin(self, run_id: str) -> None:
        """Say that this run lives. Raises OSError."""
        replace_file(self.pins / run_id, f"{labels.owner()}\n".encode())

    def use(self, run_id: str, key: str) -> None:
        """Say that a live run uses an entry. Raises OSError."""
        with (self.pins / run_id).open("a") as pin:
            pin.write(f"{key}\n")

    def workplace(self, run_id: str) -> Path:
        """A directory for what a run is making. Raises OSError."""
        path = self.new / run_id
        path.mkdir(exist_ok=True)
        return path

    def unpin(self, run_id: str) -> None:
        """The run has ended. Raises OSError."""
        remove_tree(self.new / run_id)
        (self.pins / run_id).unlink(missing_ok=True)

    def pinned(self) -> frozenset[str]:
        """Keys that live runs use. Raises OSError."""
        return frozenset(key for name in self.live() for key in _lines(self.pins / name)[1:])

    def dead(self) -> list[Path]:
        """What runs left that were killed. Raises OSError."""
        every = [path for folder in (self.new, self.pins) for path in sorted(folder.iterdir())]
        live = self.live()  # asked last: a run that comes meanwhile is not in the list
        return [path for path in every if path.name not in live and not path.name.startswith(".")]

    def live(self) -> frozenset[str]:
        """Ids of the runs that use the cache now. Raises OSError."""
        owners = {path.name: _lines(path)[:1] for path in self.pins.iterdir() if not path.name.startswith(".")}
        return frozenset(name for name, owner in owners.items() if owner and labels.owner_alive(owner[0]))


def open_folder(root: Path) -> Folder:
    """Make the directory where it is missing. Raises OSError, Unusable."""
    folder = Folder(root)
    root.mkdir(parents=True, mode=0o700, exist_ok=True)
    _check(root)
    version = root / "version"
    if not version.exists():
        if any(path.name.strip(".").partition("-")[0] not in _OURS for path in root.iterdir()):
            raise Unusable(f"{printable(root)} holds other files: give the cache a directory of its own")
        for name in _FOLDERS:
            (root / name).mkdir(mode=0o700, exist_ok=True)
        replace_file(version, _LAYOUT)
    elif (found := version.read_bytes()) != _LAYOUT:
        known = printable(found.decode("utf-8", "replace").strip())
        raise Unusable(f"{printable(root)} is of another version ('{known}'): remove it, or choose another directory")
    return folder


def find_folder(root: Path) -> Folder | None:
    """A cache that is there already; nothing is made. Raises OSError, Unusable."""
    return open_folder(root) if (root / "version").exists() else None


def _check(root: Path) -> None:
    status = root.stat()
    if status.st_uid != os.geteuid():
        raise Unusable(f"{printable(root)} belongs to another user (uid {status.st_uid}): choose another directory")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise Unusable(f"{printable(root)} may be written by other users: `chmod 700` it, or choose another directory")


def _make_secret(path: Path) -> bytes:
    """By a link, so that nobody ever reads half of one."""
    draft = path.with_name(f"secret-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_SECRET))
    finally:
        os.close(descriptor)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # another run was first
    finally:
        draft.unlink()
    return path.read_bytes()


def _lines(path: Path) -> list[str]:
    """Of a pin; one that is gone or being written has none."""
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []
