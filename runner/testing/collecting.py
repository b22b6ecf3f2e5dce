"""What pytest collects from a `*.pipeline.yaml`: an item per step and per edge, all of one run.

`failed`: the script, its data or the edge is at fault. `error`: the machine is, or the file. `skipped`: blocked by a
failure that another item of this session tells; where none does, since it was not chosen, a blocked item has failed,
too: a session in which nothing passed must not end as if something had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from runner.errors import RunnerError
from runner.spec import edges, load
from runner.spec.document import read
from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult
from runner.testing.sharing import shared_result


class PipelineWarning(pytest.PytestWarning):
    """An edge passed, and proves less than it seems to."""


class PipelineFile(pytest.File):
    """A pipeline file. What is wrong with it is a collection error with file and line."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            spec = load(self.path).spec
            document = read(self.path)
        except RunnerError as error:
            raise self.CollectError(_words(error)) from None
        lines = {step: document.mark(("steps", step), key=True)[0] for step in spec.steps}
        for step, line in lines.items():
            yield StepItem.from_parent(self, name=step, line=line)
        for source, target in dict.fromkeys((edge.source, edge.target) for edge in edges(spec)):
            yield EdgeItem.from_parent(self, name=f"{source}->{target}", line=lines[target])


class _Item(pytest.Item):
    def __init__(self, *, line: int, **known: Any) -> None:
        super().__init__(**known)
        self._line = line
        """Of the step, or of the edge's target; counts from 1."""

    def runtest(self) -> None:
        raise NotImplementedError

    @property
    def pipeline(self) -> PipelineResult:
        return shared_result(self.config, self.path)

    def setup(self) -> None:
        """Runs the file: what keeps it from running is thereby an error, not a failure."""
        refused = ""
        try:
            result = self.pipeline
        except RunnerError as error:
            refused = _words(error)
        if refused:  # told out here, or else pytest would print the error a second time, as its context
            _fail(refused)
        if self.name not in result.script_results and self.name not in result.data_flow_results:
            _fail(f"{self.path.name} was changed after it was collected: it has no '{self.name}' any more")

    def not_tested(self, why: str) -> None:
        """Skip, if another item tells what this one waits for; else fail."""
        causes = {name for name, each in self.pipeline.script_results.items() if not each.success and _ran(each)}
        chosen = {item.name for item in self.session.items if isinstance(item, StepItem) and item.path == self.path}
        if causes & chosen:
            skipped = pytest.skip.Exception(why)
            skipped._use_item_location = True  # the pipeline file's line, not this one
            raise skipped
        told = [_step_text(name, self.pipeline.script_results[name]) for name in sorted(causes)]
        _fail("\n\n".join([why, *told]))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, self._line - 1, f"{self.path.name}: {self.name}"


class StepItem(_Item):
    """One step."""

    def setup(self) -> None:
        super().setup()
        result = self.pipeline.script_results[self.name]
        if result.is_error:
            _fail(_step_text(self.name, result))

    def runtest(self) -> None:
        result = self.pipeline.script_results[self.name]
        if not result.success and not _ran(result):
            self.not_tested(result.error_message or "blocked")
        if not result.success:
            _fail(_step_text(self.name, result))


class EdgeItem(_Item):
    """One edge."""

    def runtest(self) -> None:
        result = self.pipeline.data_flow_results[self.name]
        issues = "\n".join(result.compatibility_issues)
        if not result.tested:
            self.not_tested(issues or "the consumer did not run")
        if not result.compatible:
            _fail(f"{issues}\n\n{_formats(result)}")
        for risk in result.risks:
            self.warn(PipelineWarning(f"{self.name}: {risk}"))


def _fail(text: str) -> NoReturn:
    """The explanation alone: nobody needs the plug-in's own traceback."""
    pytest.fail(text, pytrace=False)


def _ran(result: ScriptTestResult) -> bool:
    """Whether the step is the cause of what did not pass: else it waits for one that is."""
    return result.kind != "blocked"


def _words(error: RunnerError) -> str:
    return "\n".join(part for part in (error.message, error.remedy) if part)


def _step_text(name: str, result: ScriptTestResult) -> str:
    """The reason first, since pytest's summary shows one line; then what the script wrote: CI has no run directory."""
    lines = [result.error_message or f"{name} did not pass"]
    if result.remedy:
        lines.append(f"remedy: {result.remedy}")
    if result.stdout_path and result.stderr_path:
        lines += _output(Path(result.stdout_path), Path(result.stderr_path))
    if result.run_dir is not None:
        lines += ["", f"run directory: {result.run_dir}"]
    return "\n".join(lines)


def _formats(result: DataCompatibilityResult) -> str:
    ports = ", ".join(f"{output} -> {port}" for output, port in result.ports.items()) or "order only"
    return f"data: {ports}; written: {result.data_format_a or 'nothing'}; read: {result.data_format_b or 'not known'}"


def _output(stdout: Path, stderr: Path) -> Iterable[str]:
    from runner.report.tail import excerpts

    try:
        found = excerpts(stdout, stderr)
    except OSError as error:
        return ["", f"cannot read what the step wrote: {error}"]
    return [line for each in found for line in ("", f"{each.title}:", *(f"  {text}" for text in each.lines))]
