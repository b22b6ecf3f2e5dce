"""A plan as this machine can run it: images that are here, limits that fit, credentials that exist.

1. What the user wrote out (`resources`, a mapping under `images`) is taken as written, or refused.
2. What SageMaker would have and this machine has not (the real image, the instance's size, its GPUs) is replaced by
   the nearest, and never without a word: in the step's warnings, and once in the run's output.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.engine.base import Engine, EngineInfo, Image, StartMode
from runner.engine.credentials import host_credentials
from runner.engine.standins import StandIn, stand_in
from runner.errors import EnvironmentFault, ImageUnavailable
from runner.pipeline.expecting import check_schemas
from runner.pipeline.plan import Plan, PlannedStep
from runner.pipeline.scripts import about_modules
from runner.sagemaker.job import ContainerJob
from runner.spec import instances


@dataclass(frozen=True, slots=True)
class Fitted:
    plan: Plan
    images: dict[str, Image]
    """By `ContainerJob.image` of the plan's steps."""

    def notices(self) -> Iterator[tuple[str | None, str]]:
        """Step and text of each warning; what is said of several steps is said once, with their names behind it."""
        steps: dict[str, list[str]] = {}
        for step in self.plan.steps:
            for warning in step.warnings:
                steps.setdefault(warning, []).append(step.name)
        for warning, names in steps.items():
            one = len(names) == 1
            yield (names[0], warning) if one else (None, f"{warning} (steps {', '.join(names)})")


def fit(plan: Plan, engine: Engine, info: EngineInfo) -> Fitted:
    """Decide all of it before anything starts. Raises ImageUnavailable and EnvironmentFault."""
    found: dict[str, tuple[Image, StandIn | None]] = {}
    for step in plan.steps:
        if step.job.image not in found:
            found[step.job.image] = present_image(engine, step.job.image)
    steps = tuple(_fitted(step, *found[step.job.image], info, engine) for step in plan.steps)
    images = {step.job.image: found[planned.job.image][0] for step, planned in zip(steps, plan.steps, strict=True)}
    _check_credentials(steps, images)
    check_schemas(steps)
    return Fitted(dataclasses.replace(plan, steps=steps), images)


def present_image(engine: Engine, reference: str) -> tuple[Image, StandIn | None]:
    """The image on the engine, or the one that stands for it. Raises ImageUnavailable."""
    try:
        return engine.image(reference), None
    except ImageUnavailable:
        stand = stand_in(reference)
        if stand is None:
            raise
        return engine.image(stand.image), stand


def place_of_image(plan: Plan, reference: str) -> str:
    """`pipeline.yaml:3: steps.Train.image: `, where the file names this image; without a line where it stands in
    another file."""
    steps = [step.name for step in plan.steps if step.job.image == reference]
    lines = plan.source_text.decode("utf-8", "replace").splitlines()
    at = next((f":{number}" for number, line in enumerate(lines, 1) if reference in line), "")
    return f"{plan.file}{at}: steps.{steps[0]}.image: " if steps else ""


def _fitted(step: PlannedStep, image: Image, stand: StandIn | None, info: EngineInfo, engine: Engine) -> PlannedStep:
    job = step.job
    warnings: list[str] = []
    if stand is not None:
        job = dataclasses.replace(job, image=stand.image)
        warnings.append(_stands(stand, image))
    job = _capped(job, info)
    warnings += [*_about_instance(step.job, job), *_about_credentials(job, image), *about_modules(job, image, engine)]
    asked = step.job if job != step.job else None
    return dataclasses.replace(step, job=job, asked=asked, warnings=tuple(warnings))


def _stands(stand: StandIn, image: Image) -> str:
    return (
        f"image {stand.asked.uri} is not here, '{stand.image}' stands for it: {stand.differs(image.python_version)}; "
        "pull the real one, or map it under `images:`"
    )


def _capped(job: ContainerJob, info: EngineInfo) -> ContainerJob:
    """What the instance type alone gives is no more than the machine has."""
    limits = job.limits
    if "cpus" in limits.of_instance and limits.cpus is not None:
        limits = dataclasses.replace(limits, cpus=min(limits.cpus, float(info.cpus)))
    if "memory" in limits.of_instance and limits.memory is not None:
        limits = dataclasses.replace(limits, memory=min(limits.memory, info.memory))
    return dataclasses.replace(job, limits=limits)


def _about_instance(asked: ContainerJob, job: ContainerJob) -> Iterator[str]:
    instance = instances.find(job.instance_type)
    if instance is None:
        return
    less = []
    if job.limits.cpus != asked.limits.cpus:
        less.append(f"{job.limits.cpus:g} of its {instance.cpus} CPUs")
    if job.limits.memory != asked.limits.memory:
        less.append(f"{_gib(job.limits.memory or 0)} of its {_gib(instance.memory)} GiB of memory")
    if less:
        yield f"{instance.name} is larger than this machine: limited to {' and '.join(less)}"
    number = instance.gpus or instance.neurons
    if number:
        what = "GPU" if instance.gpus else "Neuron device"
        some = f"{number} {what}{'s' * (number > 1)} ({instance.accelerator})"
        yield f"{instance.name} has {some}; the container has none"


def _about_credentials(job: ContainerJob, image: Image) -> Iterator[str]:
    if job.credentials == "none":
        return
    if job.network == "none":
        yield "AWS credentials without a network reach nothing: write `network: bridge`"
    if image.mode is StartMode.COLD:
        yield f"image '{job.image}' has no Python for the agent: `docker inspect` shows the credentials while it runs"


def _check_credentials(steps: Iterable[PlannedStep], images: dict[str, Image]) -> None:
    """Refuse before anything starts what cannot be given. Raises EnvironmentFault."""
    asking = [step.job for step in steps if step.job.credentials != "none"]
    for job in asking:
        if job.credentials == "endpoint" and images[job.image].mode is StartMode.COLD:
            raise EnvironmentFault(
                f"step '{job.step}' asks for `credentials: endpoint`, which the agent serves, and image '{job.image}' "
                "has no usable Python for an agent",
                remedy="write `credentials: environment`, or use an image with Python 3.7 or newer",
            )
    if asking:
        try:
            host_credentials()
        except EnvironmentFault as error:
            what = f"step '{asking[0].step}' asks for AWS credentials: {error.message}"
            raise EnvironmentFault(what, remedy=error.remedy) from error


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.4g}"
