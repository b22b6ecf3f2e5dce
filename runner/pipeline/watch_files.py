"""Waits until watched files hold something else than before.

1. Only content counts: a `touch`, and a save of what is there already, are no change.
2. The kernel's events only say where to look. Whatever way an editor saves (in place, by rename, by removing the old
   file first), whatever links lie on the way, what is told is how the contents differ from those told last.
3. Where the kernel tells nothing (some file systems, too many directories), files are looked at from time to time,
   and `polled` says which and why.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.pipeline.watch_contents import Contents, Reader, entries, passed_over
from runner.pipeline.watch_notify import Heard, Notifier
from runner.pipeline.watch_settling import Settling
from runner.pipeline.watched import Watched
from runner.spec.document import shown

GRACE = 0.25
"""Seconds after which a file that is gone counts as gone: some editors, and git, remove before they write."""
POLL = 1.0
"""Seconds between two looks at files of which the kernel tells nothing."""
_REST = 5
"""Times as long as a look took, that nothing is looked at again."""
_NAMES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What is different in one watched file or directory."""

    item: Watched
    files: tuple[str, ...]
    """Relative names that differ, of a directory; a file has one, which is empty."""
    new: bool = False
    """There was nothing before."""
    gone: bool = False
    since: float = 0.0
    """When the first event of it came, on `time.monotonic`'s clock."""

    def __str__(self) -> str:
        name = shown(self.item.path)
        if self.gone:
            return f"{name} is gone"
        if self.new:
            return f"{name} appeared"
        if self.files == ("",):
            return f"{name} changed"
        more = len(self.files) - _NAMES
        listed = ", ".join(self.files[:_NAMES]) + (f" and {more} more" if more > 0 else "")
        return f"{name} changed ({listed})"


