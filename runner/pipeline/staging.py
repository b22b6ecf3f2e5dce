"""Containers that start ahead of need, so that a step whose inputs are ready runs at once.

At most `AHEAD` steps are prepared ahead, in the order in which they will be needed; fewer while steps that are due are
still being prepared, since to start a container takes a whole CPU, and they come first. A waiting container holds
little memory, whatever its step declares, so it is admitted loosely: each counts as `IDLE_MEMORY` against what running
steps leave. Staging never makes a step worse: if it fails, the step is prepared again when its turn comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from runner.errors import Abandoned, EnvironmentFault, RequirementsError
from runner.pipeline.attempt import Prepared, Workshop
from runner.pipeline.plan import PlannedStep

AHEAD = 2
IDLE_MEMORY = 256 << 20
"""Bytes that an interpreter with its imports takes while it waits."""


class Staging:
    """Used from the main thread, but for what `obtain` returns."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="staging")
        self._staged: dict[str, tuple[PlannedStep, Future[Prepared]]] = {}
        self._due: set[str] = set()
        self._drops: list[Future[None]] = []

    def stage(self, wanted: Sequence[PlannedStep], free_memory: int) -> None:
        """Begin to prepare what is wanted and is not yet, as far as there is room."""
        for planned in wanted:
            waiting = [*(step for step, _ in self._staged.values()), planned]
            room = sum(step.job.instance_count for step in waiting) * IDLE_MEMORY <= free_memory
            if len(self._staged) + len(self._due) < AHEAD and room and planned.name not in self._staged:
                self._staged[planned.name] = (planned, self._pool.submit(self._shop.prepare, planned))

    def take(self, planned: PlannedStep) -> Future[Prepared] | None:
        """The container of a step that starts now; the caller owns it from here on."""
        staged = self._staged.pop(planned.name, None)
        if staged is None:
            self._due.add(planned.name)
        return staged[1] if staged is not None else None

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
            return staged.result()
        except Abandoned:
            raise
        except EnvironmentFault as error:
            self._shop.notice(planned.name, f"could not be prepared ahead of time, and is prepared again: {error}")
            self._shop.forget(planned.name)
        return self._shop.prepare(planned)

    def drain(self, steps: Sequence[str] | None = None) -> None:
        """Remove the staged containers of these steps, or of all: they are not needed. Returns at once."""
        for name in [*self._staged] if steps is None else [name for name in steps if name in self._staged]:
            _, future = self._staged.pop(name)
            self._drops.append(self._pool.submit(self._drop, name, future))

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
        for drop in self._drops:
            drop.result()

    def _drop(self, name: str, staged: Future[Prepared]) -> None:
        """Waits for a preparation that is under way; the pool began that one before this."""
        try:
            prepared = staged.result()
        except (EnvironmentFault, RequirementsError):
            self._shop.forget(name)
        else:
            self._shop.discard(prepared)
