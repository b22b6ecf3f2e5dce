"""What a run would do, before it does anything: for a person, for a program, and as commands to copy and paste."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.report.failure import shown_path
from runner.report.history import when
from runner.report.style import PLAIN, Style
from runner.report.text import count, listed, one_line, quoted, seconds, size
from runner.sagemaker.job import ContainerJob, InputMount, Limits, OutputMount, StepData, Transform

if TYPE_CHECKING:
    from runner.pipeline.plan import Plan, PlannedStep
    from runner.pipeline.reuse import Reuse
    from runner.pipeline.select import Choice

_TOOLKIT = ("SM_", "SAGEMAKER_", "TRAINING_JOB_", "CURRENT_HOST")
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
    if reuse.remarks:
        warnings = [f"   {one_line(str(remark))}" for remark in reuse.remarks]
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
    yield "command", command(job)
    if job.working_dir:
        yield "cwd", job.working_dir
    yield from _env(job)
    places: tuple[InputMount | OutputMount, ...] = (*job.inputs, *job.outputs)
    shown = {place.target: _place(job, place) for place in places}
    targets = max(map(len, shown.values()), default=0)
    for mount in job.inputs:
        yield "input", f"{shown[mount.target]:<{targets}}  {style.sign('←')} {_source(mount, reused)}"
    for output in job.outputs:
        yield "output", f"{shown[output.target]:<{targets}}  {style.sign('→')} {_destination(output)}"
    if job.transform is not None:
        yield from _transform(job.transform)
    for file in job.config:
        yield "config", file.target
    yield "limits", limits(job.limits)
    yield "network", "none" if job.network == "none" else f"{job.network} (open)"
    yield "starts", f"when {listed(step.needs)} passed" if step.needs else "at once"


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


def _source(mount: InputMount, reused: set[str]) -> str:
    source = mount.source
    if isinstance(source, StepData):
        earlier = " (of an earlier run)" if source.step in reused else ""
        return f"{source.step}.{source.output}{earlier}"
    return shown_path(Path(source.path))


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
    """The JSON form: as `plan.json` in a run directory."""
    return {**plan.to_json(), "reused": reuse.to_json()}
