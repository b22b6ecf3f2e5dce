"""The cache of one run: asked before a step is prepared, told when it has ended. All its work is in threads of its own.

Per step: `ask` -> `Looked`, and then either the step runs and `keep` and `release` follow, or `adopt` -> `Adopted` (or
`Looked` without a hit, where what was kept cannot be used). A step whose key another step or process is computing waits
for that one; `release` ends the wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.data.digests import Digests
from runner.data.files import os_fault, printable, remove_tree
from runner.data.reading import Stopped
from runner.engine.base import Verdict
from runner.errors import RunnerError
from runner.pipeline.attempt import Workshop
from runner.pipeline.cache import entries, folder, keeping, trees
from runner.pipeline.cache.adopting import Hit, adopt
from runner.pipeline.cache.entries import Kept
from runner.pipeline.cache.folder import Folder
from runner.pipeline.cache.key import Contents, Key, key_of, uncacheable
from runner.pipeline.cache.locks import Lock, Waiting, try_lock
from runner.pipeline.cache.messages import Adopted, Looked, Options
from runner.pipeline.cache.notes import write_note
from runner.pipeline.cache.reading import Reader, Unknown, needs_packages
from runner.pipeline.cache.trees import Damaged
from runner.pipeline.events import StepResult
from runner.pipeline.plan import PlannedStep

_THREADS = 4


@dataclass(frozen=True, slots=True)
class Missed:
    """A step that runs: what is needed to keep its result."""

    why: str
    """Why it runs, in words."""
    key: Key | None = None
    contents: Contents | None = None
    """None: the result is not kept."""
    lock: Lock | None = None


class StepCache:
    """See the top of this module. `post` hears `Looked` and `Adopted`, from any thread."""

    def __init__(
        self,
        place: Folder,
        secret: bytes,
        shop: Workshop,
        force: frozenset[str],
        post: Callable[[Looked | Adopted], None],
    ) -> None:
        self._place, self._secret, self._shop, self._force, self._post = place, secret, shop, force, post
        self._run_id = shop.sources.run.run_id
        digests = Digests(place.digests, lambda text: self._warn(None, text), lambda: shop.stops.all_asked)
        self._reader = Reader(shop.engine, shop.sources, digests)
        self._guard = threading.Lock()
        self._missed: dict[str, Missed] = {}
        self._waits: dict[str, Waiting] = {}
        self._told: set[str] = set()
        self._kept = False
        self._closed = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="cache")

    def ask(self, planned: PlannedStep) -> None:
        """Returns at once; all that the step needs has been published."""
        self._pool.submit(self._safely, planned.name, self._answer, planned, None)

    def adopt(self, hit: Hit, cleared: Future[None] | None) -> None:
        """Returns at once. `cleared`: when what was prepared for the step will be gone."""
        self._pool.submit(self._safely, hit.planned.name, self._adopt, hit, cleared)

    def keep(self, planned: PlannedStep, result: StepResult) -> None:
        """In the thread of the step's worker, when its end was told: keep the result, if it may be."""
        with self._guard:
            missed = self._missed.get(planned.name)
        if missed is None:
            return
        layout = self._shop.sources.run.layout.step(planned.name)
        key, kept = missed.key, False
        try:
            if result.verdict is Verdict.PASSED and missed.contents is not None:
                image = self._shop.images[planned.job.image]
                contents = self._reader.again(planned, image, missed.contents, layout)
                key = key or key_of(planned, image, contents, self._secret)
                keeping.keep(self._place, self._run_id, key, layout)
                self._kept = kept = True
        except Exception as error:  # whatever it is, the step has passed
            self._warn(planned.name, f"the result is not kept for later runs: {_words(error)}")
        if layout.root.is_dir():
            self._note(planned.name, key, missed.why, kept=kept)

    def release(self, step: str) -> None:
        """The step has ended, or will not start: whoever waits for its key goes on. Any thread, any number of times."""
        with self._guard:
            missed, waiting = self._missed.pop(step, None), self._waits.pop(step, None)
        if waiting is not None:
            waiting.leave()
        if missed is not None and missed.lock is not None:
            missed.lock.free()

    def close(self) -> None:
        """The run has ended: nothing is asked any more, and nobody waits for it."""
        with self._guard:
            self._closed = True
            steps = {*self._missed, *self._waits}
        for step in steps:
            self.release(step)
        self._pool.shutdown(wait=True)
        for step in [*self._missed]:
            self.release(step)
        try:
            self._place.unpin(self._run_id)
            if self._kept:
                self._shrink()
        except OSError as error:
            self._warn(None, f"cannot be tidied up: {_words(error)}")

    def _shrink(self) -> None:
        """Where too much is kept; what is removed is said."""
        from runner.pipeline.cache.collecting import LIMIT, Bounds, collect, kept_bytes

        if kept_bytes(self._place) > LIMIT:
            gone = len(collect(self._place, Bounds(max_bytes=LIMIT)).entries)
            self._warn(None, f"{gone} results that were used longest ago were removed: more than 10 GB were kept")

    def _safely(self, step: str, work: Callable[..., None], *arguments: Any) -> None:
        """The run waits for an answer: there is one, whatever goes wrong."""
        try:
            work(*arguments)
        except Exception as error:
            self._warn(step, f"not used for this step: {_words(error)}")
            self._miss(step, Missed(f"the cache failed: {type(error).__name__}"))

    def _miss(self, step: str, missed: Missed) -> None:
        with self._guard:
            self._missed[step] = missed
        self._post(Looked(step, None))

    def _answer(self, planned: PlannedStep, lock: Lock | None) -> None:
        """In the pool. With the `lock` of what was the step's key when it began to wait for it."""
        name = planned.name
        try:
            found = self._look(planned, lock)
        except Stopped:
            found = Missed("the run was stopped")
        except Exception as error:  # whatever it is, the step can run
            self._warn(name, f"not used for this step: {_words(error)}")
            found = Missed(f"the cache could not be used: {_words(error)}")
        if isinstance(found, Missed):
            self._miss(name, found)
        elif found is not None:
            self._post(Looked(name, found))

    def _look(self, planned: PlannedStep, lock: Lock | None) -> Hit | Missed | None:
        """None: the answer comes later. The lock is freed, or in what is returned."""
        mine: Lock | None = lock
        try:
            if reason := uncacheable(planned):
                return Missed(reason)
            image = self._shop.images[planned.job.image]
            contents = self._reader.look(planned, image)
            if contents.packages is None and needs_packages(planned.job):
                return Missed("the packages of its requirements.txt were not collected yet", contents=contents)
            key = key_of(planned, image, contents, self._secret)
            path = self._place.locks / key.digest
            if mine is not None and mine.path != path:  # an input changed meanwhile
                mine.free()
                mine = None
            if mine is None and (mine := try_lock(path)) is None:
                self._wait(planned, path)
                return None
            kept = None if planned.name in self._force else self._find(planned.name, key)
            if kept is not None:
                return Hit(planned, image.id, key, kept)
            why = "it was forced to run" if planned.name in self._force else "no earlier result has this key"
            missed, mine = Missed(why, key, contents, mine), None
            return missed
        finally:
            if mine is not None:
                mine.free()

    def _find(self, step: str, key: Key) -> Kept | None:
        """Raises OSError."""
        try:
            kept = entries.read(self._place.entries, key.digest)
            if kept is not None:
                kept.trees()
                self._place.use(self._run_id, key.digest)
            return kept
        except Damaged as error:
            self._discard(step, key.digest, error)
            return None

    def _wait(self, planned: PlannedStep, path: Path) -> None:
        self._shop.notice(planned.name, "waits for another step or run that computes the same")

        def came(found: Lock | OSError) -> None:
            lock = found if isinstance(found, Lock) else None
            with self._guard:
                self._waits.pop(planned.name, None)
                if not self._closed:
                    self._pool.submit(self._safely, planned.name, self._answer, planned, lock)
                    return
            if lock is not None:
                lock.free()

        with self._guard:
            if not self._closed:
                self._waits[planned.name] = Waiting(path, came)

    def _adopt(self, hit: Hit, cleared: Future[None] | None) -> None:
        name = hit.planned.name
        try:
            if cleared is not None:
                cleared.result()
            result = adopt(hit, self._place, self._shop.sources)
        except Damaged as error:
            self._forget(name)
            if self._discard(name, hit.key.digest, error):
                self._answer(hit.planned, None)
                return
        except Exception as error:  # whatever it is, the step can run
            self._warn(name, f"a result that is there is not used: {_words(error)}")
            self._forget(name)
        else:
            self._note(name, hit.key, "an earlier result has this key", kept=True, result=result)
            self._post(Adopted(result))
            return
        self._miss(name, Missed("what was kept could not be used"))

    def _discard(self, step: str, key: str, why: Damaged) -> bool:
        """Drop an entry, and the tree that is to blame; whether that could be done."""
        self._warn(step, f"a result that was kept is dropped, and the step runs: {why}")
        try:
            entries.drop(self._place.entries, key)
            if why.tree:
                trees.drop(self._place.trees, why.tree)
        except OSError as error:
            self._warn(step, f"cannot drop it: {_words(error)}")
            return False
        return True

    def _forget(self, step: str) -> None:
        root = self._shop.sources.run.layout.step(step).root
        try:
            remove_tree(root)
        except OSError as error:
            self._shop.notice(step, str(os_fault(error, root, "cannot remove a result that is not used")))

    def _note(self, step: str, key: Key | None, why: str, *, kept: bool, result: StepResult | None = None) -> None:
        layout = self._shop.sources.run.layout.step(step)
        try:
            write_note(layout.cache, key, why, kept=kept, cached=result.cached if result else None, secret=self._secret)
        except OSError as error:
            self._shop.notice(step, str(os_fault(error, layout.cache, "cannot write what the cache knows of the step")))

    def _warn(self, step: str | None, text: str) -> None:
        """Once for each text: what is wrong with the directory is wrong for every step."""
        with self._guard:
            new = text not in self._told
            self._told.add(text)
        if new:
            self._shop.notice(step, f"cache: {text}")


def open_cache(options: Options, shop: Workshop, post: Callable[[Looked | Adopted], None]) -> StepCache | None:
    """The cache of a run; None, after a notice, where the directory cannot be used."""
    try:
        place = folder.open_folder(options.root.absolute())
        for path in place.dead():
            remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)
        secret = place.secret()
        place.pin(shop.sources.run.run_id)
        return StepCache(place, secret, shop, options.force, post)
    except OSError as error:
        text = str(error) if isinstance(error, folder.Unusable) else f"{printable(options.root)}: {_words(error)}"
        shop.notice(None, f"cache: every step runs, and no result is kept: {text}")
        return None


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        named = f"{printable(error.filename)}: " if isinstance(error.filename, str) else ""
        return f"{named}{error.strerror}"
    known = isinstance(error, OSError | RunnerError | Unknown | Damaged)
    return str(error) if known else f"{type(error).__name__}: {error}"
