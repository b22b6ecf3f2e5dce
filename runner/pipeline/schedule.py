"""When each step may start: a state machine without I/O, clock or threads.

Whoever drives it calls `start()` for the steps to start now, `finish()` when one has ended, `stop()` to let nothing
more start, and `retire()` when steps have changed meanwhile, until `done`. Guarantees:

1. A step starts only after every step it needs passed. It starts at most once, and ends in one final state.
2. Never more than `jobs` steps run at once, and never more cpus and memory are declared by them than the machine has.
   A step that declares none counts as none: only `jobs` holds it back.
3. Ready steps start by longest remaining path; a small one may overtake one that does not fit yet, but only
   `PATIENCE` times: then nothing else starts before it. It is looked for among the first `REACH` that are ready.
4. A step that does not pass blocks those that need it, directly or not, and nothing else. One whose pass is taken back
   blocks those of them that have not started.
5. All of it takes time in proportion to the steps and edges, however many are ready at once.
6. Nothing starts on what a retired step made. How a retired step ends stops nothing else.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from runner.pipeline.events import StepState

PATIENCE = 8
REACH = 64
_ROUNDING = 1e-9
_NOT_STARTED = (StepState.WAITING, StepState.READY, StepState.BLOCKED)


@dataclass(frozen=True, slots=True)
class Task:
    """A step as far as scheduling goes. `priority` is its longest remaining path; memory in bytes."""

    name: str
    needs: tuple[str, ...] = ()
    priority: float = 0.0
    cpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    cpus: float
    memory: int
    """Bytes."""
    jobs: int


@dataclass(frozen=True, slots=True)
class Retired:
    """What becomes of steps that changed, each in the order of the tasks."""

    stop: tuple[str, ...]
    """They run; the caller stops them, and tells their ends as any other's."""
    cancelled: tuple[str, ...]
    """They will not start; that is their final state."""
    fresh: tuple[str, ...]
    """They changed before they were started: they start as they are now."""
    causes: Mapping[str, str]
    """By step of `stop` and `cancelled`: the step whose change is the reason, itself or one that it needs."""


