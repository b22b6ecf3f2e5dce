"""Read run directories: which runs there are, how they ended, and what can be reused from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.data.files import printable
from runner.errors import UsageError, WorkspaceError
from runner.pipeline.events import StepResult, StepState
from runner.pipeline.layout import RunLayout, StepLayout
from runner.pipeline.records import result_from
from runner.pipeline.rundir import LATEST, owner_alive
from runner.spec.names import did_you_mean, listed

DIED = "died"
"""Status of a run whose process is gone and that never wrote its end."""


@dataclass(frozen=True, slots=True)
class Reused:
    """The published outputs of a step of an earlier run."""

    run_id: str
    started_at: str
    """Of that run; UTC, ISO 8601."""
    step: str
    outputs: dict[str, Path]
    """Absolute directories, by output name."""
    digests: dict[str, str]
    layout: StepLayout
    """The step's directory in that run."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as its directory tells it."""

    run_id: str
    directory: Path
    document: dict[str, Any]
    """`run.json` as it was read; empty where the run died before it wrote one."""

    @property
    def layout(self) -> RunLayout:
        return RunLayout(self.directory)

    @property
    def status(self) -> str:
        """`running`, `died`, or as in RunFinished."""
        status = str(self.document.get("status", DIED))
        return DIED if status == "running" and not owner_alive(self.document.get("owner", {})) else status

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and for ever if it died."""
        return self.document.get("exit_code")

    @property
    def pipeline(self) -> str:
        return str(self.document.get("pipeline", ""))

    @property
    def file(self) -> str:
        return str(self.document.get("file", ""))

    @property
    def started_at(self) -> str:
        return str(self.document.get("started_at", ""))

    @property
    def finished_at(self) -> str | None:
        return self.document.get("finished_at")

    @property
    def seconds(self) -> float:
        return float(self.document.get("seconds", 0.0))

    @property
    def steps(self) -> tuple[str, ...]:
        """In execution order; of a run without a `run.json` those that have a directory."""
        if "steps" in self.document:
            return tuple(self.document["steps"])
        folder = self.directory / "steps"
        return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()

    def result(self, step: str) -> StepResult:
        """How a step ended, or how far it came. Raises UsageError for a name that is no step of this run,
        WorkspaceError for a file that cannot be read."""
        if step not in self.steps:
            raise UsageError(
                f"run {self.run_id} has no step '{step}'{did_you_mean(step, self.steps)}",
                remedy=f"its steps are {listed(self.steps)}",
            )
        path = self.layout.step(step).result
        written = _read(path) if path.is_file() else self._summary(step)
        if written is None:
            return self._unfinished(step)
        try:
            return result_from(written)
        except (KeyError, TypeError, ValueError) as error:
            raise WorkspaceError(f"{printable(path)} is not a step's result: {error!r}") from error

    @property
    def results(self) -> tuple[StepResult, ...]:
        """Of all steps, in execution order."""
        return tuple(self.result(step) for step in self.steps)

    def published(self, step: str, outputs: Sequence[str]) -> Reused | None:
        """These outputs of a step that passed in this run; None when one of them is not there."""
        layout = self.layout.step(step)
        places = {name: layout.output(name) for name in outputs}
        if read_or_nothing(layout.result).get("verdict") != "passed" or not all(p.is_dir() for p in places.values()):
            return None
        recorded = read_or_nothing(layout.outputs_manifest).get("outputs", {})
        if not all(name in recorded for name in outputs):
            return None
        digests = {name: str(recorded[name].get("digest", "")) for name in outputs}
        return Reused(self.run_id, self.started_at, step, places, digests, layout)

    def origins(self, step: str) -> dict[str, str]:
        """By step: the run from which its outputs came when `step` took them in this run."""
        taken = read_or_nothing(self.layout.step(step).inputs_manifest).get("inputs", ())
        return {item["source"]["step"]: item["run"] for item in taken if item.get("run")}

    def _summary(self, step: str) -> dict[str, Any] | None:
        """What `run.json` says of a step that never started and so has no directory."""
        return next((r for r in self.document.get("results", ()) if r.get("step") == step), None)

    def _unfinished(self, step: str) -> StepResult:
        layout = self.layout.step(step)
        directory = f"steps/{step}" if layout.root.is_dir() else ""
        if self.status == "running":
            state = StepState.RUNNING if layout.stdout.exists() else StepState.WAITING
            return StepResult(step=step, state=state, verdict=None, reason="", directory=directory)
        reason = "the runner died before this step ended"
        return StepResult(step=step, state=StepState.CANCELLED, verdict=None, reason=reason, directory=directory)


def list_runs(runs_dir: Path) -> list[RunRecord]:
    """All runs, oldest first. An absent directory holds none. Raises WorkspaceError for one that cannot be read."""
    if not runs_dir.is_dir():
        return []
    try:
        folders = [p for p in runs_dir.resolve().iterdir() if p.is_dir() and not p.is_symlink() and _is_run(p)]
    except OSError as error:
        raise WorkspaceError(f"cannot read {printable(runs_dir)}: {error.strerror}") from error
    records = [RunRecord(path.name, path, read_or_nothing(path / "run.json")) for path in folders]
    return sorted(records, key=lambda record: (record.started_at or "", record.run_id))


def find_run(runs_dir: Path, name: str = LATEST) -> RunRecord:
    """The run of that name: `latest`, a whole id, or the beginning of exactly one.

    Raises UsageError when there is none, or more than one.
    """
    runs = list_runs(runs_dir)
    if not runs:
        raise UsageError(f"no runs in {printable(runs_dir)}", remedy="start one with `run-pipeline FILE`")
    if name == LATEST:
        return _latest(runs_dir, runs)
    by_id = {record.run_id: record for record in runs}
    if name in by_id:
        return by_id[name]
    fitting = [run_id for run_id in by_id if name and run_id.startswith(name)]
    if len(fitting) == 1:
        return by_id[fitting[0]]
    if fitting:
        raise UsageError(f"several runs begin with '{name}'", remedy=f"they are {listed(sorted(fitting))}")
    raise UsageError(
        f"no run '{name}' in {printable(runs_dir)}{did_you_mean(name, by_id)}",
        remedy="`run-pipeline runs` lists them",
    )


def _latest(runs_dir: Path, runs: Sequence[RunRecord]) -> RunRecord:
    """What the link names, else the newest: a copied or unpacked directory may lack the link."""
    link = runs_dir / LATEST
    target = link.readlink().name if link.is_symlink() else ""
    return next((record for record in runs if record.run_id == target), runs[-1])


def _is_run(path: Path) -> bool:
    return (path / "run.json").is_file() or (path / "steps").is_dir()


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"cannot read {printable(path)}: {error}") from error
    if not isinstance(document, dict):
        raise WorkspaceError(f"{printable(path)} is not a JSON object")
    return document


def read_or_nothing(path: Path) -> dict[str, Any]:
    """For lists of runs: one that was cut off while it wrote must not hide the others."""
    try:
        return _read(path)
    except WorkspaceError:
        return {}
