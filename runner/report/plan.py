"""What a run would do, before it does anything: for a person, for a program, and as commands to copy and paste."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.engine.standins import parse, refusal, stand_in
from runner.pipeline.preimports import planned
from runner.report.failure import shown_path
from runner.report.history import when
from runner.report.style import PLAIN, Style
from runner.report.text import count, listed, one_line, quoted, seconds, size
from runner.sagemaker.job import (
    CodeBundle,
    CodeText,
    ContainerJob,
    InputMount,
    Limits,
    OutputMount,
    StepData,
    Transform,
)
from runner.sagemaker.paths import CHECKPOINTS
from runner.spec import instances
from runner.spec.instances import InstanceType

if TYPE_CHECKING:
    from runner.pipeline.plan import Plan, PlannedStep
    from runner.pipeline.reuse import Reuse
    from runner.pipeline.select import Choice

_TOOLKIT = ("SM_", "SAGEMAKER_", "TRAINING_JOB_", "CURRENT_HOST")
_PRIVATE = {"overlay": "private by overlay", "copy": "private by copy", "read-only": "read-only"}
"""How an input is to be kept from the script's writes; what came of it is known when the step has run."""
Row = tuple[str, str]
"""Label and value; an empty label goes on with the one before."""


def text(plan: Plan, reuse: Reuse, style: Style = PLAIN) -> str:
    """Every step in execution order, then those that do not run with the run that lends their outputs, then warnings;
    no newline at the end."""
    total = len(plan.selection.choices)
    head = f"{style.paint(plan.pipeline, 'bold')}: {_how_many(len(plan.steps), total)}, {shown_path(plan.file)}"
    blocks = [head, *(_block(number, step, plan, style) for number, step in enumerate(plan.steps, 1))]
    others = [choice for choice in plan.selection.choices if choice.action != "run"]
    if others:
        blocks.append("\n".join(["not run", *(line for choice in others for line in _not_run(choice, reuse))]))
    remarks = [str(remark) for remark in (*plan.remarks, *reuse.remarks)]
    remarks += [f"{step.name}: {warning}" for step in plan.steps for warning in step.warnings]
    if remarks:
        warnings = [f"   {one_line(remark)}" for remark in remarks]
        blocks.append("\n".join([style.paint("warnings", "yellow"), *warnings]))
    return "\n\n".join(blocks)


def _not_run(choice: Choice, reuse: Reuse) -> Iterator[str]:
    yield f"   {choice.step}: {choice.why}"
    lent = reuse.steps.get(choice.step)
    if lent is not None:
        yield f"      from run {lent.run_id}, {when(lent.started_at)}"


def _how_many(run: int, total: int) -> str:
    return count(total, "step") if run == total else f"{run} of {count(total, 'step')}"


def _block(number: int, step: PlannedStep, plan: Plan, style: Style) -> str:
    lines = [f"{number}  {style.paint(step.name, 'bold')}  {style.paint(step.job.step_type, 'dim')}"]
    last = ""
    for label, value in _rows(step, plan, style):
        shown = "" if label == last else label
        lines.append(f"   {style.paint(f'{shown:<9}', 'dim')} {value}".rstrip())
        last = label
    return "\n".join(lines)


