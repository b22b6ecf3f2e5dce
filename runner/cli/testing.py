"""`test-script`, `test-compatibility`, `test-pipeline`: the runtime-testing API from the command line."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.junit import junit_file
from runner.cli.options import Decorator, color_option, command
from runner.cli.output import say, say_json, style_of_stdout
from runner.errors import EXIT_ENVIRONMENT, EXIT_PASSED, EXIT_STEP_FAILED, EXIT_USAGE, UsageError

if TYPE_CHECKING:
    from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult
    from runner.testing.tester import RuntimeTester


def _finite(_: click.Context, __: click.Parameter, value: float) -> float:
    """What `FloatRange` lets pass although it is no time."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of seconds")
    return value


_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--workspace-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("test/integration/runtime"),
        show_default=True,
        metavar="DIR",
        help="Where specs, test data, scripts and runs are.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        callback=_finite,
        help="A script that takes longer is stopped and has failed.",
    ),
    click.option(
        "--output-format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: exactly one document on stdout, also for errors.",
    ),
    color_option,
    click.option(
        "--junit",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write a JUnit XML file, a test case per script and per edge.",
    ),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@command("run-pipeline test-script tabular_preprocessing --workspace-dir test_workspace")
@click.argument("name")
@_options
def test_script(name: str, workspace_dir: Path, timeout: float, form: str, color: str, junit: Path | None) -> int:
    """Run the script NAME by itself, by its saved spec, else by its contract, else by the defaults.

    It is looked for in the workspace and the current directory, and in `scripts` of both.
    """

    def test() -> _Tested:
        result = _tester(workspace_dir, timeout).test_script(name)
        return _Tested(result, result.success, [result])

    return _answer(test, name, form, color, junit)


@command("run-pipeline test-compatibility tabular_preprocessing xgboost_training")
@click.argument("script_a")
@click.argument("script_b")
@_options
def test_compatibility(
    script_a: str, script_b: str, workspace_dir: Path, timeout: float, form: str, color: str, junit: Path | None
) -> int:
    """Run SCRIPT_A, then SCRIPT_B on what it wrote, and say what does not fit.

    Where the first has no data in the workspace it gets a small sample.
    """

    def test() -> _Tested:
        result = _tester(workspace_dir, timeout).test_data_compatibility(script_a, script_b)
        scripts = [each for each in (result.result_a, result.result_b) if each is not None]
        return _Tested(result, result.compatible, scripts, [result])

    return _answer(test, f"{script_a}->{script_b}", form, color, junit)


@command("run-pipeline test-pipeline pipeline_config.json --workspace-dir test_workspace")
@click.argument("file", type=click.Path(path_type=Path))
@_options
def test_pipeline(file: Path, workspace_dir: Path, timeout: float, form: str, color: str, junit: Path | None) -> int:
    """Run every step of FILE once, chained, and tell each step and each edge.

    FILE is a pipeline file as `run` takes it, or {"steps": {NODE: {"script": FILE}}}, or a DAG {"nodes", "edges"} whose
    specs are in the workspace; a step that names no inputs gets those of its contract.
    """

    def test() -> _Tested:
        from runner.testing import files

        result = files.test(file, _tester(workspace_dir, timeout), timeout)
        scripts, edges = list(result.script_results.values()), list(result.data_flow_results.values())
        return _Tested(result, result.pipeline_success, scripts, edges, result.exit_code)

    return _answer(test, file.name, form, color, junit)


def _tester(workspace_dir: Path, timeout: float) -> RuntimeTester:
    from runner.testing.config import RuntimeTestingConfiguration
    from runner.testing.tester import RuntimeTester

    return RuntimeTester(
        RuntimeTestingConfiguration(
            workspace_dir=str(workspace_dir),
            timeout_seconds=timeout,
            enable_logging=False,
            enable_enhanced_features=True,
            enable_logical_matching=True,
        )
    )


@dataclass(frozen=True, slots=True)
class _Tested:
    """What was found out, and its parts for the JUnit file."""

    result: ScriptTestResult | DataCompatibilityResult | PipelineResult
    passed: bool
    scripts: list[ScriptTestResult]
    edges: list[DataCompatibilityResult] = field(default_factory=list)
    code: int | None = None
    """Exit code of a test that did not pass, where it is known."""

    @property
    def exit_code(self) -> int:
        """A script that failed by itself outweighs a fault of the machine, as in `run`."""
        if self.passed:
            return EXIT_PASSED
        if self.code:
            return self.code
        failed = [each for each in self.scripts if not each.success and each.kind not in _FOLLOWING]
        if failed and all(each.kind in _OF_THE_CALLER for each in failed):
            return EXIT_USAGE
        machine = failed and all(each.is_error for each in failed)
        return EXIT_ENVIRONMENT if machine else EXIT_STEP_FAILED


_FOLLOWING = ("blocked", "cancelled", "not-run")
"""Kinds that say nothing of the script itself."""
_OF_THE_CALLER = ("unbound", "spec")


def _answer(test: Callable[[], _Tested], name: str, form: str, color: str, junit: Path | None) -> int:
    """Test and tell. Raises UsageError for a script that is nowhere."""
    with junit_file(junit, name):
        try:
            tested = test()
        except FileNotFoundError as error:
            remedy = "Name the directory that has it, or has it in `scripts`, with --workspace-dir."
            raise UsageError(str(error), remedy=remedy) from None
    if junit is not None:
        from runner.testing.junit import write

        write(junit, name, tested.scripts, tested.edges)
    if form == "json":
        say_json({"schema_version": 1, **tested.result.to_dict()})
    else:
        from runner.testing.telling import told

        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        say(told(str(tested.result), style_of_stdout(color), columns))
    return tested.exit_code
