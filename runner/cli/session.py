"""One run from plan to exit code: engine, left-overs, images, reporters, signals."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from runner.cli.output import Patient, note, say, stdout, wants_color
from runner.cli.unwritable import Unwritable

if TYPE_CHECKING:
    from runner.cli.interrupts import Interrupts
    from runner.engine.base import Engine
    from runner.engine.docker import DockerEngine
    from runner.pipeline.cache.messages import Options
    from runner.pipeline.events import Event
    from runner.pipeline.execute import Run
    from runner.pipeline.fitting import Present
    from runner.pipeline.plan import Plan
    from runner.pipeline.reuse import Reuse
    from runner.report.junit import JUnitFile


class Reporter(Protocol):
    def handle(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Person(Reporter, Protocol):
    """A reporter for someone who can press Ctrl-C again."""

    def stopping(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Display:
    """How the run is told. `verbosity` is -1, 0 or 1 (`-q`, neither, `-v`)."""

    verbosity: int
    color: str
    as_json: bool
    junit: JUnitFile | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How the steps are run."""

    runs_dir: Path
    jobs: int
    keep_going: bool
    trace: bool = True
    warm: bool = False
    """Whether to take containers from the pool, and to leave some for the next run."""
    cache: Options | None = None


@contextmanager
def open_engine(*, warm: bool = False) -> Iterator[DockerEngine]:
    """The engine of this machine, closed at the end; with `warm` it takes from the pool. Raises EngineUnavailable."""
    from runner import engine

    if warm:
        from runner.cli.warmth import link

        connected = engine.connect(link(), pooling=True)
    else:
        connected = engine.connect()
    try:
        yield connected
    finally:
        connected.close()


def run_plan(plan: Plan, display: Display, pace: Pace, interrupts: Interrupts) -> int:
    """Run a plan and tell it; returns the run's exit code.

    Raises EnvironmentFault when the run cannot begin, and Interrupted for a signal that comes before its first step.
    """
    document = io.StringIO()  # written to stdout at the end, so that there is never more than one
    with open_engine(warm=pace.warm) as engine, contextlib.ExitStack() as stack:
        stack.enter_context(sweeping(engine, quiet=display.verbosity < 0))
        present = provide_images(engine, plan, quiet=display.verbosity < 0)
        person = person_for(display)
        run = make_run(plan, engine, pace, [person, *programs(display, document)], present=present)
        with stopping_told(person) as tell:

            def stop(signum: int) -> None:
                run.cancel(signum)
                tell(signum)

            interrupts.deliver_to(stop)
            finished = run.execute()
        if pace.warm and not interrupts.received:
            stock(engine)
    if display.as_json:
        try:
            say(document.getvalue(), end="")
        except Unwritable as fault:  # weighs as a reporter's failure does: less than a failed step
            note(f"run-pipeline: {fault.message}")
            return finished.exit_code or fault.exit_code
    return finished.exit_code


def stock(engine: DockerEngine) -> None:
    """Have containers made for the next run. What is wrong with that is told; this run has ended."""
    from runner.cli.warmth import start_keeper
    from runner.errors import RunnerError

    try:
        if engine.share is not None:
            engine.share.stock(start_keeper)
    except RunnerError as error:
        note(f"no containers are kept for the next run: {error.message}; {error.remedy}")


def make_run(
    plan: Plan,
    engine: Engine,
    pace: Pace,
    reporters: Sequence[Reporter],
    *,
    lent: Reuse | None = None,
    present: Present | None = None,
) -> Run:
    """`lent` and `present` as for `Run`."""
    from runner.pipeline.execute import Run

    return Run(
        plan,
        engine,
        runs_dir=pace.runs_dir,
        jobs=pace.jobs,
        keep_going=pace.keep_going,
        reporters=reporters,
        trace=pace.trace,
        lent=lent,
        present=present,
        cache=pace.cache,
    )


@contextmanager
def stopping_told(person: Person) -> Iterator[Callable[[int], None]]:
    """Gives what tells of a signal: in a thread, since a signal handler must not wait for a reporter's lock, which the
    thread that it interrupts may hold."""
    signals: SimpleQueue[int | None] = SimpleQueue()
    crier = threading.Thread(target=_say_stopping, args=(person, signals), name="crier", daemon=True)
    crier.start()
    try:
        yield signals.put
    finally:
        signals.put(None)
        crier.join()


def _say_stopping(person: Person, signals: SimpleQueue[int | None]) -> None:
    """Tell of the first signal."""
    if signals.get() is not None:
        with contextlib.suppress(OSError, Unwritable):  # the run is being stopped, and its code says so
            person.stopping()


def programs(display: Display, document: io.StringIO) -> list[Reporter]:
    """Who else is told about the run: with `--json` a program, with `--junit` a CI server."""
    told: list[Reporter] = []
    if display.as_json:
        from runner.report.document import JsonDocument

        told.append(JsonDocument(document))
    if display.junit is not None:
        told.append(display.junit)
    return told


def person_for(display: Display) -> Person:
    """A live board in a terminal, else one line per event; on stderr when stdout belongs to the JSON document."""
    from runner.report.console import Board, live_possible
    from runner.report.lines import Lines

    stream: Any = Patient(sys.stderr, 2) if display.as_json else stdout()
    color = wants_color(display.color, stream)
    if display.verbosity == 0 and live_possible(stream):
        return Board(stream, color=color)
    return Lines(stream, verbosity=display.verbosity, color=color)


@contextmanager
def sweeping(engine: Engine, *, quiet: bool) -> Iterator[None]:
    """`sweep` beside what is done meanwhile; it is over, and told, at the end."""
    from runner.errors import EnvironmentFault

    notes: list[str] = []

    def work() -> None:
        try:
            sweep(engine, quiet=quiet, tell=notes.append)
        except EnvironmentFault as error:
            notes.append(f"what dead runs left on the engine could not be looked for: {error.message}")

    thread = threading.Thread(target=work, name="sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        for text in notes:
            note(text)


def sweep(engine: Engine, *, quiet: bool = False, tell: Callable[[str], None] = note) -> None:
    """Remove what runs left whose process is dead; says so in one line on stderr when there was something."""
    from runner.report.text import count

    dead = [leftover for leftover in engine.leftovers() if not leftover.owner_alive]
    if not dead:
        return
    kept = engine.sweep(dead)
    if not quiet:
        tell(f"removed {count(len(dead) - len(kept), 'leftover')} of dead runs from the engine")
    if kept:
        names = ", ".join(f"{leftover.kind} {leftover.name}" for leftover in kept)
        tell(f"the engine would not remove {names}; see `run-pipeline clean`")


def provide_images(engine: Engine, plan: Plan, *, quiet: bool) -> Present:
    """The progress goes to stderr. Raises ImageUnavailable."""
    from runner.pipeline import provision

    return provision.provide_images(engine, plan, _no_log if quiet else note)


def _no_log(_: str) -> None:
    """`-q`: a failed build carries its own log in its error."""