def _rows(step: PlannedStep, plan: Plan, style: Style) -> Iterator[Row]:
    job = step.job
    reused = set(plan.selection.reuse)
    yield "image", job.image
    if (stand := stand_in(job.image, serve=job.serves)) is not None:
        yield "image", f"where that is not present, {stand.image} stands for it: {stand.differs()}"
    elif parse(job.image) is not None:
        yield "image", f"must be present, or be pulled: {refusal(job.image, serve=job.serves)[0]}"
    yield "command", command(job)
    if job.working_dir:
        yield "cwd", job.working_dir
    yield from _env(job)
    places: tuple[InputMount | OutputMount, ...] = (*job.inputs, *job.outputs)
    shown = {place.target: _place(job, place) for place in places}
    kept = [CHECKPOINTS] if job.checkpoints is not None else []
    targets = max(map(len, [*shown.values(), *kept]), default=0)
    for mount in job.inputs:
        private = "" if job.transform is not None else f", {_PRIVATE[mount.private]}"
        origin = f"{_source(mount, reused)}{_dealt(mount, job)}{private}"
        yield "input", f"{shown[mount.target]:<{targets}}  {style.sign('←')} {origin}"
    for each in step.expected:
        yield "expects", f"of {each.input}: {one_line(str(each.expects))}"
    yield from _packages(job)
    for output in job.outputs:
        yield "output", f"{shown[output.target]:<{targets}}  {style.sign('→')} {_destination(output)}"
    if job.checkpoints is not None:
        yield "kept", f"{CHECKPOINTS:<{targets}}  {style.sign('↔')} {shown_path(Path(job.checkpoints))}"
    if job.transform is not None:
        yield from _transform(job.transform)
    for file in job.config:
        yield "config", file.target
    if job.instance_type is not None:
        yield "instance", _instance(instances.table()[job.instance_type])
    yield from _instances(job)
    yield "limits", limits(job.limits) + (" (each)" if job.members and limits(job.limits) != "none" else "")
    yield "network", _network(job)
    if job.credentials != "none":
        yield "aws", f"this machine's credentials, by {job.credentials}"
    yield from _early(job)
    yield "starts", f"when {listed(step.needs)} passed" if step.needs else "at once"


def _early(job: ContainerJob) -> Iterator[Row]:
    """What may be imported before the script starts, and what ends that; no row where there is nothing to tell."""
    if not job.preimport:
        yield "early", "nothing is imported before the script starts: preimport: false"
    elif (found := planned(job)) is not None and found.modules:
        yield "early", f"imports {listed(found.modules)}"
        if found.end is not None:
            yield "early", f"up to {one_line(str(found.end))}"
    elif found is not None and found.end is not None and found.end.module:
        yield "early", f"imports nothing: {one_line(str(found.end))}"


def _packages(job: ContainerJob) -> Iterator[Row]:
    if job.requirements is not None:
        from runner.report.byhand_code import asking  # with pydantic, which a plan already made has loaded

        if asking(job) is not None:
            yield "packages", "of requirements.txt, installed before the script starts"


def _instances(job: ContainerJob) -> Iterator[Row]:
    if job.members:
        yield "instances", f"{job.instance_count}, algo-1 to algo-{job.instance_count}; all must exit 0"


def _network(job: ContainerJob) -> str:
    reach = "the instances reach each other" if job.members else ""
    if job.network == "none":
        return f"none; {reach}" if reach else "none"
    return f"{job.network} (open{'; ' + reach if reach else ''})"


def _place(job: ContainerJob, mount: InputMount | OutputMount) -> str:
    """Where the container finds it; a server has no path for what it is sent and what it answers."""
    if job.transform is None:
        return mount.target
    kinds = {"model": f"{mount.target}, unpacked", "data": "POST /invocations", "output": "answers, as <file>.out"}
    return kinds[mount.name]


def _transform(wanted: Transform) -> Iterator[Row]:
    what = "a file" if wanted.split != "Line" else "a line" if wanted.strategy == "SingleRecord" else "lines"
    at_once = f"{wanted.max_concurrent} at a time"
    yield (
        "requests",
        f"{what} in each, at most {wanted.max_payload} MB, {at_once}, within {wanted.invocation_timeout:g} s",
    )
    if wanted.open:
        yield "requests", f"the server's /execution-parameters may say otherwise: {', '.join(wanted.open)}"
    yield "requests", f"as soon as /ping answers 200, within {wanted.ping_timeout:g} s"


