"""What lies in a step's directory before its container is made: inputs, the platform's files, where checkpoints go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runner.data.hostdata import Look, look
from runner.data.materialise import bundle, code_file, code_text, code_tree, single_file
from runner.data.unpack import unpack
from runner.engine.base import BoundInput, BoundOutput
from runner.errors import WorkspaceError
from runner.pipeline.layout import StepLayout
from runner.pipeline.rundir import RunDirectory
from runner.pipeline.store import Reused
from runner.sagemaker.code import BUNDLE
from runner.sagemaker.job import CodeBundle, CodeFile, CodeText, ContainerJob, HostData, InputMount, StepData
from runner.sagemaker.paths import CHECKPOINTS
from runner.spec.archives import is_archive


@dataclass(frozen=True, slots=True)
class Sources:
    """Where data of other steps comes from. `digests` grows as steps of this run publish."""

    run: RunDirectory
    reused: Mapping[str, Reused] = field(default_factory=dict)
    digests: dict[tuple[str, str], str] = field(default_factory=dict)

    def place(self, data: StepData) -> Path:
        if data.step in self.reused:
            return self.reused[data.step].outputs[data.output]
        return self.run.layout.step(data.step).output(data.output)

    def origin(self, data: StepData) -> dict[str, str]:
        """The run and the digest of what is taken; asked for when the producer has published."""
        if data.step in self.reused:
            reused = self.reused[data.step]
            return {"run": reused.run_id, "digest": reused.digests[data.output]}
        return {"run": self.run.run_id, "digest": self.digests[data.step, data.output]}


def materialise(item: InputMount, layout: StepLayout, sources: Sources, warnings: list[str]) -> Path:
    """The host directory of an input; of another step's data it may not exist yet. Code lies in `layout.code`, also
    where the container gets it packed."""
    source, place = item.source, layout.input(item.name)
    if isinstance(source, StepData):
        return sources.place(source)
    if isinstance(source, CodeText):
        code_text(source.name, source.content, place)
        return place
    path = Path(source.path)
    if isinstance(source, HostData):
        if path.is_dir():
            return path.resolve()
        single_file(path, place)
    elif isinstance(source, CodeFile):
        return code_file(path, layout.code).parent
    elif is_archive(path.name):
        unpack(path, layout.code)
    else:
        left_out = code_tree(path, layout.code, leave_out=sources.run.runs_dir)
        warnings += [f"not copied with the code, as it is no file: {name}" for name in left_out]
    if isinstance(source, CodeBundle):
        bundle(path, layout.code, place / BUNDLE)
    return place if isinstance(source, HostData | CodeBundle) else layout.code


def look_at_host_data(job: ContainerJob, inputs: tuple[BoundInput, ...]) -> tuple[Look, ...]:
    """At each directory of the user's that the step reads in place."""
    return tuple(
        look(item.name, bound.host)
        for item, bound in zip(job.inputs, inputs, strict=True)
        if isinstance(item.source, HostData) and Path(item.source.path).is_dir()
    )


def write_config(job: ContainerJob, layout: StepLayout, taken: set[str]) -> tuple[BoundOutput, ...]:
    """One directory for each distinct parent of the platform's files and of the script's message."""
    folders = dict.fromkeys(str(PurePosixPath(item.target).parent) for item in job.config)
    if job.exit_message is not None:
        folders.setdefault(str(PurePosixPath(job.exit_message).parent))
    wanted = [target for target in folders if target not in taken]
    bound = tuple(BoundOutput(f"config-{n}", target, layout.config(n)) for n, target in enumerate(wanted))
    for folder in bound:
        folder.host.mkdir(parents=True)
    places = {folder.target: folder.host for folder in bound}
    for item in job.config:
        target = PurePosixPath(item.target)
        (places[str(target.parent)] / target.name).write_text(item.content, encoding="utf-8")
    return bound


def keep(job: ContainerJob, layout: StepLayout) -> tuple[BoundOutput, ...]:
    """The directory for checkpoints, made if it is missing. Raises WorkspaceError and OSError."""
    if job.checkpoints is None:
        return ()
    place = Path(job.checkpoints)
    place.mkdir(parents=True, exist_ok=True)
    place = place.resolve()
    if layout.root.resolve().is_relative_to(place):
        raise WorkspaceError(
            f"the run directory lies inside the step's `checkpoints` ({place}): give them a directory of their own"
        )
    return (BoundOutput("checkpoints", CHECKPOINTS, place),)
