"""A planned step with every host path filled in: its directory, ready for an engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from runner.data.files import json_bytes, os_fault
from runner.data.hostdata import Look, look
from runner.data.manifest import named
from runner.data.materialise import bundle, code_file, code_text, code_tree, single_file
from runner.data.shards import Share, deal
from runner.data.unpack import unpack
from runner.engine.base import BoundInput, BoundOutput, Image, Launch, StartMode
from runner.engine.render import reproduce_script, shell_script
from runner.errors import RequirementsError, SpecError, WorkspaceError
from runner.pipeline.layout import StepLayout
from runner.pipeline.plan import PlannedStep
from runner.pipeline.records import SCHEMA, plain
from runner.pipeline.rundir import RunDirectory
from runner.pipeline.scripts import script_of
from runner.pipeline.store import Reused
from runner.sagemaker.code import BUNDLE, COLLECTED, REQUIREMENTS, installing
from runner.sagemaker.environment import with_image_path
from runner.sagemaker.job import (
    CodeBundle,
    CodeFile,
    CodeText,
    ContainerJob,
    HostData,
    InputMount,
    Member,
    StepData,
)
from runner.sagemaker.paths import CHECKPOINTS
from runner.spec.archives import is_archive
from runner.spec.script import early_imports


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


Collect = Callable[[ContainerJob, Image, Path], Path]
"""Gives the directory of all that the `requirements.txt` in a step's code asks for; see `Engine.collect`."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A launch, and what belongs to it on this side of the engine."""

    launch: Launch
    layout: StepLayout
    messages: tuple[Path, ...]
    """Host paths at which the script's last words will lie, one for each instance."""
    warnings: tuple[str, ...]
    watched: tuple[Look, ...] = ()
    """The directories of the user's that are read in place, as they were when the step was bound."""
    undealt: tuple[Share, ...] = ()
    """Inputs to be dealt to the instances when their producers have published."""

    def inputs_document(self, sources: Sources, private: Mapping[str, str] | None = None) -> dict[str, object]:
        """`inputs.json`. Only when every producer has published. `private`: how each input was made so, once known."""
        hosts = {item.name: item.host for item in self.launch.inputs}
        inputs = [_input(item, hosts, sources, private or {}) for item in self.launch.job.inputs]
        return {"schema_version": SCHEMA, "inputs": inputs}


def bind(planned: PlannedStep, image: Image, sources: Sources, collect: Collect, *, trace: bool = True) -> Bound:
    """Make the step's directory with everything in it that does not depend on other steps of this run.

    Raises WorkspaceError, and what `collect` raises.
    """
    layout = sources.run.layout.step(planned.name)
    try:
        layout.root.mkdir()
        return _bind(planned, image, sources, layout, collect, trace=trace)
    except OSError as error:
        raise os_fault(error, layout.root, "cannot lay out the step's files") from error


def _bind(
    planned: PlannedStep, image: Image, sources: Sources, layout: StepLayout, collect: Collect, *, trace: bool
) -> Bound:
    job, warnings = planned.job, list(planned.warnings)
    inputs = tuple(
        BoundInput(item.name, item.target, _materialise(item, layout, sources, warnings), item.private)
        for item in job.inputs
    )
    watched = _look_at_host_data(job, inputs)
    fault: RequirementsError | None = None
    if job.requirements is not None and (layout.code / REQUIREMENTS).is_file():
        try:
            inputs = (*inputs, BoundInput("requirements", COLLECTED, collect(job, image, layout.code)))
        except RequirementsError as error:  # what a person needs to look into it is written all the same
            fault = error
        job = installing(job)
    outputs = tuple(BoundOutput(item.name, item.target, layout.attempt / item.name) for item in job.outputs)
    for output in outputs:
        output.host.mkdir(parents=True)
    config = () if job.members else _write_config(job, layout, {output.target for output in outputs})
    kept = _keep(job, layout)
    launch = Launch(
        job=with_image_path(job, image.env),
        image=image,
        run_id=sources.run.run_id,
        run_root=sources.run.layout.root,
        inputs=inputs,
        outputs=outputs,
        config=config,
        kept=kept,
        scratch=layout.scratch,
        preimport=_preimport(job) if image.mode is StartMode.STAGED else (),
        trace=trace,
    )
    launch = dataclasses.replace(launch, members=tuple(_member(launch, each, layout) for each in job.members))
    shares = _shares(launch, layout)
    ready = [share for share in shares if share.source.is_dir()]
    warnings += [text for share in ready for text in deal(share)]
    for each in launch.members or (launch,):
        each.scratch.mkdir()
    layout.job.write_bytes(
        json_bytes({"schema_version": SCHEMA, **plain(job), "image_id": image.id, **_asked(planned)})
    )
    _write_scripts(launch.members[0] if launch.members else launch, layout)
    for each in launch.members:
        _write_scripts(each, layout.host(each.job.hostname))
    if fault is not None:
        raise fault
    warnings += [text for seen in watched if (text := seen.warning()) is not None]
    messages = [
        _host_path(job.exit_message, (*each.outputs, *each.config))
        for each in launch.members or (launch,)
        if job.exit_message is not None
    ]
    undealt = tuple(share for share in shares if share not in ready)
    return Bound(launch, layout, tuple(messages), tuple(warnings), watched, undealt)


