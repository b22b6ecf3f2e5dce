"""A plan as shell commands that need nothing but Docker: what `plan --shell` prints.

    mkdir by-hand ; per step: make directories, copy inputs, docker run, publish

Each step has a directory below `work`: private copies of its inputs in `inputs`, what the platform writes in `config`,
what it writes itself in `outputs`, and what others take from it in `published`. The words of `docker run` come from
`runner.engine.render`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from runner.engine.base import BoundInput, BoundOutput
from runner.report.byhand_code import copy_code, packages
from runner.report.byhand_docker import docker, words
from runner.report.byhand_serving import serve
from runner.report.history import when
from runner.report.text import one_line
from runner.sagemaker.code import installing
from runner.sagemaker.job import ContainerJob, HostData, InputMount, StepData
from runner.sagemaker.paths import CHECKPOINTS

if TYPE_CHECKING:
    from runner.pipeline.plan import Plan
    from runner.pipeline.store import Reused

FOLDER = "by-hand"


def shell(plan: Plan, work: Path | None = None, reused: Mapping[str, Reused] | None = None) -> str:
    """Bash that runs the plan's steps one after the other, no newline at its end. Nothing is read but paths.

    `work` (default `by-hand` in the working directory) must not exist when it is run. `reused` has the outputs of every
    step that the plan does not run but needs: see `runner.pipeline.reuse.find_reused`. Raises KeyError for one that it
    lacks.
    """
    hand = _Hand(plan, (work or Path(FOLDER)).absolute(), reused or {})
    head = [
        f"# {one_line(plan.pipeline)}, by hand. Paste it step by step, or save it and run it with `bash -e`.",
        *_images(plan),
        "# Containers write as root: what they leave below this directory may need sudo to be removed.",
        words("mkdir", str(hand.work)),
    ]
    steps = [hand.step(number, step.job) for number, step in enumerate(plan.steps, 1)]
    return "\n".join([*head, *(line for step in steps for line in ["", *step])])


def _images(plan: Plan) -> Iterable[str]:
    """What must be there first: nothing in these lines builds an image."""
    from runner.engine.recipes import catalogue
    from runner.engine.standins import stand_in

    posting = {"python"} if any(step.job.serves for step in plan.steps) else set()
    names = sorted({step.job.image for step in plan.steps} | posting)
    built = [name for name in names if name in catalogue()]
    others = [one_line(name) for name in names if name not in built]
    if built:
        yield f"# Docker must have the images first: run-pipeline images build {' '.join(built)}"
    if others:
        yield f"# {'It also needs' if built else 'Docker must have, or be able to pull,'} {', '.join(others)}"
    for name, serves in sorted({(step.job.image, step.job.serves) for step in plan.steps}):
        if (stand := stand_in(name, serve=serves)) is not None:
            yield f"# A run takes '{stand.image}' where {one_line(name)} is not present: {stand.differs()}"


class _Hand:
    """The plan's steps as lines of bash."""

    def __init__(self, plan: Plan, work: Path, reused: Mapping[str, Reused]) -> None:
        self.work = work
        self._running = set(plan.names)
        self._reused = reused

    def step(self, number: int, job: ContainerJob) -> list[str]:
        from runner.engine.recipes import docker_reference

        root = self.work / job.step
        inputs = [
            BoundInput(mount.name, mount.target, root / "inputs" / mount.name, mount.private) for mount in job.inputs
        ]
        outputs = [BoundOutput(mount.name, mount.target, root / "outputs" / mount.name) for mount in job.outputs]
        config = list(_config(job, root, {mount.target for mount in outputs}))
        kept = [BoundOutput("checkpoints", CHECKPOINTS, root / "checkpoints")] if job.checkpoints is not None else []
        others = (*outputs, *config, *kept)
        lines = [f"# {number}. {one_line(job.step)}", *_instances(job)]
        hosts = [*(place.host for place in inputs), *(place.host for place in others)]
        lines.append(words("mkdir", "-p", *map(str, hosts)))
        for mount, place in zip(job.inputs, inputs, strict=True):
            lines += [*self._origin(mount), self._copy(mount, place.host)]
            if place.private == "read-only":
                lines += _points(place, [mount.target for mount in job.inputs], others)
        if job.checkpoints is not None:  # a copy too: what is kept belongs to the real runs
            copy = words("cp", "-a", f"{job.checkpoints}/.", f"{kept[0].host}/")
            lines.append(f"[ ! -d {shlex.quote(job.checkpoints)} ] || {copy}")
        needed = packages(job, root, docker_reference(job.image))
        if needed is not None:
            job, inputs, lines = installing(job), [*inputs, needed.mount], [*lines, *needed.lines]
        lines += _config_files(job, [*config, *outputs])
        shut = [place for place in inputs if place.private == "read-only"]
        open_ = [BoundOutput(place.name, place.target, place.host) for place in inputs if place not in shut]
        if job.transform is not None:
            lines += serve(job, job.transform, self.work, open_, outputs)
        else:
            lines += docker(job, self.work, tuple(shut), (*open_, *others), "--rm")
        return lines + list(_publish(job, root))

    def _origin(self, mount: InputMount) -> Iterable[str]:
        """A comment on data of an earlier run."""
        source = mount.source
        if isinstance(source, StepData) and source.step not in self._running:
            lent = self._reused[source.step]
            yield f"# {source.step}.{source.output} of run {lent.run_id}, {when(lent.started_at)}"

    def _copy(self, mount: InputMount, target: Path) -> str:
        """A private copy: on SageMaker a script may write into its inputs."""
        source = mount.source
        if not isinstance(source, StepData | HostData):
            return copy_code(source, target)
        if isinstance(source, StepData):
            mine = source.step in self._running
            published = self.work / source.step / "published" / source.output
            place = published if mine else self._reused[source.step].outputs[source.output]
            return words("cp", "-a", f"{place}/.", f"{target}/")
        directory = Path(source.path).is_dir()
        return (
            words("cp", "-a", f"{source.path}/.", f"{target}/")
            if directory
            else words("cp", "-L", source.path, f"{target}/")
        )


def _instances(job: ContainerJob) -> Iterable[str]:
    if job.members:
        yield f"# The step has {job.instance_count} instances. This runs algo-1 alone, with all of every input: the"
        yield "# others do not run, and their names do not resolve."


def _points(shut: BoundInput, inputs: list[str], others: Iterable[BoundOutput]) -> list[str]:
    """Docker can make no directory to mount another thing on in one that is read-only."""
    from runner.engine.creation import points

    targets = [*inputs, *(place.target for place in others)]
    return [words("mkdir", "-p", str(shut.host / point)) for point in points(shut.target, targets)]


def _config(job: ContainerJob, root: Path, taken: set[str]) -> Iterable[BoundOutput]:
    """A directory for each parent of the platform's files and of the script's message that is no output itself."""
    files = [item.target for item in job.config] + ([job.exit_message] if job.exit_message is not None else [])
    parents = dict.fromkeys(str(PurePosixPath(file).parent) for file in files)
    wanted = [parent for parent in parents if parent not in taken]
    return [BoundOutput(f"config-{n}", parent, root / "config" / str(n)) for n, parent in enumerate(wanted)]


def _config_files(job: ContainerJob, places: list[BoundOutput]) -> list[str]:
    hosts = {place.target: place.host for place in places}
    lines = []
    for item in job.config:
        target = PurePosixPath(item.target)
        content = words("printf", "%s", item.content)
        lines.append(f"{content} > {shlex.quote(str(hosts[str(target.parent)] / target.name))}")
    return lines


def _publish(job: ContainerJob, root: Path) -> Iterable[str]:
    """What a passed step hands on: its output directories, or the archives that SageMaker makes of them."""
    published = root / "published"
    for output in job.outputs:
        source, target = root / "outputs" / output.name, published / output.name
        if output.archive is None:
            yield words("mkdir", "-p", str(published))
            yield words("ln", "-s", str(source), str(target))
        else:
            yield words("mkdir", "-p", str(target))
            yield words("tar", "-C", str(source), "-czf", str(target / output.archive), ".")
