"""What a conformance case is, and how it is run: a small pipeline on the real engine, then a look at what it left."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUT = "/opt/ml/processing/output/out"
SEEN = f"""
import json, os, sys
def tell(**seen):
    with open({OUT!r} + "/seen.json", "w") as handle:
        json.dump(seen, handle)
"""
"""Prefix for a script that tells what it saw: `tell(argv=sys.argv)`; needs an output `out`."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run."""

    root: Path
    """The run directory."""
    exit_code: int
    notices: tuple[str, ...]

    def result(self, step: str = "s") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "steps" / step / "result.json").read_text())
        return found

    def output(self, step: str = "s", name: str = "out") -> Path:
        return self.root / "steps" / step / "outputs" / name

    def seen(self, step: str = "s") -> dict[str, Any]:
        """What the script told (see `SEEN`)."""
        found: dict[str, Any] = json.loads((self.output(step) / "seen.json").read_text())
        return found

    def stream(self, name: str = "stdout", step: str = "s") -> bytes:
        return (self.root / "steps" / step / name).read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`pipeline` is a pipeline file's text; `check` gets the finished run; `points` name those of the `CONTRACT`."""

    name: str
    points: tuple[str, ...]
    pipeline: str
    check: Callable[[Ran], None]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """Relative path -> content, beside the pipeline file."""
    exit_code: int = 0
    run: Callable[[Any, Path], Ran] | None = None
    """Runs it in another way than `execute`; takes the engine and the case's directory."""


class Notices:
    """A reporter that keeps what a person is told beside the results, which have warnings of their own."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def handle(self, event: Any) -> None:
        if type(event).__name__ == "Notice":
            self.texts.append(f"{event.step}: {event.message}" if event.step else event.message)

    def close(self) -> None:
        """Nothing to end."""


def lay_out(case: Case, directory: Path) -> Path:
    """Write the case's files; returns the pipeline file."""
    for name, content in case.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    file = directory / "pipeline.yaml"
    file.write_text(case.pipeline)
    return file


def execute(engine: Any, directory: Path) -> Ran:
    """Run the pipeline file of a directory in this process, as `run-pipeline` does."""
    from runner.pipeline.execute import Run
    from runner.pipeline.plan import make_plan
    from runner.pipeline.provision import provide_images
    from runner.pipeline.select import select
    from runner.spec import load

    pipeline = load(directory / "pipeline.yaml")
    plan = make_plan(pipeline, select(pipeline.spec))
    provide_images(engine, plan, lambda text: None)
    told = Notices()
    finished = Run(plan, engine, runs_dir=directory / "runs", jobs=2, reporters=[told]).execute()
    return Ran((directory / "runs" / "latest").resolve(), finished.exit_code, tuple(told.texts))


def command_line(*words: str, cwd: Path) -> tuple[int, str, str]:
    """`run-pipeline WORDS` as a process of its own; exit code, stdout, stderr."""
    import subprocess

    program = Path(sys.executable).with_name("run-pipeline")
    done = subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr
