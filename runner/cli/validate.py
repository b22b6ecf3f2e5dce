"""`validate`: check files without an engine, made for editors and pre-commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.options import command, json_option, specs_option, strict_option
from runner.cli.output import note, say, say_json
from runner.errors import EXIT_PASSED, EXIT_USAGE, SpecError


@command("run-pipeline validate pipeline.yaml\nrun-pipeline validate --json pipelines/*.yaml")
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@specs_option
@strict_option
@json_option
def validate(files: tuple[Path, ...], specs: Path | None, strict: bool, as_json: bool) -> int:
    """Check pipeline files; needs no engine and starts nothing.

    Every fault of every file is printed on stdout as FILE:LINE:COLUMN: PLACE: MESSAGE. Exit code 2 when there is one.
    So is everything that exceeds a limit of SageMaker's API: a warning, with --strict a fault.
    """
    checked = [_check(file, specs, strict=strict) for file in files]
    valid = all(entry["valid"] for entry in checked)
    if as_json:
        say_json({"schema_version": 1, "valid": valid, "files": checked})
        return EXIT_PASSED if valid else EXIT_USAGE
    for entry in checked:
        if entry["valid"]:
            say(_valid(entry))
        else:
            say(entry["message"])
    faulty = [entry for entry in checked if not entry["valid"]]
    if faulty and len(checked) > 1:
        note(f"{len(faulty)} of {len(checked)} files are not valid")
    return EXIT_PASSED if valid else EXIT_USAGE


def _valid(entry: dict[str, Any]) -> str:
    """The warnings of a file, a line each, and its verdict."""
    from runner.errors import Problem
    from runner.report.text import count

    warnings = [str(Problem(**warning)) for warning in entry["warnings"]]
    more = f", {count(len(warnings), 'warning')}; with --strict not valid" if warnings else ""
    return "\n".join([*warnings, f"{entry['file']}: valid, {count(len(entry['steps']), 'step')}{more}"])


def _check(file: Path, specs: Path | None, *, strict: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from runner.spec import load

    entry = {"file": str(file), "valid": False, "steps": [], "problems": [], "warnings": [], "message": ""}
    try:
        pipeline = load(file, specs, strict=strict)
    except SpecError as error:
        problems = [asdict(problem) for problem in error.problems]
        text = "\n".join(part for part in (error.message, error.remedy) if part)
        return {**entry, "problems": problems, "message": text}
    warnings = [asdict(remark) for remark in pipeline.remarks]
    return {**entry, "valid": True, "steps": list(pipeline.spec.steps), "warnings": warnings}
