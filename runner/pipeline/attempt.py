"""One step's life: files laid out, container prepared, run, judged, removed. Runs in a worker thread.

1. What was prepared is removed, whatever happens in between.
2. Nothing that goes wrong after the verdict changes it: a failed clean-up is a notice.
3. No container runs after a stop was asked for.
4. The result is written before it is told, and told before the container's end is confirmed and it is removed, which
   takes about a tenth of a second: what comes next need not wait for it (see `lull.py`). A result that is not confirmed
   is told again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.data.files import json_bytes, os_fault, remove_tree
from runner.data.reading import Stopped
from runner.data.shards import deal
from runner.engine.base import Container, Engine, Image, Installation, Launch, Outcome, Sink, StopReason, Verdict
from runner.engine.creation import identities
from runner.engine.credentials import host_credentials
from runner.engine.masking import masking
from runner.errors import (
    Abandoned,
    EngineLost,
    EngineUnavailable,
    EnvironmentFault,
    InternalError,
    RequirementsError,
)
from runner.pipeline.binding import Bound, bind
from runner.pipeline.confirming import amended, confirmed, made_durable, record
from runner.pipeline.events import Event, Notice, StepResult, StepStarted, StepState
from runner.pipeline.expecting import findings
from runner.pipeline.lull import Lull
from runner.pipeline.materials import Sources
from runner.pipeline.outbox import Log, Outbox
from runner.pipeline.plan import PlannedStep
from runner.pipeline.requirements import explained, not_installed
from runner.pipeline.rundir import now
from runner.pipeline.settle import infrastructure, settle, write_result
from runner.pipeline.stops import Stops
from runner.sagemaker.job import ContainerJob

_STOPPED = "the run was stopped before its script started"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A container that waits for its go."""

    bound: Bound
    container: Container
    places: tuple[tuple[int, int], ...] = ()
    """What the container has mounted: see `engine.creation.identities`."""

    @property
    def is_current(self) -> bool:
        """Whether these are still the directories that their paths name."""
        return self.places == identities(self.bound.launch)


@dataclass(frozen=True, slots=True)
class Ended:
    """A step's end as its worker tells it. `engine_gone`: nothing more can run; says why, else empty."""

    result: StepResult
    engine_gone: str = ""


@dataclass(frozen=True, slots=True)
class Amended(Ended):
    """What was told of a step's end was not the last word; this is."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every worker needs. All of it may be used from any thread."""

    engine: Engine
    images: Mapping[str, Image]
    sources: Sources
    stops: Stops
    outbox: Outbox
    post: Callable[[Event], None]
    trace: bool = True
    """Whether to watch what scripts do."""
    secretive: bool = False
    """Whether any step of the run has credentials."""
    lull: Lull = field(default_factory=Lull)

    def notice(self, step: str | None, message: str) -> None:
        self.post(Notice(at=now(), step=step, message=message))

    def prepare(self, planned: PlannedStep) -> Prepared:
        """Lay out the files and make the container. Raises EnvironmentFault or RequirementsError; then there is no
        container."""
        bound = bind(planned, self.images[planned.job.image], self.sources, self._collect, trace=self.trace)
        if planned.job.credentials != "none":  # asked for each time: they may have been renewed since
            bound = replace(bound, launch=_with_credentials(bound.launch))
        if self.secretive:
            bound = replace(bound, secrets=bound.launch.credentials or host_credentials())
        places = identities(bound.launch)
        return Prepared(bound, self.engine.prepare(bound.launch), places)

    def _collect(self, job: ContainerJob, image: Image, code: Path) -> Path:
        """What the code's `requirements.txt` asks for."""
        return self.engine.collect(
            Installation.of(
                job,
                image,
                code,
                self.sources.run.run_id,
                stopped=lambda: self.stops.asked(job.step),
                tell=lambda message: self.notice(job.step, message),
            )
        )

    def discard(self, prepared: Prepared) -> None:
        """Take back what was prepared and never ran, its files too."""
        try:
            prepared.container.stop(StopReason.CANCELLED, 0)
        except EnvironmentFault as error:
            self.notice(prepared.bound.launch.job.step, f"cannot stop a container that is not needed: {error}")
        finally:
            self.remove(prepared)
        self.forget(prepared.bound.launch.job.step)

    def forget(self, step: str) -> None:
        """Remove the files of a step that did not start."""
        layout = self.sources.run.layout.step(step)
        try:
            remove_tree(layout.root)
        except OSError as error:
            self.notice(step, str(os_fault(error, layout.root, "cannot remove the files of a step that did not start")))

    def remove(self, prepared: Prepared) -> None:
        """`Container.remove` promises not to raise; if it does, that is a notice and nothing else."""
        try:
            prepared.container.remove()
        except Exception as error:
            container = prepared.container.id
            self.notice(prepared.bound.launch.job.step, f"cannot remove container {container}: {error}")


