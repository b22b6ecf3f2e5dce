"""The pytest plug-in: `*.pipeline.yaml` files become tests, an item per step and per edge; and a fixture.

Imported by every pytest run of an environment that has this package, so it imports nothing by itself: what it needs is
loaded when a pipeline file is collected, or the fixture called. A file is run once, whatever items are chosen, and once
for all workers of xdist: the first that needs it runs it, the others wait and read its results.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from runner.testing.results import PipelineResult

SUFFIX = ".pipeline.yaml"


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("run-pipeline")
    group.addoption(
        "--pipeline-timeout",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="time-out of each step of a *.pipeline.yaml that names none (default: 300)",
    )


def pytest_collect_file(file_path: Path, parent: Any) -> Any:
    if not file_path.name.endswith(SUFFIX):
        return None
    from runner.testing.collecting import PipelineFile

    return PipelineFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def pipeline(request: pytest.FixtureRequest) -> Callable[[str | Path], PipelineResult]:
    """`pipeline(FILE)` runs a pipeline file, once in a session, and gives its `PipelineResult`."""
    from runner.testing.collecting import shared_result

    return lambda file: shared_result(request.config, file)
