"""What pytest collects from a `*.pipeline.yaml`: an item per step and per edge, all of one run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RunnerError
from runner.spec import edges, load
from runner.testing.native import run_file
from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult

_KEY = pytest.StashKey[dict[Path, "PipelineResult | RunnerError"]]()


class PipelineFile(pytest.File):
    """A pipeline file. What is wrong with it is a collection error with file and line."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            spec = load(self.path).spec
        except RunnerError as error:
            raise self.CollectError(_words(error)) from None
        for step in spec.steps:
            yield StepItem.from_parent(self, name=step)
        for source, target in dict.fromkeys((edge.source, edge.target) for edge in edges(spec)):
            yield EdgeItem.from_parent(self, name=f"{source}->{target}")


class Failed(Exception):
    """A step or edge that did not pass; its text is the whole message."""


class _Item(pytest.Item):
    @property
    def result(self) -> PipelineResult:
        return shared_result(self.config, self.path)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The explanation alone: nobody needs the plug-in's own traceback."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        if isinstance(excinfo.value, RunnerError):
            return _words(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"


class StepItem(_Item):
    """One step."""

    def runtest(self) -> None:
        result = self.result.script_results[self.name]
        if result.kind == "blocked":
            pytest.skip(result.error_message or "blocked")
        if not result.success:
            raise Failed(_step_text(result))


class EdgeItem(_Item):
    """One edge."""

    def runtest(self) -> None:
        result: DataCompatibilityResult = self.result.data_flow_results[self.name]
        if not result.tested:
            pytest.skip("; ".join(result.compatibility_issues) or "the consumer did not run")
        if not result.compatible:
            raise Failed(str(result))


def shared_result(config: pytest.Config, file: str | Path) -> PipelineResult:
    """The one run of a file in this session, also among the workers of xdist. Raises RunnerError."""
    path = Path(file).absolute()
    known = config.stash.setdefault(_KEY, {})
    if path not in known:
        known[path] = _run(config, path)
    found = known[path]
    if isinstance(found, RunnerError):
        raise found
    return found


def _run(config: pytest.Config, path: Path) -> PipelineResult | RunnerError:
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return _run_now(config, path)
    # A directory of this test run, of this user: whoever can write there could have changed the tests themselves.
    folder = Path(tempfile.gettempdir()) / f"run-pipeline-pytest-{os.geteuid()}-{worker['testrunuid']}"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / name
        if kept.exists():
            loaded: PipelineResult | RunnerError = pickle.loads(kept.read_bytes())  # noqa: S301  see above
            return loaded
        result = _run_now(config, path)
        kept.write_bytes(pickle.dumps(result))
        return result


def _run_now(config: pytest.Config, path: Path) -> PipelineResult | RunnerError:
    timeout = float(config.getoption("--pipeline-timeout"))
    try:
        return run_file(path, runs_dir=path.parent / "runs", timeout=timeout)
    except RunnerError as error:
        return error


def _words(error: RunnerError) -> str:
    return "\n".join(part for part in (error.message, error.remedy) if part)


def _step_text(result: ScriptTestResult) -> str:
    parts = [str(result), result.traceback or ""]
    if result.run_dir is not None:
        parts.append(f"run directory: {result.run_dir}")
    return "\n\n".join(part for part in parts if part)