class Schedule:
    """See the top of this module. Raises ValueError for tasks that are not a DAG or could never fit."""

    def __init__(self, tasks: Sequence[Task], capacity: Capacity, *, keep_going: bool = False) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._rank = {task.name: (-task.priority, index) for index, task in enumerate(tasks)}
        self._order = {task.name: index for index, task in enumerate(tasks)}
        self._capacity, self._keep_going = capacity, keep_going
        self._consumers: dict[str, list[str]] = {name: [] for name in self._tasks}
        for task in tasks:
            for need in dict.fromkeys(task.needs):
                self._consumers[need].append(task.name)
        self._unmet = {task.name: len(set(task.needs)) for task in tasks}
        self._states = {task.name: StepState.WAITING for task in tasks}
        self._reasons: dict[str, str] = {}
        self._roots: dict[str, list[str]] = {}
        self._overtaken = dict.fromkeys(self._tasks, 0)
        self._ready: list[str] = []  # sorted by rank
        self._fresh: list[str] = []
        self._running: set[str] = set()
        self._coming: tuple[int, tuple[str, ...]] | None = None
        """The last answer of `upcoming`, until something changes."""
        self._retired: set[str] = set()
        self._refuse_misfits()
        self._make_ready(name for name, unmet in self._unmet.items() if not unmet)

    @property
    def states(self) -> Mapping[str, StepState]:
        return MappingProxyType(self._states)

    @property
    def running(self) -> frozenset[str]:
        return frozenset(self._running)

    @property
    def capacity(self) -> Capacity:
        return self._capacity

    @property
    def done(self) -> bool:
        """Nothing runs and nothing will."""
        return not self._running and not self._ready

    def reason(self, name: str) -> str:
        """Why a blocked or cancelled step did not start; empty for any other."""
        if name not in self._roots:
            return self._reasons.get(name, "")
        causes = ", ".join(f"'{cause}'" for cause in self._roots[name])
        return f"needs {causes}, which did not pass"

    def blocked_by(self, name: str) -> tuple[str, ...]:
        """The steps that failed and so keep this one from running, in the order in which they failed."""
        return tuple(self._roots.get(name, ()))

    def newly_ready(self) -> tuple[str, ...]:
        """Steps that have become ready since the last call."""
        fresh, self._fresh = self._fresh, []
        return tuple(fresh)

    def free_memory(self) -> int:
        """Bytes that no running step has declared."""
        return self._capacity.memory - sum(self._tasks[name].memory for name in self._running)

    def adopt(self, name: str) -> None:
        """A ready step counts as running, wherever there is room: its result is there already."""
        self._ready.remove(name)
        self._coming = None
        self._running.add(name)
        self._states[name] = StepState.RUNNING

    def start(self, held: Collection[str] = ()) -> tuple[str, ...]:
        """The steps to start now, first things first, but none of `held`. They count as running from here on."""
        started: list[str] = []
        passed_over: list[str] = []
        places: list[int] = []
        for place, name in enumerate(self._ready):
            if name in held:
                continue
            if len(self._running) >= self._capacity.jobs or len(passed_over) >= REACH:
                break
            if self._fits(self._tasks[name]):
                self._running.add(name)
                places.append(place)
                self._states[name] = StepState.RUNNING
                started.append(name)
                for other in passed_over:
                    self._overtaken[other] += 1
            elif self._overtaken[name] >= PATIENCE:
                break
            else:
                passed_over.append(name)
        for place in reversed(places):
            del self._ready[place]
        if started:
            self._coming = None
        return tuple(started)

    def finish(self, name: str, *, passed: bool) -> tuple[str, ...]:
        """A running step ended. Returns the steps that this brought to a final state without a start."""
        self._running.remove(name)
        self._coming = None
        self._states[name] = StepState.PASSED if passed else StepState.FAILED
        if passed:
            self._make_ready(self._met(name))
            return ()
        return self._failed(name)

    def revoke(self, name: str) -> tuple[str, ...]:
        """A step that had passed did not, after all. Returns the steps that this brought to a final state."""
        self._states[name] = StepState.FAILED
        ended = self._failed(name)
        self._ready = [other for other in self._ready if self._states[other] is StepState.READY]
        self._coming = None
        return ended

    def _failed(self, name: str) -> tuple[str, ...]:
        ended = self._block(name)
        if not self._keep_going and name not in self._retired:
            ended += self.stop(f"not started: '{name}' failed, and the run stops at the first failure")
        return ended

    def stop(self, reason: str) -> tuple[str, ...]:
        """Start nothing more; running steps may still end either way. Returns the steps that are cancelled by it."""
        ended = [name for name, state in self._states.items() if state in (StepState.WAITING, StepState.READY)]
        for name in ended:
            self._states[name] = StepState.CANCELLED
            self._reasons[name] = reason
        self._ready.clear()
        self._coming = None
        return tuple(ended)

    def retire(self, edited: Iterable[str], doomed: Iterable[str] = ()) -> Retired:
        """Steps changed. An `edited` one may still start, as it is now; a `doomed` one may not, nor what needs it.

        What an edited step made that has started, or has ended, is stale, and with it all that needs it. Names that are
        no tasks are passed over.
        """
        named, barred = self._known(edited), self._known(doomed)
        waiting = {name for name in named if self._states[name] in (StepState.WAITING, StepState.READY)}
        causes: dict[str, str] = {}
        for root in [*barred, *(name for name in named if name not in waiting)]:
            if self._states[root] not in (StepState.BLOCKED, StepState.CANCELLED):
                self._blame(root, causes)
        stop = tuple(name for name in self._known(causes) if name in self._running)
        cancelled = tuple(
            name for name in self._known(causes) if self._states[name] in (StepState.WAITING, StepState.READY)
        )
        for name in cancelled:
            self._states[name] = StepState.CANCELLED
            cause = causes[name]
            self._reasons[name] = "not started: it changed" if cause == name else f"not started: '{cause}' changed"
        self._ready = [name for name in self._ready if name not in causes]
        self._coming = None
        self._retired.update(stop)
        fresh = tuple(name for name in self._known(waiting) if name not in causes)
        return Retired(stop, cancelled, fresh, {name: causes[name] for name in (*stop, *cancelled)})

    def _known(self, names: Iterable[str]) -> list[str]:
        return sorted((name for name in set(names) if name in self._tasks), key=self._order.__getitem__)

    def _blame(self, root: str, causes: dict[str, str]) -> None:
        """Note `root` as the cause of itself and of all that needs it."""
        pending = [root]
        while pending:
            name = pending.pop()
            if name not in causes:
                causes[name] = root
                pending += self._consumers[name]

    def upcoming(self, count: int, held: Collection[str] = ()) -> tuple[str, ...]:
        """At most `count` steps that have not started, in the order in which they will be needed if all goes well:
        ready ones, then those that wait for running ones only, then those that wait for these, and so on. None of
        `held`, nor what needs one of them."""
        if held:
            return self._look_ahead(count, held)
        if self._coming is None or self._coming[0] != count:
            self._coming = count, self._look_ahead(count, ())
        return self._coming[1]

    def _look_ahead(self, count: int, held: Collection[str]) -> tuple[str, ...]:
        level = list(islice((name for name in self._ready if name not in held), count))
        if len(level) >= count:
            return tuple(level)
        found: list[str] = []
        seen = set(level) | self._running
        unmet: dict[str, int] = {}
        wave = [*self._running, *level]
        while len(found) < count and (level or wave):
            found += level
            level = self._next_level(wave, unmet, seen)
            wave = level
        return tuple(found[:count])

    def _next_level(self, wave: Iterable[str], unmet: dict[str, int], seen: set[str]) -> list[str]:
        level = []
        for name in wave:
            for consumer in self._consumers[name]:
                if self._states[consumer] is not StepState.WAITING or consumer in seen:
                    continue
                unmet[consumer] = unmet.get(consumer, self._unmet[consumer]) - 1
                if not unmet[consumer]:
                    seen.add(consumer)
                    level.append(consumer)
        return sorted(level, key=self._rank.__getitem__)

    def _fits(self, task: Task) -> bool:
        cpus = sum(self._tasks[name].cpus for name in self._running) + task.cpus
        return cpus <= self._capacity.cpus + _ROUNDING and task.memory <= self.free_memory()

    def _met(self, name: str) -> list[str]:
        for consumer in self._consumers[name]:
            self._unmet[consumer] -= 1
        return [c for c in self._consumers[name] if not self._unmet[c] and self._states[c] is StepState.WAITING]

    def _make_ready(self, names: Iterable[str]) -> None:
        for name in sorted(names, key=self._rank.__getitem__):
            self._states[name] = StepState.READY
            insort(self._ready, name, key=self._rank.__getitem__)
            self._fresh.append(name)

    def _block(self, root: str) -> tuple[str, ...]:
        """Block all descendants that have not started; one that is blocked already gains a cause."""
        ended: list[str] = []
        pending, seen = list(self._consumers[root]), {root}
        while pending:
            name = pending.pop()
            if name in seen or self._states[name] is StepState.CANCELLED:
                continue
            seen.add(name)
            pending += self._consumers[name]
            if self._states[name] not in _NOT_STARTED:
                continue
            if self._states[name] is not StepState.BLOCKED:
                ended.append(name)
            self._states[name] = StepState.BLOCKED
            self._roots.setdefault(name, []).append(root)
        return tuple(sorted(ended, key=self._order.__getitem__))

    def _refuse_misfits(self) -> None:
        for task in self._tasks.values():
            if task.cpus > self._capacity.cpus + _ROUNDING or task.memory > self._capacity.memory:
                raise ValueError(f"'{task.name}' declares more than the machine has")
        if self._capacity.jobs < 1:
            raise ValueError("at least one job must be allowed")
        unmet, level = dict(self._unmet), [name for name, count in self._unmet.items() if not count]
        for name in level:
            for consumer in self._consumers[name]:
                unmet[consumer] -= 1
                if not unmet[consumer]:
                    level.append(consumer)
        if len(level) < len(self._tasks):
            raise ValueError("the steps are not a DAG")
