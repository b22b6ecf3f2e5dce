"""When each step may start: a state machine without I/O, clock or threads.

Whoever drives it calls `start()` for the steps to start now, `finish()` when one has ended, and `stop()` to let nothing
more start, until `done`. Guarantees:

1. A step starts only after every step it needs passed. It starts at most once, and ends in one final state.
2. Never more than `jobs` steps run at once, and never more cpus and memory are declared by them than the machine has.
   A step that declares none counts as none: only `jobs` holds it back.
3. Ready steps start by longest remaining path; a small one may overtake one that does not fit yet, but only
   `PATIENCE` times: then nothing else starts before it.
4. A step that does not pass blocks those that need it, directly or not, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from runner.pipeline.events import StepState

PATIENCE = 8
_ROUNDING = 1e-9


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
        self._roots: dict[str, tuple[str, ...]] = {}
        self._overtaken = dict.fromkeys(self._tasks, 0)
        self._ready: list[str] = []
        self._fresh: list[str] = []
        self._running: set[str] = set()
        self._refuse_misfits()
        self._make_ready(name for name, unmet in self._unmet.items() if not unmet)

    @property
    def states(self) -> Mapping[str, StepState]:
        return MappingProxyType(self._states)

    @property
    def running(self) -> frozenset[str]:
        return frozenset(self._running)

    @property
    def done(self) -> bool:
        """Nothing runs and nothing will."""
        return not self._running and not self._ready

    def reason(self, name: str) -> str:
        """Why a blocked or cancelled step did not start; empty for any other."""
        return self._reasons.get(name, "")

    def blocked_by(self, name: str) -> tuple[str, ...]:
        """The steps that failed and so keep this one from running, in the order in which they failed."""
        return self._roots.get(name, ())

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
        self._running.add(name)
        self._states[name] = StepState.RUNNING

    def start(self, held: Collection[str] = ()) -> tuple[str, ...]:
        """The steps to start now, first things first, but none of `held`. They count as running from here on."""
        started: list[str] = []
        passed_over: list[str] = []
        for name in self._ready:
            if name in held:
                continue
            if len(self._running) >= self._capacity.jobs:
                break
            if self._fits(self._tasks[name]):
                self._running.add(name)
                self._states[name] = StepState.RUNNING
                started.append(name)
                for other in passed_over:
                    self._overtaken[other] += 1
            elif self._overtaken[name] >= PATIENCE:
                break
            else:
                passed_over.append(name)
        self._ready = [name for name in self._ready if name not in self._running]
        return tuple(started)

    def finish(self, name: str, *, passed: bool) -> tuple[str, ...]:
        """A running step ended. Returns the steps that this brought to a final state without a start."""
        self._running.remove(name)
        self._states[name] = StepState.PASSED if passed else StepState.FAILED
        if passed:
            self._make_ready(self._met(name))
            return ()
        ended = self._block(name)
        if not self._keep_going:
            ended += self.stop(f"not started: '{name}' failed, and the run stops at the first failure")
        return ended

    def stop(self, reason: str) -> tuple[str, ...]:
        """Start nothing more; running steps may still end either way. Returns the steps that are cancelled by it."""
        ended = [name for name, state in self._states.items() if state in (StepState.WAITING, StepState.READY)]
        for name in ended:
            self._states[name] = StepState.CANCELLED
            self._reasons[name] = reason
        self._ready.clear()
        return tuple(ended)

    def upcoming(self, count: int, held: Collection[str] = ()) -> tuple[str, ...]:
        """At most `count` steps that have not started, in the order in which they will be needed if all goes well:
        ready ones, then those that wait for running ones only, then those that wait for these, and so on. None of
        `held`, nor what needs one of them."""
        level = [name for name in self._ready if name not in held]
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
        for name in names:
            self._states[name] = StepState.READY
            self._ready.append(name)
            self._fresh.append(name)
        self._ready.sort(key=self._rank.__getitem__)

    def _block(self, root: str) -> tuple[str, ...]:
        """Block all descendants that have no final state yet; one that is blocked already gains a cause."""
        ended: list[str] = []
        pending, seen = list(self._consumers[root]), {root}
        while pending:
            name = pending.pop()
            if name in seen or self._states[name] is StepState.CANCELLED:
                continue
            seen.add(name)
            pending += self._consumers[name]
            if self._states[name] is not StepState.BLOCKED:
                ended.append(name)
            self._states[name] = StepState.BLOCKED
            self._roots[name] = (*self._roots.get(name, ()), root)
            causes = ", ".join(f"'{cause}'" for cause in self._roots[name])
            self._reasons[name] = f"needs {causes}, which did not pass"
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
