"""A plan as this machine can run it: images that are here, limits that fit, credentials that exist.

1. What the user wrote out (`resources`, a mapping under `images`) is taken as written, or refused.
2. What SageMaker would have and this machine has not (the real image, the instance's size, its GPUs) is replaced by
   the nearest, and never without a word: in the step's warnings, and once in the run's output.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.engine.base import Engine, EngineInfo, Image, StartMode
from runner.engine.credentials import host_credentials
from runner.engine.probe import PROGRAMS
from runner.engine.standins import StandIn, parse, refusal, stand_in
from runner.errors import EnvironmentFault, ImageUnavailable, UsageError
from runner.pipeline.expecting import check_schemas
from runner.pipeline.plan import Plan, PlannedStep
from runner.pipeline.scripts import about_modules
from runner.sagemaker.job import ContainerJob
from runner.spec import instances

_PROGRAM_REMEDIES = {
    "serve": "give a transform step an image with an executable `serve`, as `xgboost-inference` has one",
    "train": "give a training step a `script`, or an image with an executable `train`",
}


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


Present = dict[tuple[str, bool], tuple[Image, StandIn | None]]
"""By an image's reference and whether it must serve: the image on the engine, and what it stands for."""


def fit(plan: Plan, engine: Engine, info: EngineInfo, present: Present | None = None) -> Fitted:
    """Decide all of it before anything starts. `present`: images that were looked up a moment ago.

    Raises ImageUnavailable, EnvironmentFault and UsageError."""
    found: Present = dict(present or {})
    for job in (step.job for step in plan.steps):
        if (job.image, job.serves) not in found:
            found[job.image, job.serves] = present_image(engine, job.image, serve=job.serves)
    ours = [found[step.job.image, step.job.serves] for step in plan.steps]
    steps = tuple(_fitted(step, *each, info, engine) for step, each in zip(plan.steps, ours, strict=True))
    images = {step.job.image: image for step, (image, _) in zip(steps, ours, strict=True)}
    _check_programs(plan, images, steps)
    _check_credentials(steps, images)
    check_schemas(steps)
    return Fitted(dataclasses.replace(plan, steps=steps), images)


def present_image(engine: Engine, reference: str, *, serve: bool = False) -> tuple[Image, StandIn | None]:
    """The image on the engine, or the one that stands for it; with `serve` one that can. Raises ImageUnavailable."""
    try:
        return engine.image(reference), None
    except ImageUnavailable:
        stand = stand_in(reference, serve=serve)
        if stand is None:
            raise
        return engine.image(stand.image), stand


def missing_image(plan: Plan, reference: str, error: ImageUnavailable, *, serve: bool) -> ImageUnavailable:
    """The same error with the place of the image in the plan's file, and with what could stand for it."""
    message, remedy = place_of_image(plan, reference) + error.message, error.remedy
    if parse(reference) is not None and stand_in(reference, serve=serve) is None:
        why, instead = refusal(reference, serve=serve)
        message, remedy = f"{message}; {why}", f"{remedy}; {instead}"
    return ImageUnavailable(message, remedy=remedy)


def place_of_image(plan: Plan, reference: str, step: str = "") -> str:
    """`pipeline.yaml:3: steps.Train.image: `, where the file names this image: of `step`, or of the first that has it.
    Without a line where it stands in another file, or in several lines of which one might be another step's."""
    steps = [step] if step else [each.name for each in plan.steps if each.job.image == reference]
    word = re.compile(rf"(?<![\w./:@-]){re.escape(reference)}(?![\w./:@-])")
    lines = plan.source_text.decode("utf-8", "replace").splitlines()
    found = [number for number, line in enumerate(lines, 1) if word.search(line.partition(" #")[0])]
    at = f":{found[0]}" if len(found) == 1 or (found and not step) else ""
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


def _check_programs(plan: Plan, images: dict[str, Image], steps: Iterable[PlannedStep]) -> None:
    """Refuse steps whose image lacks the program that SageMaker runs in it. Raises UsageError that names all of them.

    An image with an ENTRYPOINT gets `serve` or `train` as an argument, and a PATH of the step's own may lead elsewhere:
    what becomes of those is seen when they run.
    """
    faults, remedies = [], {}
    for step, asked in zip(steps, plan.steps, strict=True):
        job, image = step.job, images[step.job.image]
        program = (job.arguments or ("",))[0]
        if program not in PROGRAMS or job.entrypoint is not None or image.entrypoint or "PATH" in dict(job.env):
            continue
        if image.programs is not None and program not in image.programs:
            other = f", which stands for {asked.job.image}," if asked.job.image != job.image else ""
            place = place_of_image(plan, asked.job.image, step.name)
            what = f"the step needs a program `{program}`, and its image '{job.image}'{other}"
            faults.append(f"{place}{what} has no executable one on its PATH")
            remedies[program] = _PROGRAM_REMEDIES[program]
    if faults:
        raise UsageError("\n".join(faults), remedy="; ".join(remedies.values()))


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
