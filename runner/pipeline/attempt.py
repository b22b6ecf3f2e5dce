"""One step's life: files laid out, container prepared, run, judged, removed. Runs in a worker thread.

1. What was prepared is removed, whatever happens in between.
2. Nothing that goes wrong after the verdict changes it: a failed clean-up is a notice.
3. No container runs after a stop was asked for.
4. The result is written before it is told, and told before the removal, which takes about a tenth of a short step's
   time: what comes next need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from runner.data.files import json_bytes, os_fault, remove_tree
from runner.engine.base import Container, Engine, Image, Outcome, StopReason, Verdict
from runner.errors import EngineLost, EngineUnavailable, EnvironmentFault
from runner.pipeline.binding import Bound, Sources, bind
from runner.pipeline.events import Event, Notice, StepResult, StepStarted, StepState
from runner.pipeline.outbox import Log, Outbox
from runner.pipeline.plan import PlannedStep
from runner.pipeline.rundir import now
from runner.pipeline.settle import infrastructure, settle, write_result
from runner.pipeline.stops import Stops


@dataclass(frozen=True, slots=True)
class Prepared:
    """A container that waits for its go."""

    bound: Bound
    container: Container


@dataclass(frozen=True, slots=True)
class Ended:
    """A step's end as its worker tells it. `engine_gone`: nothing more can run; says why, else empty."""

    result: StepResult
    engine_gone: str = ""


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

    def notice(self, step: str | None, message: str) -> None:
        self.post(Notice(at=now(), step=step, message=message))

    def prepare(self, planned: PlannedStep) -> Prepared:
        """Lay out the files and make the container. Raises EnvironmentFault; then there is no container."""
        bound = bind(planned, self.images[planned.job.image], self.sources, trace=self.trace)
        return Prepared(bound, self.engine.prepare(bound.launch))

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
    EnvironmentFault. `tell` hears the end, once."""
    image = shop.images[planned.job.image]
    base = StepResult(
        step=planned.name,
        state=StepState.FAILED,
        verdict=None,
        reason="",
        image=planned.job.image,
        image_id=image.id,
        directory=f"steps/{planned.name}",
    )
    layout = shop.sources.run.layout.step(planned.name)
    try:
        prepared = obtain()
    except EnvironmentFault as error:
        result = write_result(layout, infrastructure(replace(base, finished_at=now()), str(error)))
        gone = str(error) if isinstance(error, EngineLost | EngineUnavailable) else ""
        tell(Ended(result, gone))
        return
    known = replace(
        base, container_id=prepared.container.id, mode=str(prepared.container.mode), warnings=prepared.bound.warnings
    )
    try:
        result = _go(shop, prepared, known)
        tell(Ended(result, _engine_gone(shop, result)))
    finally:
        shop.stops.discard(prepared.container)
        shop.remove(prepared)
    _tidy(shop, prepared, result)


def _go(shop: Workshop, prepared: Prepared, base: StepResult) -> StepResult:
    bound, container = prepared.bound, prepared.container
    layout, step = bound.layout, base.step
    if not shop.stops.add(container):
        reason = "the run was stopped before its script started"
        return write_result(layout, replace(base, verdict=Verdict.CANCELLED, reason=reason, finished_at=now()))
    try:
        layout.inputs_manifest.write_bytes(json_bytes(bound.inputs_document(shop.sources)))
        out = Log(layout.stdout, lambda data: shop.outbox.put(step, "stdout", data))
        with out, Log(layout.stderr, lambda data: shop.outbox.put(step, "stderr", data)) as err:
            shop.post(StepStarted(at=now(), step=step, mode=base.mode, image=base.image))
            outcome = _run(container, out, err)
    except OSError as error:
        return write_result(layout, infrastructure(base, str(os_fault(error, layout.root, "cannot start the step"))))
    return settle(shop.engine, bound, outcome, base, (out, err), lambda: shop.stops.asked)


def _run(container: Container, out: Log, err: Log) -> Outcome:
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
        )


def _tidy(shop: Workshop, prepared: Prepared, result: StepResult) -> None:
    """After a pass nothing is left in `attempt/` but what was packed into an archive."""
    attempt = prepared.bound.layout.attempt
    if result.verdict is Verdict.PASSED:
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
