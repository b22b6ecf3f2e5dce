"""`specs list|show|edit`: the execution specs of a workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import CONTEXT, PatientHelp, with_example
from runner.cli.output import say
from runner.errors import EXIT_PASSED, UsageError

if TYPE_CHECKING:
    from runner.testing.builder import PipelineTestingSpecBuilder

_workspace = click.option(
    "--workspace-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("test/integration/runtime"),
    show_default=True,
    metavar="DIR",
    help="Specs are in DIR/.specs.",
)


class _Group(PatientHelp, click.Group):
    """Shows its help also to a reader who leaves early."""


@click.group(
    cls=_Group,
    context_settings=CONTEXT,
    epilog="\b\nExample:\n  run-pipeline specs list --workspace-dir test_workspace\n"
    "  run-pipeline specs edit xgboost_training",
)
def specs() -> None:
    """List, show or edit the execution specs of a workspace."""


@specs.command("list", **with_example("run-pipeline specs list --workspace-dir test_workspace"))
@_workspace
def list_specs(workspace_dir: Path) -> int:
    """List the saved specs: script, step, and when each was saved."""
    builder = _builder(workspace_dir)
    for name in builder.list_saved_specs():
        spec = builder.get_script_spec_by_name(name)
        if spec is not None:
            say(f"{name}\t{spec.step_name or '-'}\t{spec.last_updated or '-'}")
    return EXIT_PASSED


@specs.command("show", **with_example("run-pipeline specs show xgboost_training"))
@click.argument("name")
@_workspace
def show(name: str, workspace_dir: Path) -> int:
    """Print the saved spec of a script or node as JSON."""
    builder = _builder(workspace_dir)
    spec = builder.saved_spec(name)
    if spec is None:
        from runner.spec.names import did_you_mean, listed

        known = builder.list_saved_specs()
        hint = did_you_mean(name, known) or f"; saved are: {listed(known)}"
        raise UsageError(f"no saved spec for '{name}' in {builder.specs_dir}{hint}")
    say(json.dumps(spec.to_dict(), indent=2, ensure_ascii=False))
    return EXIT_PASSED


@specs.command("edit", **with_example("run-pipeline specs edit xgboost_training"))
@click.argument("name")
@_workspace
def edit(name: str, workspace_dir: Path) -> int:
    """Ask for each field of a spec, and save it: the saved one, else a new one by contract and defaults."""
    builder = _builder(workspace_dir)
    builder.update_script_spec_interactive(name)
    say(f"saved in {builder.specs_dir}")
    return EXIT_PASSED


def _builder(workspace_dir: Path) -> PipelineTestingSpecBuilder:
    from runner.testing.builder import PipelineTestingSpecBuilder

    return PipelineTestingSpecBuilder(workspace_dir)
