"""`test-script`, `test-compatibility`, `test-pipeline`: the runtime-testing API from the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import Decorator, color_option, command
from runner.cli.output import say, say_json, style_of_stdout
from runner.errors import EXIT_ENVIRONMENT, EXIT_PASSED, EXIT_STEP_FAILED, EXIT_USAGE, UsageError

if TYPE_CHECKING:
    from runner.testing.results import PipelineResult, ScriptTestResult
    from runner.testing.tester import RuntimeTester

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
    with _missing_scripts():
        result = _tester(workspace_dir, timeout).test_script(name)
    return _tell(str(result), result.to_dict(), result.success, form, color, junit, name, scripts=[result])


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
    with _missing_scripts():
        result = _tester(workspace_dir, timeout).test_data_compatibility(script_a, script_b)
    scripts = [each for each in (result.result_a, result.result_b) if each is not None]
    name = f"{script_a}->{script_b}"
    return _tell(
        str(result), result.to_dict(), result.compatible, form, color, junit, name, scripts=scripts, edges=[result]
    )


@command("run-pipeline test-pipeline pipeline_config.json --workspace-dir test_workspace")
@click.argument("file", type=click.Path(path_type=Path))
@_options
def test_pipeline(file: Path, workspace_dir: Path, timeout: float, form: str, color: str, junit: Path | None) -> int:
    """Run every step of FILE once, chained, and tell each step and each edge.

    FILE is a pipeline file as `run` takes it, or {"steps": {NODE: {"script": FILE}}}, or a DAG {"nodes", "edges"} whose
    specs are in the workspace; a step that names no inputs gets those of its contract.
    """
    result = _flow(file, workspace_dir, timeout)
    scripts, edges = list(result.script_results.values()), list(result.data_flow_results.values())
    code = _tell(
        str(result),
        result.to_dict(),
        result.pipeline_success,
        form,
        color,
        junit,
        file.name,
        scripts=scripts,
        edges=edges,
    )
    return code if result.pipeline_success else result.exit_code or code


def _flow(file: Path, workspace_dir: Path, timeout: float) -> PipelineResult:
    from runner.testing import files

    return files.test(file, _tester(workspace_dir, timeout), timeout)


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


def _tell(
    text: str,
    document: dict[str, Any],
    passed: bool,
    form: str,
    color: str,
    junit: Path | None,
    name: str,
    *,
    scripts: list[Any],
    edges: list[Any] | None = None,
) -> int:
    if junit is not None:
        from runner.testing.junit import write

        write(junit, name, scripts, edges or [])
    if form == "json":
        say_json({"schema_version": 1, **document})
    else:
        from runner.testing.telling import told

        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        say(told(text, style_of_stdout(color), columns))
    return EXIT_PASSED if passed else _exit_code(scripts)


def _exit_code(scripts: Sequence[ScriptTestResult]) -> int:
    """By the one table: 1 as soon as one script is at fault."""
    kinds = {each.kind for each in scripts if not each.success} - {"blocked", "cancelled"}
    if kinds and kinds <= {"unbound", "spec"}:
        return EXIT_USAGE
    return EXIT_ENVIRONMENT if kinds == {"infrastructure"} else EXIT_STEP_FAILED


@contextmanager
def _missing_scripts() -> Iterator[None]:
    """A script that is nowhere is wrong usage."""
    try:
        yield
    except FileNotFoundError as error:
        remedy = "Name the directory that has it, or has it in `scripts`, with --workspace-dir."
        raise UsageError(str(error), remedy=remedy) from None
