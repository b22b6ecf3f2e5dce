"""What earlier runs lend to a plan that does not run all steps: which outputs, of which runs, and what to know of them.

1. Only runs of the same pipeline file count, and of the same pipeline name.
2. Outputs that fit together are preferred: the newest run that has those of all steps, of which it may itself have
   taken some from an earlier run. Only where there is none are outputs of several runs mixed, and that is said.
3. Outputs that are no longer what was published are refused (`integrity`); those of a step that has changed since are
   used, and that is said (`drift`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.data.files import printable
from runner.errors import UsageError
from runner.pipeline.drift import changes
from runner.pipeline.integrity import verify
from runner.pipeline.plan import Plan
from runner.pipeline.store import Reused, RunRecord, list_runs
from runner.spec.names import listed

Wanted = Mapping[str, Sequence[str]]
"""Output names by step."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning; `step` is None for one about several."""

    step: str | None
    text: str
    """Goes on after the step's name, if there is one."""

    def __str__(self) -> str:
        return f"{self.step} {self.text}" if self.step else self.text


@dataclass(frozen=True, slots=True)
class Reuse:
    """By step that does not run: where its outputs come from."""

    steps: dict[str, Reused] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def to_json(self) -> list[dict[str, object]]:
        """As `reused` in `plan.json` and in `plan --json`."""
        return [
            {
                "step": step,
                "run": found.run_id,
                "started_at": found.started_at,
                "outputs": {name: str(place) for name, place in found.outputs.items()},
                "warnings": [remark.text for remark in self.remarks if remark.step in (step, None)],
            }
            for step, found in self.steps.items()
        ]


def find_reused(plan: Plan, runs_dir: Path) -> Reuse:
    """Find and check what the plan takes from earlier runs. Reads nothing when it takes nothing.

    Raises UsageError when there is no such run, or when its outputs were changed; WorkspaceError for what cannot be
    read.
    """
    wanted = plan.reused_outputs()
    if not wanted:
        return Reuse()
    named = [record for record in reversed(list_runs(runs_dir)) if record.pipeline == plan.pipeline]
    file = os.path.realpath(plan.file)
    runs = [record for record in named if os.path.realpath(record.file) == file]
    newest = {step: found for step, outputs in wanted.items() if (found := _newest(runs, step, outputs)) is not None}
    missing = [step for step in wanted if step not in newest]
    if missing:
        raise _nothing(plan, runs_dir, missing, {record.file for record in named} - {record.file for record in runs})
    together = _together(runs, wanted)
    chosen = together or newest
    remarks = [*_about_choice(chosen, newest, fitting=together is not None), *_about_steps(plan, chosen, runs_dir)]
    return Reuse({step: chosen[step] for step in wanted}, tuple(remarks))


def _newest(runs: Iterable[RunRecord], step: str, outputs: Sequence[str]) -> Reused | None:
    return next((found for run in runs if (found := run.published(step, outputs)) is not None), None)


def _together(runs: Sequence[RunRecord], wanted: Wanted) -> dict[str, Reused] | None:
    """The outputs of the newest run that has all of them, its own and those from which its own were made."""
    by_id = {run.run_id: run for run in runs}
    for run in runs:
        own = {step: found for step, names in wanted.items() if (found := run.published(step, names)) is not None}
        whole = dict(own)
        for step in own:
            for source, run_id in run.origins(step).items():
                lender = by_id.get(run_id)
                if source not in wanted or source in whole or lender is None:
                    continue
                if (lent := lender.published(source, wanted[source])) is not None:
                    whole[source] = lent
        if len(whole) == len(wanted):
            return whole
    return None


def _about_choice(chosen: Mapping[str, Reused], newest: Mapping[str, Reused], *, fitting: bool) -> Iterable[Remark]:
    if not fitting:
        origins = ", ".join(f"'{step}' from run {found.run_id}" for step, found in chosen.items())
        yield Remark(None, f"the reused outputs come from different runs, as no run has them all: {origins}")
    for step, found in newest.items():
        if found.run_id != chosen[step].run_id:
            yield Remark(
                step,
                f"has newer outputs in run {found.run_id}; those of run {chosen[step].run_id} are used, since they fit "
                "the other reused ones",
            )


def _about_steps(plan: Plan, chosen: Mapping[str, Reused], runs_dir: Path) -> Iterable[Remark]:
    for job in plan.reused:
        found = chosen.get(job.step)
        if found is None:  # feeds nothing that runs
            continue
        for output in verify(found):
            yield Remark(job.step, f"has a large output '{output}': names and sizes of its files were checked only")
        changed = changes(job, found.layout, runs_dir)
        if changed is None:
            yield Remark(job.step, f"may have changed since run {found.run_id}, whose job.json cannot be read")
        elif changed:
            parts = ", ".join(changed)
            what = "its old output is used; run it with"
            yield Remark(job.step, f"changed since run {found.run_id} ({parts}): {what} --until {job.step}")


def _nothing(plan: Plan, runs_dir: Path, steps: Sequence[str], other_files: set[str]) -> UsageError:
    one = len(steps) == 1
    who, whose = (f"step {listed(steps)} does", "its") if one else (f"steps {listed(steps)} do", "their")
    place = printable(runs_dir)
    others = f"; runs of {', '.join(map(printable, sorted(other_files)))} are not used" if other_files else ""
    return UsageError(
        f"{who} not run, and no earlier run of '{plan.pipeline}' in {place} has {whose} outputs{others}",
        remedy=f"run {listed(steps)} too: select {'it' if one else 'them'}, or do not skip {'it' if one else 'them'}",
    )
