"""A planned step with every host path filled in: its directory, ready for an engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runner.data.files import json_bytes, os_fault
from runner.data.hostdata import Look
from runner.data.manifest import named
from runner.data.shards import Share, deal
from runner.engine.base import BoundInput, BoundOutput, Image, Launch, StartMode
from runner.engine.credentials import Credentials
from runner.engine.render import reproduce_script, shell_script
from runner.errors import RequirementsError
from runner.pipeline.layout import StepLayout
from runner.pipeline.materials import Sources, keep, look_at_host_data, materialise, write_config
from runner.pipeline.plan import PlannedStep
from runner.pipeline.preimports import preimported
from runner.pipeline.records import SCHEMA, plain
from runner.sagemaker.code import COLLECTED, REQUIREMENTS, installing
from runner.sagemaker.environment import with_image_path
from runner.sagemaker.job import ContainerJob, InputMount, Member, StepData

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
    secrets: Credentials | None = None
    """Of the run, if any of its steps has them: what a step without them reads may hold them."""

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
        BoundInput(item.name, item.target, materialise(item, layout, sources, warnings), item.private)
        for item in job.inputs
    )
    watched = look_at_host_data(job, inputs)
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
    config = () if job.members else write_config(job, layout, {output.target for output in outputs})
    kept = keep(job, layout)
    launch = Launch(
        job=with_image_path(job, image.env),
        image=image,
        run_id=sources.run.run_id,
        run_root=sources.run.layout.root,
        runs_root=sources.run.runs_dir,
        inputs=inputs,
        outputs=outputs,
        config=config,
        kept=kept,
        scratch=layout.scratch,
        preimport=preimported(job, layout.code) if image.mode is StartMode.STAGED else (),
        trace=trace,
    )
    launch = dataclasses.replace(launch, members=tuple(_member(launch, each, layout) for each in job.members))
    shares = _shares(launch, layout)
    ready = [share for share in shares if share.source.is_dir()]
    warnings += [text for share in ready for text in deal(share)]
    for each in launch.members or (launch,):
        each.scratch.mkdir()
    layout.job.write_bytes(json_bytes(job_document(planned, job, image.id)))
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
        config=write_config(job, own, {output.target for output in outputs}),
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


def job_document(planned: PlannedStep, job: ContainerJob, image_id: str) -> dict[str, Any]:
    """`job.json`; `job` may have an installation before its command, which the planned one has not."""
    return {"schema_version": SCHEMA, **plain(job), "image_id": image_id, **_asked(planned, job)}


def _asked(planned: PlannedStep, job: ContainerJob) -> dict[str, Any]:
    """What the pipeline asks for where something else runs: the fields of `job` that differ. It may be what this
    machine can run instead, and a command that an installation precedes."""
    asked, runs = plain(planned.asked or planned.job), plain(job)
    different = {key: value for key, value in asked.items() if value != runs[key]}
    return {"asked": different} if different else {}


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


def _input(item: InputMount, hosts: Mapping[str, Path], sources: Sources, private: Mapping[str, str]) -> dict[str, Any]:
    origin = sources.origin(item.source) if isinstance(item.source, StepData) else {}
    host = named(str(hosts[item.name]))
    how = {"private": private.get(item.name)}
    return {"name": item.name, "target": item.target, "source": plain(item.source), "host": host, **origin, **how}
