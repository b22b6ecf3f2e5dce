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
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="time-out of each step of a *.pipeline.yaml that names none (default: 300)",
    )
    group.addoption(
        "--pipeline-runs-dir",
        default=None,
        metavar="DIR",
        help="where the run directories of *.pipeline.yaml files are (default: $RUN_PIPELINE_RUNS_DIR, else runs)",
    )


def _seconds(text: str) -> float:
    from argparse import ArgumentTypeError

    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return value


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """What a run keeps of its steps (their code, what they wrote) is no test of the project."""
    is_kept = collection_path.name == "steps" and (collection_path.parent / "run.json").is_file()
    return True if is_kept else None


def pytest_collect_file(file_path: Path, parent: Any) -> Any:
    if not file_path.name.endswith(SUFFIX):
        return None
    from runner.testing.collecting import PipelineFile

    return PipelineFile.from_parent(parent, path=file_path)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by xdist in its controller, for each worker: also for one that takes the place of a crashed one."""
    from runner.testing.sharing import offer

    offer(node.config, node.workerinput)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: Any) -> None:
    """The controller outlives its workers."""
    if config.pluginmanager.has_plugin("dsession"):
        from runner.testing.sharing import withdraw

        withdraw(config)


@pytest.fixture(scope="session")
def pipeline(request: pytest.FixtureRequest) -> Callable[[str | Path], PipelineResult]:
    """`pipeline(FILE)` runs a pipeline file, once in a session, and gives its `PipelineResult`.

    FILE is relative to pytest's rootdir. Raises SpecError for what is wrong with the file, EnvironmentFault when
    nothing can run (no engine); a step that fails is in the result.
    """
    from runner.testing.sharing import shared_result

    def run(file: str | Path) -> PipelineResult:
        __tracebackhide__ = True
        return shared_result(request.config, file)

    return run
