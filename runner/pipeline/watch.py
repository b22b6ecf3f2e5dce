"""Runs a pipeline, and after each save what the save affects, until it is told to end.

1. Only what a change affects runs again: the steps that it touches, all that need them, and all that have not passed.
   The others lend what they made last.
2. A change in the middle of a run stops what it makes stale, and what would run on that does not start; the next run
   follows at once. A step that has not started takes the change in. Nothing else is touched.
3. No change is lost, whenever it comes: it is taken in by a step that starts after it, or that step runs again.
4. What cannot be loaded or begun is told, and the next save tries again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from runner.errors import EXIT_PASSED, EnvironmentFault, UsageError
from runner.pipeline import ending
from runner.pipeline.events import RunFinished
from runner.pipeline.execute import Run
from runner.pipeline.integrity import verify
from runner.pipeline.plan import Plan
from runner.pipeline.reuse import Remark, Reuse, find_reused
from runner.pipeline.watch_files import Change, Files
from runner.pipeline.watch_parts import Conduct, Subject, Teller, Waiting
from runner.pipeline.watch_state import State, redefined
from runner.pipeline.watched import Watched, definitions, kept, named, watched
from runner.spec.archives import is_archive


@dataclass(frozen=True, slots=True)
class _Batch:
    """What changed at one time; `number` counts them."""

    number: int
    changes: tuple[Change, ...]


class Watcher:
    """Used from the main thread, but for `cancel`."""

    def __init__(self, subject: Subject, files: Files, conduct: Conduct, teller: Teller) -> None:
        self._subject, self._files, self._conduct, self._teller = subject, files, conduct, teller
        self._state: State | None = None
        self._broken = True
        """The pipeline's files cannot be loaded as they are."""
        self._inbox: SimpleQueue[None] = SimpleQueue()
        self._fault: BaseException | None = None
        """Of the listener: it hears nothing more."""
        self._lock = threading.RLock()
        self._pending: list[_Batch] = []
        self._count = self._absorbed = 0
        self._run: Run | None = None
        self._signum: int | None = None
        self._interrupted = False
        self._code: int | None = None

    def cancel(self, signum: int) -> None:
        """End: stop what runs; may be called from a signal handler or any thread, and returns at once."""
        self._signum = self._signum or signum
        run = self._run
        if run is not None:
            run.cancel(signum)
        self._inbox.put(None)

    def watch(self) -> int:
        """Returns when `cancel` was called. While nothing ran SIGINT is the ordinary end, and the exit code that of the
        last run; else it is that of a run that was stopped. Raises InternalError, and what `Files` raises."""
        listener = threading.Thread(target=self._listen, name="watch", daemon=True)
        self._files.follow([*definitions(self._subject.file, self._subject.specs), *named(self._subject.file)])
        listener.start()
        try:
            batches: list[_Batch] = []
            while self._signum is None:
                self._round([change for batch in batches for change in batch.changes])
                batches = self._await()
        finally:
            self._files.close()
            listener.join()
            self._files.release()
        if self._signum == signal.SIGINT and not self._interrupted and self._code is not None:
            return self._code
        return 128 + self._signum

    # -- one round: load, choose, run

    def _round(self, changes: Sequence[Change]) -> None:
        if changes:
            self._teller.changed(changes)
        try:
            state = self._load(changes)
            plan, lent = self._next(state, changes)
            if plan is None:
                self._code = EXIT_PASSED
            else:
                self._execute(state, plan, lent)
        except (UsageError, EnvironmentFault) as error:
            self._code = error.exit_code
            self._teller.refused(error)

    def _load(self, changes: Sequence[Change]) -> State:
        """Load anew where the files say another pipeline now, or may say whether this one holds. Raises UsageError."""
        if self._state is not None and not self._broken and not any(map(_redefines, changes)):
            return self._state
        self._broken = True
        try:
            loaded = self._subject.loaded()
        except UsageError:
            before = self._state.loaded.plan if self._state is not None else None
            known = watched(before) if before is not None else ()
            self._follow([*known, *named(self._subject.file)], kept(before) if before is not None else ())
            raise
        with self._lock:
            if self._state is None:
                self._state = State(loaded)
            else:
                self._state.load(loaded)
        self._follow(watched(loaded.plan), kept(loaded.plan))
        self._broken = False
        return self._state

    def _follow(self, items: Iterable[Watched], leave_out: Iterable[Path] = ()) -> None:
        subject = self._subject
        self._files.follow(dict.fromkeys([*definitions(subject.file, subject.specs), *items]), leave_out)

    def _next(self, state: State, changes: Sequence[Change]) -> tuple[Plan | None, Reuse]:
        """The plan of what is to run, and what it takes from earlier runs. Raises UsageError and WorkspaceError."""
        self._lend(state)
        plan = state.next()
        while plan is not None and (gone := self._gone(state, plan)):
            state.outdated(gone)
            plan = state.next()
        if changes:
            run = plan.names if plan is not None else ()
            others = dict.fromkeys(state.loaded.plan.names).keys() - set(run)
            self._teller.runs(run, [name for name in state.loaded.plan.names if name in others])
        lent = state.lent
        return plan, Reuse({step: lent[step] for step in plan.reused_outputs()} if plan is not None else {})

    def _lend(self, state: State) -> None:
        """Once: what steps that were not selected made in earlier runs."""
        wanted = state.loaded.plan.reused_outputs()
        if any(step not in state.lent for step in wanted):
            found = find_reused(state.loaded.plan, self._subject.runs_dir)
            state.lend(found.steps)
            for remark in found.remarks:
                self._teller.remark(remark)

    def _gone(self, state: State, plan: Plan) -> list[str]:
        """Steps whose outputs are not as they were left, by names and sizes: they run again.

        Raises UsageError for one that was not selected and so cannot.
        """
        gone = []
        for step in plan.reused_outputs():
            try:
                verify(state.lent[step], limit=0)
            except (UsageError, EnvironmentFault) as error:
                if step not in state.loaded.plan.names:
                    state.outdated([step])
                    raise
                self._teller.remark(Remark(step, f"runs again: {error.message}"))
                gone.append(step)
        return gone

    def _execute(self, state: State, plan: Plan, lent: Reuse) -> None:
        state.started(plan)
        finished: RunFinished | None = None
        try:
            finished = self._conduct(plan, lent, self._begun)
        finally:
            with self._lock:
                run, self._run = self._run, None
            if run is not None and run.directory is not None and finished is not None:
                state.ended(finished, run.directory)
            self._absorb(state, run)
        self._code = finished.exit_code
        self._interrupted = finished.status == ending.status(128 + signal.SIGINT)  # not by a change

    def _begun(self, run: Run) -> None:
        with self._lock:
            self._run = run
            for batch in self._pending:
                self._retire(run, batch)
        if self._signum is not None:  # it came while there was no run to stop
            run.cancel(self._signum)

    def _absorb(self, state: State, run: Run | None) -> None:
        """Steps that changed while a run went on are outdated, but for those that it started after that."""
        with self._lock:
            for batch in self._pending:
                self._absorbed = batch.number
                steps = {step for change in batch.changes for step in change.item.steps}
                state.outdated(step for step in steps if run is None or not run.took_in(batch.number, step))

    # -- changes

    def _await(self) -> list[_Batch]:
        """The next changes, which may have come already; none once the end is asked for. Here, with everything up to
        date, is the time to make ready what the next run will need."""
        with self._lock:
            come = bool(self._pending)
        if not come and self._signum is None:
            files = self._files
            self._teller.waits(Waiting(files.count, files.polled, files.interval, self._code or 0))
        while self._signum is None:
            if self._fault is not None:
                raise self._fault
            with self._lock:
                batches, self._pending = self._pending, []
            if batches:
                if self._state is not None:
                    idle = [change for batch in batches if batch.number > self._absorbed for change in batch.changes]
                    self._state.outdated(step for change in idle for step in change.item.steps)
                return batches
            self._inbox.get()
        return []

    def _listen(self) -> None:
        """A thread of its own, from start to end."""
        try:
            for changes in self._files.changes():
                with self._lock:
                    self._count += 1
                    batch = _Batch(self._count, changes)
                    self._pending.append(batch)
                    if self._run is not None:
                        self._retire(self._run, batch)
                self._inbox.put(None)
        except BaseException as error:
            self._fault = error
            run = self._run
            if run is not None:
                run.cancel(signal.SIGTERM)
            self._inbox.put(None)

    def _retire(self, run: Run, batch: _Batch) -> None:
        """Tell the run of what changed in it."""
        edited: dict[str, str] = {}
        doomed: dict[str, str] = {}
        for change in batch.changes:
            if not change.item.steps:
                doomed |= dict.fromkeys(self._redefined(), str(change))
            for step in change.item.steps:
                if step not in run.plan.names:  # it lends its outputs: what takes them is stale
                    doomed |= dict.fromkeys(run.plan.after(step), f"it runs on '{step}', and {change}")
                else:
                    (doomed if change.gone else edited)[step] = str(change)
        run.retire(batch.number, edited, doomed)

    def _redefined(self) -> tuple[str, ...]:
        """Steps that the files define otherwise than the run does; none while they cannot be loaded."""
        if self._state is None:
            return ()
        try:
            return redefined(self._state.loaded, self._subject.loaded())
        except UsageError:
            return ()  # the next round tells it


def _redefines(change: Change) -> bool:
    """Whether the pipeline itself may be another, or one that cannot run. Archives are looked into as it is loaded."""
    return not change.item.steps or change.gone or change.new or is_archive(change.item.path.name)