def _env(job: ContainerJob) -> Iterator[Row]:
    """What the toolkit sets in a training container is counted only: it is long, and follows from the rest."""
    own = [(name, value) for name, value in job.env if job.step_type != "training" or not name.startswith(_TOOLKIT)]
    for name, value in own:
        yield "env", f"{name}={quoted(value)}"
    if len(own) < len(job.env):
        yield "env", f"and {len(job.env) - len(own)} that SageMaker sets (SM_*, TRAINING_JOB_* ...); --json has them"


def command(job: ContainerJob) -> str:
    """Entrypoint and arguments as a shell would take them; what the image decides is said in angle brackets."""
    words = ["<the image's ENTRYPOINT>"] if job.entrypoint is None else [quoted(word) for word in job.entrypoint]
    if job.arguments is not None:
        words += [quoted(word) for word in job.arguments]
    elif job.entrypoint is None:
        words.append("<the image's CMD>")
    return " ".join(words)


def _instance(found: InstanceType) -> str:
    """`ml.g5.xlarge: 4 CPUs, 16 GiB memory, 1 GPU (NVIDIA A10G); no more of them than the machine has`."""
    parts = [
        count(found.cpus, "CPU"),
        f"{size(found.memory)} memory",
        f"{count(found.gpus, 'GPU')} ({found.accelerator}; none here)" if found.gpus else "",
        f"{count(found.neurons, 'Neuron device')} ({found.accelerator}; none here)" if found.neurons else "",
    ]
    return f"{found.name}: {', '.join(filter(None, parts))}; limits that follow from it are capped to the machine"


def _source(mount: InputMount, reused: set[str]) -> str:
    source = mount.source
    if isinstance(source, StepData):
        earlier = " (of an earlier run)" if source.step in reused else ""
        return f"{source.step}.{source.output}{earlier}"
    if isinstance(source, CodeText):
        return f"{source.name}: {one_line(source.content.rstrip().rpartition(chr(10))[2])}"
    packed = ", as sourcedir.tar.gz" if isinstance(source, CodeBundle) else ""
    return f"{shown_path(Path(source.path))}{packed}"


def _dealt(mount: InputMount, job: ContainerJob) -> str:
    return ", dealt to the instances file by file" if mount.sharded and job.members else ""


def _destination(output: OutputMount) -> str:
    archive = f", as {output.archive}" if output.archive else ""
    return f"{output.name}{archive}{', may be empty' if output.allow_empty else ''}"


def limits(limits: Limits) -> str:
    """`2 CPUs, 512 MiB memory, time-out 5.0 s (then 120 s to stop)`, or `none`."""
    parts = [
        f"{limits.cpus:g} {'CPU' if limits.cpus == 1 else 'CPUs'}" if limits.cpus is not None else "",
        f"{size(limits.memory)} memory" if limits.memory is not None else "",
        f"{size(limits.shm_size)} /dev/shm" if limits.shm_size is not None else "",
        count(limits.pids, "process", "processes") if limits.pids is not None else "",
        f"time-out {seconds(limits.timeout)}, then {seconds(limits.grace)} to stop" if limits.timeout else "",
    ]
    return ", ".join(filter(None, parts)) or "none"


def document(plan: Plan, reuse: Reuse) -> dict[str, Any]:
    """The JSON form: as `plan.json` in a run directory, what would stand for images of SageMaker's, and what would be
    imported before each Python script starts."""
    asked = {step.name: (step.job.image, stand_in(step.job.image, serve=step.job.serves)) for step in plan.steps}
    return {
        **plan.to_json(),
        "reused": reuse.to_json(),
        "stand_ins": {
            step: {"asked": uri, "image": stand.image, "differs": stand.differs()}
            for step, (uri, stand) in asked.items()
            if stand is not None
        },
        "early_imports": {
            step.name: {"modules": list(found.modules), "until": None if found.end is None else str(found.end)}
            for step in plan.steps
            if step.job.preimport and (found := planned(step.job)) is not None
        },
    }