def run_step(
    shop: Workshop, planned: PlannedStep, obtain: Callable[[], Prepared], tell: Callable[[Ended], None]
) -> None:
    """Run a step to its end; returns when its container is removed. `obtain` gives the prepared container, or raises
    EnvironmentFault or RequirementsError. `tell` hears the end, and once more where that was not the last word. Raises
    InternalError when the end was a fault of this tool."""
    image = shop.images[planned.job.image]
    base = StepResult(
        step=planned.name,
        state=StepState.FAILED,
        verdict=None,
        reason="",
        image=planned.job.image,
        image_id=image.id,
        directory=f"steps/{planned.name}",
        warnings=planned.warnings,
    )
    layout = shop.sources.run.layout.step(planned.name)
    try:
        prepared = obtain()
    except RequirementsError as error:
        tell(Ended(not_installed(layout, replace(base, finished_at=now()), error)))
        return
    except Abandoned as error:
        tell(
            Ended(
                write_result(
                    layout,
                    replace(
                        base, verdict=Verdict.CANCELLED, reason=_why(shop, base.step, str(error)), finished_at=now()
                    ),
                )
            )
        )
        return
    except EnvironmentFault as error:
        result = write_result(layout, infrastructure(replace(base, finished_at=now()), error))
        gone = str(error) if isinstance(error, EngineLost | EngineUnavailable) else ""
        tell(Ended(result, gone))
        return
    known = replace(
        base, container_id=prepared.container.id, mode=str(prepared.container.mode), warnings=prepared.bound.warnings
    )
    try:
        result, outcome = _go(shop, planned, prepared, known)
        tell(Ended(result, _engine_gone(shop, result)))
        shop.stops.discard(prepared.container)
        shop.lull.wait()
        if outcome is not None:
            result = _confirm(shop, prepared, result, outcome, tell)
    finally:
        shop.stops.discard(prepared.container)
        shop.remove(prepared)
    _tidy(shop, prepared, result)


def _confirm(
    shop: Workshop, prepared: Prepared, told: StepResult, outcome: Outcome, tell: Callable[[Ended], None]
) -> StepResult:
    bound = prepared.bound
    late = record(bound, outcome, shop.sources)
    last = made_durable(bound, told, confirmed(prepared.container, outcome))
    result = amended(bound, told, outcome, last, late)
    if result is not told:
        tell(Amended(result, _engine_gone(shop, result)))
    if last.own_fault:
        raise InternalError(f"step '{told.step}': {last.reason}")
    return result


