"""Containers that start ahead of need, so that a step whose inputs are ready runs at once.

Steps are prepared ahead in the order in which they will be needed, as many as there is memory for. A waiting container
holds little, whatever its step declares, so it is admitted loosely: each counts as `IDLE_MEMORY` against what running
steps leave. A step that is due always comes first: it is prepared by its own worker and never stands in a queue, and
since to start a container takes a whole CPU, one CPU is left to what runs, and one to each step that is being prepared
because it is due. Staging never makes a step worse: if it fails, the step is prepared again when its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from runner.errors import Abandoned, EnvironmentFault, RequirementsError
from runner.pipeline.attempt import Prepared, Workshop
from runner.pipeline.plan import PlannedStep

MOST = 16
"""Containers that wait at a time: more than any usual machine runs while it prepares as many again. Each is to be
removed, should the run end at a failure."""
IDLE_MEMORY = 256 << 20
"""Bytes that an interpreter with its imports takes while it waits."""
_REMOVERS = 4


class Staging:
    """Used from the main thread, but for what `obtain` returns. `wake` is called from another one whenever there may be
    room for more; then `stage` is to be called again."""

    def __init__(self, shop: Workshop, cpus: float, wake: Callable[[], None]) -> None:
        self._shop, self._wake = shop, wake
        self._cpus = max(1, int(cpus))
        self._lanes = max(1, self._cpus - 1)
        self._pool = ThreadPoolExecutor(self._lanes, thread_name_prefix="staging")
        self._removers = ThreadPoolExecutor(_REMOVERS, thread_name_prefix="staging-end")
        self._staged: dict[str, tuple[PlannedStep, Future[Prepared]]] = {}
        self._begun: list[Future[Prepared]] = []
        self._due: set[str] = set()
        self._renewed: set[Future[Prepared]] = set()
        """Preparations that have to remove an earlier container first, and so are not to be cancelled."""
        self._drops: list[Future[None]] = []

    def stage(self, wanted: Sequence[PlannedStep], free_memory: int) -> None:
        """Begin to prepare what is wanted and is not yet, as far as there is room."""
        held = sum(step.job.instance_count for step, _ in self._staged.values())
        for planned in wanted:
            if not self._has_lane():
                return
            held += planned.job.instance_count
            if planned.name in self._staged:
                held -= planned.job.instance_count
            elif len(self._staged) >= MOST or held * IDLE_MEMORY > free_memory:
                return
            else:
                future = self._pool.submit(self._shop.prepare, planned)
                self._staged[planned.name] = (planned, future)
                self._begun.append(future)
                future.add_done_callback(lambda _: self._wake())

    def _has_lane(self) -> bool:
        self._begun = [future for future in self._begun if not future.done()]
        return len(self._begun) < self._lanes and len(self._begun) + len(self._due) < self._cpus

    def take(self, planned: PlannedStep) -> Future[Prepared] | None:
        """The container of a step that starts now; the caller owns it from here on."""
        _, staged = self._staged.pop(planned.name, (None, None))
        if staged is None or self._cancelled(
            staged
        ):  # what has not begun yet would begin later than the step itself does
            self._due.add(planned.name)
            return None
        return staged

    def under_way(self, step: str) -> None:
        """A step runs, or has ended: nothing is prepared for it any more."""
        self._due.discard(step)

    def give_back(self, planned: PlannedStep, staged: Future[Prepared] | None) -> None:
        """The step did not start after all."""
        self._due.discard(planned.name)
        if staged is not None:
            self._staged[planned.name] = (planned, staged)

    def obtain(self, planned: PlannedStep, staged: Future[Prepared] | None) -> Prepared:
        """Wait for a staged container, or prepare one now. Raises EnvironmentFault or RequirementsError."""
        if staged is None:
            return self._shop.prepare(planned)
        try:
            prepared = staged.result()
            if prepared.is_current:
                return prepared
            self._shop.discard(prepared)  # a directory was put in the place of one that it has mounted
        except Abandoned:
            raise
        except EnvironmentFault as error:
            self._shop.notice(planned.name, f"could not be prepared ahead of time, and is prepared again: {error}")
            self._shop.forget(planned.name)
        return self._shop.prepare(planned)

    def restage(self, planned: PlannedStep) -> None:
        """What the step runs on has changed: if a container waits for it, or is being made, one made anew takes its
        place. Returns at once."""
        if planned.name in self._staged:
            _, stale = self._staged[planned.name]
            future = self._removers.submit(self._anew, planned, stale)
            self._renewed.add(future)
            self._staged[planned.name] = (planned, future)

    def _cancelled(self, staged: Future[Prepared]) -> bool:
        """Whether a preparation will not begin."""
        return staged not in self._renewed and staged.cancel()

    def _anew(self, planned: PlannedStep, stale: Future[Prepared]) -> Prepared:
        """One after the other, since both have the step's directory."""
        self._drop(planned.name, stale)
        return self._shop.prepare(planned)

    def drain(self, steps: Sequence[str] | None = None) -> None:
        """Remove the staged containers of these steps, or of all: they are not needed. Returns at once."""
        for name in [*self._staged] if steps is None else [name for name in steps if name in self._staged]:
            _, future = self._staged.pop(name)
            if not self._cancelled(future):
                self._drops.append(self._removers.submit(self._drop, name, future))

    def withdraw(self, step: str) -> Future[None] | None:
        """Remove the staged container of a step, whose files are gone when the future is done; None: there is none."""
        if step not in self._staged:
            return None
        self.drain([step])
        return self._drops[-1]

    def close(self) -> None:
        """Remove what is left, and wait until it is gone. Raises what no fault of the environment explains."""
        self.drain()
        self._pool.shutdown(wait=True)
        self._removers.shutdown(wait=True)
        for drop in self._drops:
            drop.result()

    def _drop(self, name: str, staged: Future[Prepared]) -> None:
        """Waits for a preparation that is under way."""
        try:
            prepared = staged.result()
        except (EnvironmentFault, RequirementsError):
            self._shop.forget(name)
        else:
            self._shop.discard(prepared)