class Files:
    """`follow` says what to watch; `changes` waits in a thread of its own. `close` ends it."""

    def __init__(self, base: Path, leave_out: Iterable[Path] = (), *, poll: float | None = None) -> None:
        """`base`: below it directories may be exchanged as a whole. `leave_out`: directories whose contents never
        count. `poll`: look every so many seconds, and ask no kernel.

        Raises EnvironmentFault where there is no inotify."""
        self._base, self._own = base, frozenset(path.resolve() for path in leave_out)
        self._leave_out = self._own
        self.interval = POLL if poll is None else poll
        self._notifier = Notifier() if poll is None else None
        self._lock = threading.RLock()
        self._reader, self._settling = Reader(), Settling()
        self._contents: dict[Watched, Contents | None] = {}
        self._places: dict[Watched, dict[Path, set[str] | None]] = {}
        self._dirty: dict[Watched, set[tuple[Path, str]] | None] = {}
        """What to look at, and which files of it; None: all of it."""
        self._missing: dict[Watched, float] = {}
        self._polled: dict[Watched, str] = {}
        self._closed = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    @property
    def polled(self) -> tuple[tuple[Watched, str], ...]:
        """What is looked at every `interval` seconds, and why; the reason is empty where `poll` asks for it."""
        with self._lock:
            return tuple(self._polled.items())

    @property
    def count(self) -> int:
        """Files that are watched, each once."""
        with self._lock:
            return len({item.path / name for item, found in self._contents.items() for name in found or ()})

    def follow(self, items: Iterable[Watched], leave_out: Iterable[Path] = ()) -> None:
        """Watch these and no others. What is new among them counts as it is now; of the others nothing is missed."""
        with self._lock:
            wanted = dict.fromkeys(items)
            self._leave_out = self._own | {path.resolve() for path in leave_out}
            known = {(item.path, item.role): found for item, found in self._contents.items()}
            self._contents, self._places, self._dirty = {}, {}, {}
            self._polled, self._missing = {}, {}
            for item in wanted:
                fresh = self._look(item)
                self._contents[item] = known.get((item.path, item.role), fresh)
                if self._contents[item] != fresh:
                    self._dirty[item] = None
                    self._settling.note(time.monotonic())
            self._keep()
        self._wake()

    def changes(self) -> Iterator[tuple[Change, ...]]:
        """What changes from now on, each time at least one; ends when `close` is called."""
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        if self._notifier is not None:
            poller.register(self._notifier.fileno(), select.POLLIN)
        looked = time.monotonic()  # or later, where a look takes long: it must not take all of a CPU
        while not self._closed:
            wait = self._patience(looked)
            for descriptor, _ in poller.poll(None if wait is None else max(0.0, wait * 1000)):
                if descriptor == self._wake_read:
                    os.read(descriptor, 4096)
            if self._closed:
                return
            began = time.monotonic()
            if found := self._step(looked):
                yield found
            if began - looked >= self.interval:
                looked = began + _REST * (time.monotonic() - began)

    def close(self) -> None:
        """End `changes`; from any thread. Descriptors are given back by `release`, once nothing waits for them."""
        self._closed = True
        self._wake()

    def release(self) -> None:
        os.close(self._wake_read)
        os.close(self._wake_write)
        if self._notifier is not None:
            self._notifier.close()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return  # it is full of wakes already

    def _patience(self, looked: float) -> float | None:
        now = time.monotonic()
        with self._lock:
            due = self._settling.due()
            times = ([due - now] if due is not None else []) + ([looked + self.interval - now] if self._polled else [])
        return min(times, default=None)

    def _step(self, looked: float) -> tuple[Change, ...]:
        now = time.monotonic()
        with self._lock:
            if self._notifier is not None:
                self._hear(self._notifier.read(), now)
            due = self._settling.due()
            if due is not None and now >= due:
                return self._compare(self._settling.take(), now)
            if self._polled and now - looked >= self.interval and due is None:
                self._dirty.update(dict.fromkeys(self._polled))
                return self._compare(now, now)
        return ()

    def _hear(self, heard: Heard, now: float) -> None:
        if heard.lost:
            self._dirty.update(dict.fromkeys(self._contents))
            self._settling.note(now)
        for place in heard.changed:
            touched = [item for item in self._contents if self._concerns(item, *place)]
            if not touched:
                continue
            for item in touched:
                self._mark(item, place)
            if place in heard.written:
                self._settling.writing(place, now)
            else:
                self._settling.closed(place, now)

    def _mark(self, item: Watched, place: tuple[Path, str]) -> None:
        files = self._dirty.setdefault(item, set())
        if not place[1] or self._places[item][place[0]] is not None:  # a directory itself, or what leads to the tree
            self._dirty[item] = None
        elif files is not None:
            files.add(place)

    def _concerns(self, item: Watched, folder: Path, name: str) -> bool:
        places = self._places[item]
        if folder not in places:
            return False
        names = places[folder]
        return not name or (not passed_over(item, name) if names is None else name in names)

    def _compare(self, since: float, now: float) -> tuple[Change, ...]:
        """Look at what may have changed, and take what is there now as what was told last."""
        found, dirty, self._dirty = [], self._dirty, {}
        for item in (item for item in self._contents if item in dirty):
            before, files = self._contents[item], dirty[item]
            after = self._reader.again(item, before, files) if before is not None and files is not None else None
            after = self._look(item) if after is None else after
            if after is not None:
                self._missing.pop(item, None)
            elif before is not None and now < (until := self._missing.setdefault(item, now + GRACE)):
                self._dirty[item] = None
                self._settling.postpone(until)
                continue
            if before == after:
                continue
            self._contents[item] = after
            names = {*(before or {}), *(after or {})}
            different = sorted(name for name in names if (before or {}).get(name) != (after or {}).get(name))
            found.append(Change(item, tuple(different), new=before is None, gone=after is None, since=min(since, now)))
        self._keep()
        return tuple(found)

    def _look(self, item: Watched) -> Contents | None:
        """Read it, and have its directories watched: each before it is listed, so that nothing slips in between."""
        places: dict[Path, set[str] | None] = {}
        self._places[item] = places
        self._polled.pop(item, None)

        def enter(path: Path, *, link: bool) -> None:
            if link:
                self._trace(path, item)
            else:
                places[path] = None
                self._hear_of(path, item)

        self._trace(item.path, item)
        return self._reader.read(item, self._leave_out, enter)

    def _trace(self, path: Path, item: Watched) -> None:
        """Hear of all that decides which file a path is."""
        for folder, name in entries(path, self._base):
            names = self._places[item].setdefault(folder, set())
            if names is not None:
                names.add(name)
            self._hear_of(folder, item)

    def _hear_of(self, folder: Path, item: Watched) -> None:
        if self._notifier is None:
            self._polled[item] = ""
            return
        if why := self._notifier.add(folder):
            self._polled[item] = why

    def _keep(self) -> None:
        if self._notifier is not None:
            self._notifier.keep({folder for places in self._places.values() for folder in places})
