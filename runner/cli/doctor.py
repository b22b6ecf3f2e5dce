"""`doctor`: is this machine fit to run pipelines, and if not, what cures it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.options import color_option, command, json_option, runs_dir_option
from runner.cli.output import say, say_json, style_of_stdout
from runner.errors import EXIT_ENVIRONMENT, EXIT_PASSED

if TYPE_CHECKING:
    from runner.engine.checks import Check
    from runner.report.style import Style

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


@command("run-pipeline doctor\nrun-pipeline doctor --json | jq '.checks[] | select(.status == \"failed\")'")
@color_option
@json_option
@runs_dir_option
def doctor(color: str, as_json: bool, runs_dir: Path) -> int:
    """Check engine, API version, memory, images, disk and permissions; say how to cure what is wrong.

    Exit code 0 when runs can work (warnings included), 3 when they cannot.
    """
    from runner.engine.checks import Status, run_checks

    checks = run_checks(runs_dir)
    healthy = all(check.status is not Status.FAILED for check in checks)
    if as_json:
        say_json({"schema_version": 1, "healthy": healthy, "checks": [asdict(check) for check in checks]})
    else:
        say("\n".join(_lines(checks, style_of_stdout(color))))
    return EXIT_PASSED if healthy else EXIT_ENVIRONMENT


def _lines(checks: list[Check], style: Style) -> list[str]:
    names = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        word = style.paint(f"{check.status:<7}", _COLOURS[check.status])
        lines.append(f"{word}  {check.name:<{names}}  {check.found}")
        if check.cure:
            lines.append(f"{'':<7}  {'':<{names}}  cure: {check.cure}")
    return lines
