"""Where everything lies in a run directory; the only place that knows.

runs/
  latest -> 20261120T192000Z-ab12cd
  20261120T192000Z-ab12cd/
    run.json  plan.json  events.jsonl  pipeline.yaml (or pipeline.json)
    steps/<step>/
      job.json  reproduce.sh  shell.sh  stdout  stderr  result.json  inputs.json  outputs.json
      trace.json       what the script opened, wrote, started and connected to
      cache.json       the parts of the key of its result, and whether an earlier run had it
      code/            the script as it ran
      inputs/<name>/   single files of the user's, alone in their directory
      config/<n>/      what the platform writes: one directory per target
      attempt/<name>/  outputs of a step that has not passed
      outputs/<name>/  outputs of a step that passed
      scratch/         the engine's own, gone when the container is
      hosts/algo-<k>/  of several instances, each its own: stdout, stderr, reproduce.sh, shell.sh, config/, attempt/,
                       scratch/, and in inputs/ what was dealt to it
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StepLayout:
    root: Path

    @property
    def job(self) -> Path:
        return self.root / "job.json"

    @property
    def reproduce(self) -> Path:
        return self.root / "reproduce.sh"

    @property
    def shell(self) -> Path:
        return self.root / "shell.sh"

    @property
    def stdout(self) -> Path:
        return self.root / "stdout"

    @property
    def stderr(self) -> Path:
        return self.root / "stderr"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def cache(self) -> Path:
        """What the cache knew of the step; absent in a run without one."""
        return self.root / "cache.json"

    @property
    def trace(self) -> Path:
        return self.root / "trace.json"

    @property
    def inputs_manifest(self) -> Path:
        return self.root / "inputs.json"

    @property
    def outputs_manifest(self) -> Path:
        return self.root / "outputs.json"

    @property
    def code(self) -> Path:
        return self.root / "code"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def attempt(self) -> Path:
        return self.root / "attempt"

    @property
    def hosts(self) -> Path:
        return self.root / "hosts"

    def host(self, name: str) -> StepLayout:
        """Of one of several instances."""
        return StepLayout(self.hosts / name)

    def each_host(self) -> list[StepLayout]:
        """Of every instance that was laid out; of a step with one instance none. Raises OSError."""
        return [StepLayout(path) for path in sorted(self.hosts.iterdir())] if self.hosts.is_dir() else []

    def input(self, name: str) -> Path:
        return self.root / "inputs" / name

    def config(self, index: int) -> Path:
        return self.root / "config" / str(index)

    def output(self, name: str) -> Path:
        return self.outputs / name


@dataclass(frozen=True, slots=True)
class RunLayout:
    root: Path

    @property
    def run_json(self) -> Path:
        return self.root / "run.json"

    @property
    def plan_json(self) -> Path:
        return self.root / "plan.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def pipeline_copy(self) -> Path:
        """The pipeline file as it ran, whichever of `pipeline.yaml` and `pipeline.json` is there."""
        json = self.root / "pipeline.json"
        return json if json.exists() else self.root / "pipeline.yaml"

    def copy_of(self, file: Path) -> Path:
        """Where the copy of this pipeline file goes: `pipeline.json` for JSON (a DAG file may be either), so that
        readers who go by the suffix are not misled."""
        return self.root / ("pipeline.json" if file.suffix.lower() == ".json" else "pipeline.yaml")

    def step(self, name: str) -> StepLayout:
        return StepLayout(self.root / "steps" / name)
