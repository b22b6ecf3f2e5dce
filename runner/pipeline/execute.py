"""`Run`: a plan, executed in a run directory of its own."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.data.files import json_bytes, os_fault, printable
from runner.engine.base import Engine, EngineInfo
from runner.errors import EXIT_ENVIRONMENT, EXIT_INTERNAL, EXIT_PASSED, InternalError, RunnerError, WorkspaceError
from runner.pipeline import ending, rundir, stops
from runner.pipeline.attempt import Workshop
from runner.pipeline.broadcast import Broadcast, Reporter, complain
from runner.pipeline.cache.lookup import open_cache
from runner.pipeline.cache.messages import Options
from runner.pipeline.drive import Cancelled, Driver, Inbox, Retire, Woken
from runner.pipeline.events import Notice, RunFinished, RunStarted, StepResult, StepState
from runner.pipeline.fitting import Fitted, Present, fit
from runner.pipeline.materials import Sources
from runner.pipeline.outbox import Outbox
from runner.pipeline.plan import Plan
from runner.pipeline.records import plain
from runner.pipeline.reuse import Reuse, find_reused
from runner.pipeline.rundir import RunDirectory, now
from runner.pipeline.schedule import Capacity, Schedule


class Run:
    """One execution of a plan, once.

    1. What cannot work is refused before anything is made: the engine, the images, the capacity, the commands, the
       outputs of earlier runs, the directory.
    2. Whatever happens then, every container is removed before `execute` returns or raises.
    3. `run.json` says `running` with its owner until the end, and then how it ended.
    4. Without `cache` every step runs, and nothing is kept.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        *,
        runs_dir: Path,
        jobs: int = 1,
        keep_going: bool = False,
        reporters: Sequence[Reporter] = (),
        trace: bool = True,
        lent: Reuse | None = None,
        present: Present | None = None,
        cache: Options | None = None,
    ) -> None:
        """`lent`: what earlier runs lend to this one, where the caller knows it; else it is looked for, and told.
        `present`: images that the caller has looked up a moment ago."""
        self._present = present
        self._plan, self._engine, self._runs_dir = plan, engine, runs_dir
        self._jobs, self._keep_going, self._reporters = jobs, keep_going, tuple(reporters)
        self._trace, self._lent, self._cache = trace, lent, cache
        self._driver: Driver | None = None
        self.directory: RunDirectory | None = None
        """Once it has begun."""
        self._inbox: Inbox = SimpleQueue()
        self._signals: SimpleQueue[int | None] = SimpleQueue()
        self._began = time.monotonic()
        self._head: dict[str, Any] = {}

    @property
    def plan(self) -> Plan:
        """What is run; once it has begun, as this machine can run it."""
        return self._plan

    def cancel(self, signum: int) -> None:
        """Stop the run; may be called from a signal handler or any thread, and returns at once.

        The first call gives scripts `stops.GRACE` (1) seconds after SIGTERM, a second one none. A step's `stop_grace`
        does not count here: it is for time-outs.
        """
        self._signals.put(signum)
        self._inbox.put(Cancelled(signum))

    def retire(self, change: int, edited: Mapping[str, str], doomed: Mapping[str, str]) -> None:
        """Steps changed: stop what is stale, and let the rest go on; from any thread, and returns at once.

        By step: what changed, in words that go on after "stopped while it ran: ". An `edited` step that has not started
        starts with the change, and `took_in` says so later; a `doomed` one does not start. Names of steps that are not
        in the plan are passed over.
        """
        self._inbox.put(Retire(change, edited, doomed))

    def took_in(self, change: int, step: str) -> bool:
        """Whether the step was started after that change was told, and so with it. Asked when the run has ended."""
        return self._driver is not None and (change, step) in self._driver.fresh

    def execute(self) -> RunFinished:
        """Run all steps. A failed step is no exception: see `RunFinished.exit_code`.

        Raises EnvironmentFault or UsageError before anything starts, InternalError for a fault of this tool.
        """
        if self._cache is not None:
            self._cache.check(self._plan.names)
        info = self._engine.info()
        self._plan.check_capacity(info.cpus, info.memory)
        fitted = fit(self._plan, self._engine, info, self._present)
        fitted.plan.check_commands(fitted.images)
        self._plan = fitted.plan
        reuse = find_reused(self._plan, self._runs_dir) if self._lent is None else self._lent
        run = self.directory = rundir.create(self._runs_dir)
        broadcast = self._open(run, info, reuse)
        try:
            return self._run(run, info, fitted, reuse, broadcast)
        finally:
            broadcast.close()
            broadcast.finish(None)

    def _open(self, run: RunDirectory, info: EngineInfo, reuse: Reuse) -> Broadcast:
        """The files of the run itself. Raises WorkspaceError."""
        self._began = time.monotonic()
        self._head = {
            "pipeline": self._plan.pipeline,
            "file": str(self._plan.file),
            "owner": rundir.owner(),
            "started_at": now(),
            "jobs": self._jobs,
            "keep_going": self._keep_going,
            "steps": list(self._plan.names),
            "warnings": plain(self._plan.remarks),
            "engine": plain(info),
        }
        try:
            run.write_state({**self._head, "status": "running"})
            run.layout.plan_json.write_bytes(json_bytes({**self._plan.to_json(), "reused": reuse.to_json()}))
            run.layout.copy_of(self._plan.file).write_bytes(self._plan.source_text)
            rundir.point_latest(run)
            return Broadcast(self._reporters, run.layout.events)
        except OSError as error:
            raise os_fault(error, run.layout.root, "cannot begin a run") from error
        except WorkspaceError:
            self._write_end(run, EXIT_ENVIRONMENT, ())
            raise

    def _run(
        self,
        run: RunDirectory,
        info: EngineInfo,
        fitted: Fitted,
        reuse: Reuse,
        broadcast: Broadcast,
    ) -> RunFinished:
        outbox = Outbox(lambda: self._inbox.put(Woken()))
        live = stops.Stops(lambda text: self._inbox.put(Notice(at=now(), step=None, message=text)))
        sources = Sources(run, reuse.steps)
        secretive = any(step.job.credentials != "none" for step in self._plan.steps)
        shop = Workshop(self._engine, fitted.images, sources, live, outbox, self._inbox.put, self._trace, secretive)
        capacity = Capacity(info.cpus, info.memory, self._jobs)
        schedule = Schedule([step.task for step in self._plan.steps], capacity, keep_going=self._keep_going)
        cache = open_cache(self._cache, shop, self._inbox.put) if self._cache is not None else None
        driver = self._driver = Driver(self._plan, schedule, shop, broadcast, self._inbox, cache)
        self._announce(run, fitted, reuse, broadcast)
        stopper = threading.Thread(target=self._stop_on_signals, args=(live, outbox), name="stopper", daemon=True)
        stopper.start()
        try:
            driver.drive()
        except BaseException as error:
            self._write_end(run, EXIT_INTERNAL, tuple(driver.results.values()))
            if isinstance(error, Exception) and not isinstance(error, RunnerError):
                raise _internal(error) from error
            raise
        finally:
            self._signals.put(None)
            stopper.join()
        return self._end(run, driver, broadcast)

    def _announce(self, run: RunDirectory, fitted: Fitted, reuse: Reuse, broadcast: Broadcast) -> None:
        plan = self._plan
        broadcast.emit(
            RunStarted(
                at=self._head["started_at"],
                run_id=run.run_id,
                run_dir=run.layout.root,
                pipeline=plan.pipeline,
                file=plan.file,
                steps=plan.names,
                jobs=self._jobs,
            )
        )
        for problem in plan.remarks:
            broadcast.emit(Notice(at=now(), step=None, message=str(problem), problem=problem))
        for about, warning in fitted.notices():
            broadcast.emit(Notice(at=now(), step=about, message=warning))
        for step, found in reuse.steps.items() if self._lent is None else ():
            text = f"does not run: its outputs come from run {found.run_id}"
            broadcast.emit(Notice(at=now(), step=step, message=text))
        for remark in reuse.remarks:
            broadcast.emit(Notice(at=now(), step=remark.step, message=str(remark)))

    def _stop_on_signals(self, live: stops.Stops, outbox: Outbox) -> None:
        """A thread of its own: a reporter that blocks the main one must not keep containers alive."""
        grace = stops.GRACE
        while self._signals.get() is not None:
            outbox.release()
            live.stop_all(grace)
            grace = 0.0

    def _end(self, run: RunDirectory, driver: Driver, broadcast: Broadcast) -> RunFinished:
        results = tuple(driver.results[name] for name in self._plan.names)
        crashed = EXIT_INTERNAL if driver.crash is not None else None
        whole = all(result.state is StepState.PASSED for result in results)  # what was to be stopped was faster
        superseded = driver.superseded and not whole and driver.signum is None and crashed is None
        signum = signal.SIGINT if superseded else driver.signum

        def code() -> int:
            return crashed or ending.exit_code(results, signum=signum, fault=broadcast.fault)

        def status() -> str:
            return ending.SUPERSEDED if superseded else ending.status(code())

        broadcast.fault = max(broadcast.fault, self._write_end(run, code(), results, status()))
        finished = RunFinished(
            at=now(),
            run_id=run.run_id,
            exit_code=code(),
            status=status(),
            results=results,
            seconds=time.monotonic() - self._began,
        )
        broadcast.emit(finished)
        broadcast.close()
        if code() != finished.exit_code:  # a reporter failed at the very end
            finished = dataclasses.replace(finished, exit_code=code(), status=status())
            self._write_end(run, code(), results, status())
        broadcast.finish(finished)
        if driver.crash is not None:
            raise _internal(driver.crash) from driver.crash
        return finished

    def _write_end(self, run: RunDirectory, code: int, results: Sequence[StepResult], status: str = "") -> int:
        """The final `run.json`; returns the exit code that a failure to write it calls for."""
        end = {
            "status": status or ending.status(code),
            "exit_code": code,
            "finished_at": now(),
            "seconds": round(time.monotonic() - self._began, 3),
            "results": plain(tuple(results)),
        }
        try:
            run.write_state({**self._head, **end})
        except OSError as error:
            complain(str(os_fault(error, run.layout.run_json, f"cannot write how run {run.run_id} ended")))
            return EXIT_ENVIRONMENT
        return EXIT_PASSED


def _internal(error: BaseException) -> InternalError:
    return InternalError(f"{type(error).__name__}: {printable(str(error))}", remedy="please report it")
