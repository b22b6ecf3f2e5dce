"""A planned step with every host path filled in: its directory, ready for an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from runner.data.files import json_bytes, os_fault
from runner.data.hostdata import Look, look
from runner.data.manifest import named
from runner.data.materialise import code_file, code_tree, single_file
from runner.engine.base import BoundInput, BoundOutput, Image, Launch, StartMode
from runner.engine.render import reproduce_script, shell_script
from runner.errors import SpecError
from runner.pipeline.layout import StepLayout
from runner.pipeline.plan import PlannedStep
from runner.pipeline.records import SCHEMA, plain
from runner.pipeline.rundir import RunDirectory
from runner.pipeline.store import Reused
from runner.sagemaker.job import CodeFile, CodeTree, ContainerJob, HostData, InputMount, StepData
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


@dataclass(frozen=True, slots=True)
class Bound:
    """A launch, and what belongs to it on this side of the engine."""

    launch: Launch
    layout: StepLayout
    message: Path | None
    """Host path at which the script's last words will lie."""
    warnings: tuple[str, ...]
    watched: tuple[Look, ...] = ()
    """The directories of the user's that are read in place, as they were when the step was bound."""

    def inputs_document(self, sources: Sources) -> dict[str, object]:
        """`inputs.json`. Only when every producer has published."""
        hosts = {item.name: item.host for item in self.launch.inputs}
        return {"schema_version": SCHEMA, "inputs": [_input(item, hosts, sources) for item in self.launch.job.inputs]}


def bind(planned: PlannedStep, image: Image, sources: Sources, *, trace: bool = True) -> Bound:
    """Make the step's directory with everything in it that does not depend on other steps of this run.

    Raises WorkspaceError.
    """
    layout = sources.run.layout.step(planned.name)
    try:
        layout.root.mkdir()
        return _bind(planned.job, image, sources, layout, trace=trace)
    except OSError as error:
        raise os_fault(error, layout.root, "cannot lay out the step's files") from error


def _bind(job: ContainerJob, image: Image, sources: Sources, layout: StepLayout, *, trace: bool) -> Bound:
    warnings: list[str] = []
    code = next((item.name for item in job.inputs if isinstance(item.source, CodeFile | CodeTree)), None)
    inputs = tuple(
        BoundInput(item.name, item.target, _materialise(item, layout, sources, warnings, is_code=item.name == code))
        for item in job.inputs
    )
    outputs = tuple(BoundOutput(item.name, item.target, layout.attempt / item.name) for item in job.outputs)
    for output in outputs:
        output.host.mkdir(parents=True)
    config = _write_config(job, layout, {output.target for output in outputs})
    layout.scratch.mkdir()
    launch = Launch(
        job=job,
        image=image,
        run_id=sources.run.run_id,
        run_root=sources.run.layout.root,
        inputs=inputs,
        outputs=outputs,
        config=config,
        scratch=layout.scratch,
        preimport=_preimport(job) if image.mode is StartMode.STAGED else (),
        trace=trace,
    )
    layout.job.write_bytes(json_bytes({"schema_version": SCHEMA, **plain(job), "image_id": image.id}))
    _write_scripts(launch, layout)
    watched = _look_at_host_data(job, inputs)
    warnings += [text for seen in watched if (text := seen.warning()) is not None]
    return Bound(launch, layout, _host_path(job.exit_message, (*outputs, *config)), tuple(warnings), watched)


def _look_at_host_data(job: ContainerJob, inputs: tuple[BoundInput, ...]) -> tuple[Look, ...]:
    """At each directory of the user's that the step reads in place."""
    return tuple(
        look(item.name, bound.host)
        for item, bound in zip(job.inputs, inputs, strict=True)
        if isinstance(item.source, HostData) and Path(item.source.path).is_dir()
    )


def _materialise(item: InputMount, layout: StepLayout, sources: Sources, warnings: list[str], *, is_code: bool) -> Path:
    """The host directory of an input; of another step's data it may not exist yet."""
    source, place = item.source, layout.code if is_code else layout.input(item.name)
    if isinstance(source, StepData):
        return sources.place(source)
    path = Path(source.path)
    if isinstance(source, HostData):
        if path.is_dir():
            return path.resolve()
        single_file(path, place)
    elif isinstance(source, CodeFile):
        code_file(path, place)
    else:
        left_out = code_tree(path, place, leave_out=sources.run.runs_dir)
        warnings += [f"not copied with the code, as it is no file: {name}" for name in left_out]
    return place


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


def _write_scripts(launch: Launch, layout: StepLayout) -> None:
    """What a person runs by hand, with nothing but Docker."""
    for path, text in ((layout.reproduce, reproduce_script(launch)), (layout.shell, shell_script(launch))):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(path.stat().st_mode | 0o111)


def _host_path(target: str | None, mounts: tuple[BoundOutput, ...]) -> Path | None:
    if target is None:
        return None
    wanted = PurePosixPath(target)
    return next(mount.host / wanted.name for mount in mounts if mount.target == str(wanted.parent))


def _preimport(job: ContainerJob) -> tuple[str, ...]:
    """Libraries that the script imports first of all, as its text tells; none when it cannot be read."""
    script = _script(job)
    try:
        return early_imports(script) if script is not None else ()
    except SpecError:
        return ()  # the script itself will say what is wrong with it


def _script(job: ContainerJob) -> Path | None:
    """The host path of the Python file that the entrypoint names, if it is among the code."""
    for word in job.entrypoint or ():
        path = PurePosixPath(job.working_dir or "/") / word
        for item in job.inputs:
            if path.suffix != ".py" or not path.is_relative_to(item.target):
                continue
            if isinstance(item.source, CodeFile):
                return Path(item.source.path)
            if isinstance(item.source, CodeTree):
                return Path(item.source.path) / path.relative_to(item.target)
    return None


def _input(item: InputMount, hosts: Mapping[str, Path], sources: Sources) -> dict[str, Any]:
    origin = sources.origin(item.source) if isinstance(item.source, StepData) else {}
    host = named(str(hosts[item.name]))
    return {"name": item.name, "target": item.target, "source": plain(item.source), "host": host, **origin}