def _go(
    shop: Workshop, planned: PlannedStep, prepared: Prepared, base: StepResult
) -> tuple[StepResult, Outcome | None]:
    """The result, and how the container ended; None when it did not run."""
    bound, container = prepared.bound, prepared.container
    layout, step = bound.layout, base.step
    if not shop.stops.add(step, container):
        stopped = replace(base, verdict=Verdict.CANCELLED, reason=_why(shop, step, _STOPPED), finished_at=now())
        return write_result(layout, stopped), None
    try:
        layout.inputs_manifest.write_bytes(json_bytes(bound.inputs_document(shop.sources)))
        dealt = [text for share in bound.undealt for text in deal(share)]
        base = replace(base, warnings=(*base.warnings, *dealt))
        if planned.expected:
            base = _examined(shop, planned, bound, base)
            if base.verdict is not None:
                return write_result(layout, replace(base, finished_at=now())), None
        out = Log(layout.stdout, lambda data: shop.outbox.put(step, "stdout", data))
        with out, Log(layout.stderr, lambda data: shop.outbox.put(step, "stderr", data)) as err:
            shop.post(StepStarted(at=now(), step=step, mode=base.mode, image=base.image))
            with masking(bound.launch.credentials, out, err) as (stdout, stderr):
                outcome = _named(shop, step, _run(container, stdout, stderr))
        outcome = explained(bound, outcome)
    except OSError as error:
        return write_result(layout, infrastructure(base, os_fault(error, layout.root, "cannot start the step"))), None
    return settle(shop.engine, bound, outcome, base, (out, err), lambda: shop.stops.asked(step)), outcome


def _why(shop: Workshop, step: str, otherwise: str) -> str:
    """The reason of a step that did not start since it, or everything, was to stop."""
    why = shop.stops.why(step)
    return f"stopped before its script started: {why}" if why else otherwise


def _named(shop: Workshop, step: str, outcome: Outcome) -> Outcome:
    """The engine knows that the container was stopped, not that this step alone was, and why."""
    why = shop.stops.why(step)
    if not why or outcome.verdict is not Verdict.CANCELLED:
        return outcome
    return replace(outcome, reason=f"stopped while it ran: {why}")


def _examined(shop: Workshop, planned: PlannedStep, bound: Bound, base: StepResult) -> StepResult:
    """The result so far: with a verdict, where the inputs are such that the script must not start. Raises OSError."""
    hosts = {item.name: item.host for item in bound.launch.inputs}
    try:
        found = findings(planned.expected, hosts, lambda: shop.stops.asked(base.step))
    except Stopped:
        return replace(base, verdict=Verdict.CANCELLED, reason=_why(shop, base.step, _STOPPED))
    verdict = Verdict.INVALID_INPUT if found.reason else None
    return replace(base, verdict=verdict, reason=found.reason, warnings=(*base.warnings, *found.warnings))


def _with_credentials(launch: Launch) -> Launch:
    found = host_credentials()
    members = tuple(replace(member, credentials=found) for member in launch.members)
    return replace(launch, credentials=found, members=members)


def _run(container: Container, out: Sink, err: Sink) -> Outcome:
    """The engine promises an outcome; a fault that it raises instead is one, too."""
    try:
        return container.run(out, err)
    except EnvironmentFault as error:
        return Outcome(
            verdict=Verdict.INFRASTRUCTURE,
            exit_code=None,
            signal=None,
            reason=str(error),
            started_at=None,
            finished_at=now(),
            seconds=0.0,
            warnings=(error.remedy,) if error.remedy else (),
        )


def _tidy(shop: Workshop, prepared: Prepared, result: StepResult) -> None:
    """After a pass nothing is left in `attempt/` but what was packed into an archive."""
    layout = prepared.bound.layout
    hosts = [layout.host(member.job.hostname).attempt for member in prepared.bound.launch.members]
    for attempt in (layout.attempt, *hosts) if result.verdict is Verdict.PASSED else ():
        try:
            remove_tree(attempt)
        except OSError as error:
            shop.notice(result.step, str(os_fault(error, attempt, "cannot remove what is published already")))


def _engine_gone(shop: Workshop, result: StepResult) -> str:
    """After an infrastructure verdict: whether there is an engine at all, since then no other step needs to try."""
    if result.verdict is not Verdict.INFRASTRUCTURE:
        return ""
    try:
        shop.engine.info()
    except EnvironmentFault as error:
        return str(error)
    return ""
