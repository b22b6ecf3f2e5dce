"""`watch`: run a pipeline, and after each save again what the save affects."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.interrupts import Interrupts
from runner.cli.options import (
    color_option,
    command,
    file_argument,
    jobs_option,
    keep_going_option,
    no_trace_option,
    no_warm_option,
    runs_dir_option,
    selection_options,
    specs_option,
    strict_option,
)
from runner.cli.output import Patient, note, stdout, wants_color
from runner.cli.request import Request
from runner.cli.session import (
    Display,
    Pace,
    Reporter,
    make_run,
    open_engine,
    person_for,
    provide_images,
    stock,
    stopping_told,
    sweep,
)
from runner.errors import EnvironmentFault, RunnerError, SpecError

if TYPE_CHECKING:
    from runner.engine.docker import DockerEngine
    from runner.pipeline.events import RunFinished
    from runner.pipeline.execute import Run
    from runner.pipeline.plan import Plan
    from runner.pipeline.reuse import Remark, Reuse
    from runner.pipeline.watch_files import Change
    from runner.pipeline.watch_parts import Subject, Teller, Waiting


@command("run-pipeline watch pipeline.yaml\nrun-pipeline watch pipeline.yaml --from Train --keep-going")
@file_argument
@selection_options
@jobs_option
@keep_going_option
@no_trace_option
@no_warm_option
@click.option("-q", "--quiet", is_flag=True, help="Show failures and the last line of each run only.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the steps write, as they do.")
@click.option(
    "--poll",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Look at the files every so many seconds, where the kernel cannot tell of saves.",
)
@click.option(
    "--json-lines", is_flag=True, help="Print one JSON line per event on stdout; what people read goes to stderr."
)
@color_option
@runs_dir_option
@specs_option
@strict_option
def watch(
    file: Path,
    jobs: int | None,
    keep_going: bool,
    no_trace: bool,
    no_warm: bool,
    quiet: bool,
    verbose: bool,
    poll: float | None,
    json_lines: bool,
    color: str,
    runs_dir: Path,
    **choice: Any,
) -> int:
    """Run the steps of FILE, then again what each save of its files affects, until Ctrl-C.

    Watched are FILE, its specs, and the scripts, source directories, host inputs and schemas of the steps. A changed
    step runs again with all that need it and all that have not passed; the others keep their outputs. What a save in
    the middle of a run makes stale is stopped. Content counts: `touch` is no change.

    Exit code: that of the last run, if Ctrl-C comes while nothing runs; else 130.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other: choose one")
    from runner.engine.pool.channel import enabled as pool_enabled

    display = Display(int(verbose) - int(quiet), color, json_lines, None)
    warm = not no_warm and pool_enabled()
    pace = Pace(runs_dir, jobs or os.cpu_count() or 1, keep_going, not no_trace, warm)
    request = Request(file, **choice)
    with Interrupts() as interrupts:
        _refuse_hopeless(request)
        with open_engine(warm=pace.warm) as engine:
            sweep(engine, quiet=quiet)
            return _watch(request, display, pace, engine, poll, interrupts)


def _refuse_hopeless(request: Request) -> None:
    """A wrong word on the command line is told at once, since no save will mend it; a wrong file is waited for."""
    try:
        pipeline = request.load()
    except SpecError:
        if not request.file.is_file() or (request.specs is not None and not request.specs.exists()):
            raise
    else:
        request.choose(pipeline.spec)


def _watch(
    request: Request, display: Display, pace: Pace, engine: DockerEngine, poll: float | None, interrupts: Interrupts
) -> int:
    from runner.pipeline.watch import Watcher
    from runner.pipeline.watch_files import Files
    from runner.spec.document import absolute

    files = Files(absolute(request.file).parent, [pace.runs_dir], poll=poll)
    told = _tellers(display)
    runs = _Runs(engine, display, pace, told.programs)
    watcher = Watcher(_subject(request, pace), files, runs, told)

    def stop(signum: int) -> None:
        watcher.cancel(signum)
        runs.tell(signum)

    interrupts.deliver_to(stop)
    return watcher.watch()


def _subject(request: Request, pace: Pace) -> Subject:
    from runner.pipeline.watch_parts import Subject

    return Subject(request.file, request.specs, pace.runs_dir, request.load, request.choose)


def _silent(_: int) -> None:
    """No run is there to be stopped."""


@dataclass
class _Runs:
    """Conducts one run after the other."""

    engine: DockerEngine
    display: Display
    pace: Pace
    programs: Sequence[Reporter]
    tell: Callable[[int], None] = _silent
    """Tells of a signal, while there is a run."""
    present: set[tuple[str, bool]] = field(default_factory=set)
    """Images that were there, or were made, once."""

    def __call__(self, plan: Plan, lent: Reuse, begun: Callable[[Run], None]) -> RunFinished:
        wanted = {(step.job.image, step.job.serves) for step in plan.steps}
        if not wanted <= self.present:
            provide_images(self.engine, plan, quiet=self.display.verbosity < 0)
            self.present |= wanted
        person = person_for(self.display)
        run = make_run(plan, self.engine, self.pace, [person, *self.programs], lent=lent)
        with stopping_told(person) as tell:
            self.tell = tell
            begun(run)
            try:
                return run.execute()
            except EnvironmentFault:  # an image may be gone
                self.present.clear()
                raise
            finally:
                self.tell = _silent
                if run.directory is not None:
                    self.engine.release(run.directory.run_id)
                if self.pace.warm:
                    stock(self.engine)


class _Tellers:
    """A person and, with `--json-lines`, a program. What is refused is told on stderr, as `run` tells it."""

    def __init__(self, person: Teller, program: Teller | None, programs: Sequence[Reporter]) -> None:
        self._all = [person, *([program] if program is not None else [])]
        self.programs = programs

    def changed(self, changes: Sequence[Change]) -> None:
        for each in self._all:
            each.changed(changes)

    def runs(self, run: Sequence[str], keep: Sequence[str]) -> None:
        for each in self._all:
            each.runs(run, keep)

    def refused(self, error: RunnerError) -> None:
        from runner.cli.failure import text

        note(text(error))
        for each in self._all[1:]:
            each.refused(error)

    def remark(self, remark: Remark) -> None:
        for each in self._all:
            each.remark(remark)

    def waits(self, waiting: Waiting) -> None:
        for each in self._all:
            each.waits(waiting)


def _tellers(display: Display) -> _Tellers:
    from runner.report.watching import WatchJson, WatchLines

    stream: Any = Patient(sys.stderr, 2) if display.as_json else stdout()
    person = WatchLines(stream, verbosity=display.verbosity, color=wants_color(display.color, stream))
    program = WatchJson(stdout()) if display.as_json else None
    return _Tellers(person, program, [program] if program is not None else [])
