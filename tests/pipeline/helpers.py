"""Small pipelines built through the models, and runs of them on the fake engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.engine.fake import FakeEngine
from runner.pipeline.events import Event, RunFinished
from runner.pipeline.execute import Run
from runner.pipeline.plan import Plan, make_plan
from runner.pipeline.select import select
from runner.spec.models import Pipeline, PipelineSpec, StepSpec

OUT = "/opt/ml/processing/output"
PATIENCE = 20.0


def step(*needs: str, **fields: Any) -> StepSpec:
    """A processing step with one output `out` that takes `out` of each step it needs."""
    inputs = {need: {"from": f"{need}.out"} for need in needs}
    inputs.update(fields.pop("inputs", {}))
    defaults: dict[str, Any] = {"image": "img", "entrypoint": ("true",), "outputs": {"out": {}}, "inputs": inputs}
    return StepSpec.model_validate({**defaults, **fields})


def pipeline(tmp_path: Path, **steps: StepSpec) -> Pipeline:
    spec = PipelineSpec(name="demo", steps=steps)
    return Pipeline(file=tmp_path / "pipeline.yaml", spec=spec, source_text=b"name: demo\n")


def plan_of(tmp_path: Path, steps: Mapping[str, StepSpec], **choice: Sequence[str]) -> Plan:
    whole = pipeline(tmp_path, **steps)
    return make_plan(whole, select(whole.spec, **choice))


class Recorder:
    """A reporter that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.threads: set[int] = set()
        self.closed = 0

    def handle(self, event: Event) -> None:
        self.threads.add(threading.get_ident())
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Gates:
    """A hook for FakeEngine: `wait[point, step]` blocks until released, `fail[point, step]` raises once or always."""

    def __init__(self) -> None:
        self.fail: dict[tuple[str, str], BaseException] = {}
        self.wait: dict[tuple[str, str], threading.Event] = {}
        self.reached: dict[tuple[str, str], threading.Event] = {}

    def block(self, point: str, name: str) -> threading.Event:
        self.reached[point, name] = threading.Event()
        self.wait[point, name] = threading.Event()
        return self.wait[point, name]

    def __call__(self, point: str, name: str) -> None:
        if (point, name) in self.reached:
            self.reached[point, name].set()
        if (point, name) in self.wait:
            assert self.wait[point, name].wait(PATIENCE), f"{point} of {name} was never released"
        if (point, name) in self.fail:
            raise self.fail[point, name]


class Harness:
    """One run on a fake engine in a temporary directory."""

    def __init__(self, tmp_path: Path, engine: FakeEngine, **options: Any) -> None:
        self.tmp_path, self.engine = tmp_path, engine
        self.runs = options.pop("runs_dir", tmp_path / "runs")
        self.choice = {key: options.pop(key) for key in ("only", "from_", "until", "skip") if key in options}
        self.recorder = Recorder()
        self.options = {"jobs": 4, "reporters": [self.recorder], **options}
        self.run: Run | None = None

    def prepare(self, **steps: StepSpec) -> Run:
        plan = plan_of(self.tmp_path, steps, **self.choice)
        self.run = Run(plan, self.engine, runs_dir=self.runs, **self.options)
        return self.run

    def execute(self, **steps: StepSpec) -> RunFinished:
        finished = self.prepare(**steps).execute()
        self.nothing_left()
        return finished

    def nothing_left(self) -> None:
        assert all(container.removed for container in self.engine.containers.values())
        assert not [t for t in threading.enumerate() if t.name.startswith(("step-", "staging", "stopper"))]

    @property
    def root(self) -> Path:
        return (self.runs / "latest").resolve()


def verdicts(finished: RunFinished) -> dict[str, str]:
    """By step: the verdict, or the state of one that never started."""
    return {r.step: str(r.verdict or r.state) for r in finished.results}
