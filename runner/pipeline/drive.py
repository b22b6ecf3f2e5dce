"""The loop of a run: one thread that starts workers, hears what they say, and tells the reporters.

Only this thread touches the schedule, the results and the reporters. Workers and signal handlers talk to it through
one queue.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from runner.engine.base import StartMode
from runner.pipeline.attempt import Amended, Ended, Prepared, Workshop, run_step
from runner.pipeline.broadcast import Broadcast
from runner.pipeline.cache.lookup import StepCache
from runner.pipeline.cache.messages import Adopted, Looked
from runner.pipeline.events import Event, StepFinished, StepOutput, StepResult, StepStarted, StepState
from runner.pipeline.plan import Plan, PlannedStep
from runner.pipeline.rundir import now
from runner.pipeline.schedule import Schedule
from runner.pipeline.settle import infrastructure, write_result
from runner.pipeline.staging import MOST, Staging


@dataclass(frozen=True, slots=True)
class Crashed:
    """A worker met a fault of this tool."""

    step: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class Woken:
    """Output waits in the outbox, or there may be room to prepare another step."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A signal asks for the end."""

    signum: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Steps changed while the run goes on; by step: what changed. See `Schedule.retire`."""

    change: int
    """Names this message in `Driver.fresh`."""
    edited: Mapping[str, str]
    doomed: Mapping[str, str]


Message = Event | Ended | Crashed | Woken | Cancelled | Retire | Looked | Adopted
Inbox = SimpleQueue[Message]


class Driver:
    """Runs a plan to its end. Afterwards `results` has one result for every step of the plan."""

    def __init__(
        self,
        plan: Plan,
        schedule: Schedule,
        shop: Workshop,
        broadcast: Broadcast,
        inbox: Inbox,
        cache: StepCache | None = None,
    ) -> None:
        self.results: dict[str, StepResult] = {}
        self.signum: int | None = None
        self.crash: BaseException | None = None
        self.superseded = False
        """A step was stopped, or kept from starting, since what it runs on has changed."""
        self.fresh: set[tuple[int, str]] = set()
        """Number of a change and step: it started after the change, and so with it."""
        self._steps: dict[str, PlannedStep] = {step.name: step for step in plan.steps}
        self._schedule, self._shop, self._broadcast, self._inbox = schedule, shop, broadcast, inbox
        self._staging = Staging(shop, schedule.capacity.cpus, wake=lambda: inbox.put(Woken()))
        self._cache = cache
        self._held: set[str] = set()
        """Steps whose results may be in the cache: they do not start before it has answered."""
        self._workers: list[threading.Thread] = []

    def drive(self) -> None:
        """Returns when every step has its result and every container is gone, also when it raises."""
        try:
            while not self._inbox.empty():  # a signal may have come first
                self._handle(self._inbox.get())
            while not self._schedule.done:
                self._advance()
                self._handle(self._inbox.get())
        except BaseException:
            self._abandon()
            raise
        finally:
            self._staging.close()
            for worker in self._workers:
                worker.join()
            if self._cache is not None:
                self._cache.close()
            self._hear_the_rest()

    def _advance(self) -> None:
        """Start what may start, and stage what comes next."""
        self._start()
        coming = [self._steps[name] for name in self._schedule.upcoming(MOST, self._held)]
        staged = [step for step in coming if self._shop.images[step.job.image].mode is StartMode.STAGED]
        self._staging.stage(staged, self._schedule.free_memory())

    def _start(self) -> None:
        held = self._ask()
        for name in self._schedule.start(held):
            self._spawn(self._steps[name])

    def _ask(self) -> Collection[str]:
        """Ask the cache for every step that has become ready; returns those that must not start yet."""
        if self._cache is not None:
            for name in self._schedule.newly_ready():
                self._held.add(name)
                self._cache.ask(self._steps[name])
        return self._held

    def _spawn(self, planned: PlannedStep) -> None:
        staged = self._staging.take(planned)
        self._shop.lull.begin(planned.name)
        worker = threading.Thread(target=self._work, args=(planned, staged), name=f"step-{planned.name}", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # no more threads
            self._staging.give_back(planned, staged)
            raise
        self._workers = [*(each for each in self._workers if each.is_alive()), worker]

    def _work(self, planned: PlannedStep, staged: Future[Prepared] | None) -> None:
        """A worker thread, from start to end."""
        ended: list[Ended] = []

        def tell(end: Ended) -> None:
            ended.append(end)
            self._inbox.put(end)

        try:
            run_step(self._shop, planned, lambda: self._staging.obtain(planned, staged), tell)
            if self._cache is not None:
                self._cache.keep(planned, ended[-1].result)
        except BaseException as error:
            self._inbox.put(Crashed(planned.name, error))
        finally:
            if self._cache is not None:
                self._cache.release(planned.name)

    def _handle(self, message: Message) -> None:
        match message:
            case Woken():
                self._forward_output()
            case Amended():
                self._amend(message)
            case Ended():
                self._end(message)
            case Crashed():
                self._crashed(message)
            case Cancelled():
                self._cancel(message.signum)
            case Retire():
                self._retire(message)
            case Looked():
                self._looked(message)
            case Adopted():
                self._adopted(message.result)
            case Event():
                if isinstance(message, StepStarted):
                    self._staging.under_way(message.step)
                    self._shop.lull.begin(message.step)
                self._broadcast.emit(message)

    def _forward_output(self) -> None:
        for step, stream, data in self._shop.outbox.take():
            self._broadcast.emit(StepOutput(at=now(), step=step, stream=stream, data=data))

    def _end(self, ended: Ended) -> None:
        result = ended.result
        for name, output in result.outputs.items():
            self._shop.sources.digests[result.step, name] = str(output["digest"])
        passed = result.state is StepState.PASSED
        dropped = self._schedule.finish(result.step, passed=passed)
        if passed:
            self._start()  # before the reporters hear of it: they may take their time
        self._shop.lull.end(result.step)
        self._forward_output()
        self._record(result)
        self._drop(dropped)
        self._stop_if_gone(ended)

    def _amend(self, amended: Amended) -> None:
        """A step that fell back from a pass blocks what needs it, as far as that has not started."""
        result = amended.result
        fell = self.results[result.step].state is StepState.PASSED and result.state is not StepState.PASSED
        self._record(result)
        if fell:
            self._drop(self._schedule.revoke(result.step))
        self._stop_if_gone(amended)

    def _stop_if_gone(self, ended: Ended) -> None:
        if ended.engine_gone:
            self._drop(self._schedule.stop(f"not started: the engine is gone: {ended.engine_gone}"))

    def _looked(self, found: Looked) -> None:
        if found.hit is None or self._schedule.states[found.step] is not StepState.READY or self._cache is None:
            self._held.discard(found.step)
        else:
            self._cache.adopt(found.hit, self._staging.withdraw(found.step))

    def _adopted(self, result: StepResult) -> None:
        self._held.discard(result.step)
        if self._schedule.states[result.step] is StepState.READY:
            self._schedule.adopt(result.step)
            self._end(Ended(result))
        else:  # the run is being stopped
            self._shop.forget(result.step)

    def _crashed(self, message: Crashed) -> None:
        self.crash = self.crash or message.error
        self._shop.lull.end(message.step)
        if message.step in self.results:  # its end was told: the clean-up failed, which changes no result
            self._drop(self._schedule.stop("not started: run-pipeline itself failed"))
            return
        directory = f"steps/{message.step}"
        layout = self._shop.sources.run.layout.step(message.step)
        result = StepResult(step=message.step, state=StepState.FAILED, verdict=None, reason="", directory=directory)
        why = f"a fault of run-pipeline itself: {type(message.error).__name__}: {message.error}"
        self._record(write_result(layout, infrastructure(result, why)))
        self._drop(self._schedule.finish(message.step, passed=False))
        self._drop(self._schedule.stop("not started: run-pipeline itself failed"))

    def _cancel(self, signum: int) -> None:
        if self.signum is None:
            self.signum = signum
            self._shop.lull.release()
            self._drop(self._schedule.stop(f"not started: the run was stopped by {signal.Signals(signum).name}"))

    def _retire(self, message: Retire) -> None:
        found = self._schedule.retire(message.edited, message.doomed)
        told = {**message.edited, **message.doomed}
        for name in found.stop:
            cause = found.causes[name]
            self._shop.stops.retire(name, told[name] if cause == name else f"it runs on '{cause}', and {told[cause]}")
        self._drop(found.cancelled)
        for name in found.fresh:
            self._staging.restage(self._steps[name])
            self.fresh.add((message.change, name))
        self.superseded = self.superseded or bool(found.stop or found.cancelled)

    def _drop(self, steps: Iterable[str]) -> None:
        """Steps that will not start."""
        names = tuple(steps)
        self._staging.drain(names)
        for name in names:
            if self._cache is not None:
                self._cache.release(name)
            schedule = self._schedule
            self._record(
                StepResult(
                    step=name,
                    state=schedule.states[name],
                    verdict=None,
                    reason=schedule.reason(name),
                    image=self._steps[name].job.image,
                    blocked_by=schedule.blocked_by(name),
                )
            )

    def _record(self, result: StepResult) -> None:
        self.results[result.step] = result
        self._staging.under_way(result.step)
        self._broadcast.emit(StepFinished(at=now(), result=result))

    def _abandon(self) -> None:
        """This thread itself fails: stop everything, at once."""
        self._shop.outbox.release()
        self._shop.lull.release()
        self._drop(self._schedule.stop("not started: run-pipeline itself failed"))
        self._shop.stops.stop_all(0)

    def _hear_the_rest(self) -> None:
        """What was said between the last step's end and now: notices of clean-ups, ends of abandoned steps."""
        while True:
            try:
                message = self._inbox.get_nowait()
            except Empty:
                self._forward_output()
                return
            if not isinstance(message, Cancelled):  # too late: everything has ended
                self._handle(message)