def _member(launch: Launch, member: Member, layout: StepLayout) -> Launch:
    """One of several instances: everything that it writes, and what was dealt to it, in a directory of its own."""
    job, own = with_image_path(launch.job.of(member), launch.image.env), layout.host(member.hostname)
    sharded = {item.name for item in job.inputs if item.sharded}
    own.root.mkdir(parents=True)
    outputs = tuple(dataclasses.replace(output, host=own.attempt / output.name) for output in launch.outputs)
    for output in outputs:
        output.host.mkdir(parents=True)
    return dataclasses.replace(
        launch,
        job=job,
        inputs=tuple(
            dataclasses.replace(bound, host=own.input(bound.name)) if bound.name in sharded else bound
            for bound in launch.inputs
        ),
        outputs=outputs,
        config=_write_config(job, own, {output.target for output in outputs}),
        scratch=own.scratch,
        logs=own.root,
    )


def _shares(launch: Launch, layout: StepLayout) -> tuple[Share, ...]:
    """Inputs of which each instance gets its part; a single instance gets all."""
    hosts = [member.job.hostname for member in launch.members]
    return tuple(
        Share(
            item.name,
            bound.host,
            tuple((host, layout.host(host).input(item.name)) for host in hosts),
            isinstance(item.source, StepData),
        )
        for item, bound in zip(launch.job.inputs, launch.inputs, strict=False)  # packages of requirements come last
        if item.sharded and hosts
    )


def _asked(planned: PlannedStep) -> dict[str, Any]:
    """What the pipeline asks for where this machine runs something else: the fields of the job that differ."""
    if planned.asked is None:
        return {}
    asked, job = plain(planned.asked), plain(planned.job)
    return {"asked": {key: value for key, value in asked.items() if value != job[key]}}


def _look_at_host_data(job: ContainerJob, inputs: tuple[BoundInput, ...]) -> tuple[Look, ...]:
    """At each directory of the user's that the step reads in place."""
    return tuple(
        look(item.name, bound.host)
        for item, bound in zip(job.inputs, inputs, strict=True)
        if isinstance(item.source, HostData) and Path(item.source.path).is_dir()
    )


def _materialise(item: InputMount, layout: StepLayout, sources: Sources, warnings: list[str]) -> Path:
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


def _write_config(job: ContainerJob, layout: StepLayout, taken: set[str]) -> tuple[BoundOutput, ...]:
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


def _keep(job: ContainerJob, layout: StepLayout) -> tuple[BoundOutput, ...]:
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


def _write_scripts(launch: Launch, layout: StepLayout) -> None:
    """What a person runs by hand, with nothing but Docker."""
    reproduce = reproduce_script(launch, directory=layout.root)
    shell = shell_script(launch, directory=layout.root)
    for path, text in ((layout.reproduce, reproduce), (layout.shell, shell)):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(path.stat().st_mode | 0o111)


def _host_path(target: str, mounts: tuple[BoundOutput, ...]) -> Path:
    wanted = PurePosixPath(target)
    return next(mount.host / wanted.name for mount in mounts if mount.target == str(wanted.parent))


def _preimport(job: ContainerJob) -> tuple[str, ...]:
    """Libraries that the script imports first of all, as its text tells; none when it cannot be read."""
    script = script_of(job)
    try:
        return early_imports(script) if script is not None else ()
    except SpecError:
        return ()  # the script itself will say what is wrong with it


def _input(item: InputMount, hosts: Mapping[str, Path], sources: Sources, private: Mapping[str, str]) -> dict[str, Any]:
    origin = sources.origin(item.source) if isinstance(item.source, StepData) else {}
    host = named(str(hosts[item.name]))
    how = {"private": private.get(item.name)}
    return {"name": item.name, "target": item.target, "source": plain(item.source), "host": host, **origin, **how}
