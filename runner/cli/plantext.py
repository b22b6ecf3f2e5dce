"""A plan as text for a person: what each step would run, see and leave."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from runner.report.failure import shown_path
from runner.report.style import Style
from runner.report.text import count, seconds, shorten, size, table
from runner.sagemaker.job import CodeTree, ContainerJob, InputMount, Limits, StepData

if TYPE_CHECKING:
    from runner.pipeline.plan import Plan, PlannedStep

LABEL = 9
"""Columns of the words at the left."""
WIDTH = 100
"""Columns at which the value of a variable is cut."""
PLATFORM = "SM_"
"""What the names of the variables begin with that the platform adds to a training job (some forty of them)."""


def plan_text(plan: Plan, style: Style) -> str:
    """The whole plan, without a newline at its end."""
    head = f"{style.paint(plan.pipeline, 'bold')}: {count(len(plan.steps), 'step')} ({shown_path(plan.file)})"
    parts = [head, *(_step(number, step, style) for number, step in enumerate(plan.steps, 1))]
    parts += [
        f"{choice.action} {choice.step}: {choice.why}" for choice in plan.selection.choices if choice.action != "run"
    ]
    return "\n\n".join(parts)


def _step(number: int, step: PlannedStep, style: Style) -> str:
    job = step.job
    rows = [("image", [job.image]), ("command", [_command(job)]), ("after", [", ".join(step.needs)])]
    rows += [
        ("env", _environment(job, style)),
        ("inputs", _inputs(job, style)),
        ("outputs", table([(output.name, output.target, output.archive or "") for output in job.outputs])),
        ("config", [file.target for file in job.config]),
        ("limits", [_limits(job.limits)]),
        ("network", [job.network]),
    ]
    lines = [f"{number}. {style.paint(job.step, 'bold')}  {style.paint(job.step_type, 'dim')}"]
    for label, values in rows:
        for index, value in enumerate(value for value in values if value):
            shown = style.paint(f"{label if index == 0 else '':<{LABEL}}", "dim")
            lines.append(f"   {shown} {value}".rstrip())
    return "\n".join(lines)


def _command(job: ContainerJob) -> str:
    """What runs, as a shell would be told; the image's own parts are named, since only the engine knows them."""
    entrypoint = shlex.join(job.entrypoint) if job.entrypoint is not None else "<entrypoint of the image>"
    if job.arguments is not None:
        return f"{entrypoint} {shlex.join(job.arguments)}".rstrip()
    return entrypoint if job.entrypoint is not None else f"{entrypoint} <cmd of the image>"


def _environment(job: ContainerJob, style: Style) -> list[str]:
    """What the file sets, value by value; of what the platform adds to a training job only how much it is."""
    added = [key for key, _ in job.env if key.startswith(PLATFORM)]
    shown = [
        shorten(f"{key}={shlex.quote(value)}", WIDTH, style.sign("…")) for key, value in job.env if key not in added
    ]
    return [*shown, *([f"and {count(len(added), 'variable')} {PLATFORM}* (--json shows them)"] if added else [])]


def _inputs(job: ContainerJob, style: Style) -> list[str]:
    return table([(mount.name, mount.target, f"{style.sign('←')} {_source(mount)}") for mount in job.inputs])


def _source(mount: InputMount) -> str:
    source = mount.source
    if isinstance(source, StepData):
        return f"{source.step}.{source.output}"
    return shown_path(Path(source.path)) + ("/" if isinstance(source, CodeTree) else "")


def _limits(limits: Limits) -> str:
    words = []
    if limits.cpus is not None:
        words.append(f"{limits.cpus:g} CPUs")
    if limits.memory is not None:
        words.append(f"{size(limits.memory)} of memory")
    if limits.shm_size is not None:
        words.append(f"{size(limits.shm_size)} of /dev/shm")
    if limits.pids is not None:
        words.append(count(limits.pids, "process", "processes"))
    if limits.timeout is not None:
        words.append(f"time-out {seconds(limits.timeout)}, then {seconds(limits.grace)} of grace")
    return ", ".join(words)
