"""Which kind of pipeline a file holds, and its test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import SpecError, UsageError
from runner.spec.document import Document, read
from runner.spec.scalar import plain
from runner.testing import flowfile, native
from runner.testing.faults import SpecFault
from runner.testing.results import PipelineResult
from runner.testing.specs import PipelineTestingSpec

if TYPE_CHECKING:
    from runner.testing.tester import RuntimeTester

_NATIVE = ("image", "images", "env")
"""Keys at the top that only a pipeline file of `run-pipeline run` has."""


def test(file: Path, tester: RuntimeTester, timeout: float) -> PipelineResult:
    """Test whatever pipeline a file holds. Raises SpecError and SpecFault for what is wrong with it."""
    document = read(file)
    data = plain(document.data)
    if isinstance(data, dict) and "script_specs" in data:
        return tester.pipeline_result(PipelineTestingSpec.from_file(file))
    if not isinstance(data, dict) or _is_native(data):
        return native.run_file(file, runs_dir=tester.workspace_dir / "runs", timeout=timeout)
    with _placed(document):
        spec = flowfile.pipeline_spec(data, tester.builder)
    return tester.pipeline_result(spec, loose=flowfile.in_a_row(data))


@contextmanager
def _placed(document: Document) -> Iterator[None]:
    """Say of a fault in which file it is, and in which line."""
    try:
        yield
    except SpecError:
        raise
    except SpecFault as fault:
        if not fault.places:
            raise SpecError([document.problem((), fault.message)], remedy=fault.remedy) from None
        problems = [document.problem(place, message) for place, message in fault.places]
        raise SpecError(problems, remedy=fault.remedy) from None
    except UsageError as error:  # of the DAG: a cycle, a loose end
        raise SpecError([document.problem(("edges",), error.message)], remedy=error.remedy) from None


def _is_native(data: Mapping[str, Any]) -> bool:
    """Whether the steps are those of a pipeline file: they have more than the documents' dict can say."""
    if any(key in data for key in _NATIVE):
        return True
    steps = data.get("steps")
    if not isinstance(steps, Mapping):
        return False
    return any(isinstance(step, Mapping) and _is_native_step(step) for step in steps.values())


def _is_native_step(step: Mapping[str, Any]) -> bool:
    inputs, outputs = step.get("inputs"), step.get("outputs")
    if step.keys() - set(flowfile.KNOWN) or isinstance(outputs, list):
        return True
    values = list(inputs.values()) if isinstance(inputs, Mapping) else []
    return any(not isinstance(value, str) for value in values)
