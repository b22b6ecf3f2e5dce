"""`validate`: check files without an engine, made for editors and pre-commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.options import command, json_option, specs_option
from runner.cli.output import note, say, say_json
from runner.errors import EXIT_PASSED, EXIT_USAGE, SpecError


@command("run-pipeline validate pipeline.yaml\nrun-pipeline validate --json pipelines/*.yaml")
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@specs_option
@json_option
def validate(files: tuple[Path, ...], specs: Path | None, as_json: bool) -> int:
    """Check pipeline files; needs no engine and starts nothing.

    Every fault of every file is printed on stdout as FILE:LINE:COLUMN: PLACE: MESSAGE. Exit code 2 when there is one.
    """
    checked = [_check(file, specs) for file in files]
    valid = all(entry["valid"] for entry in checked)
    if as_json:
        say_json({"schema_version": 1, "valid": valid, "files": checked})
        return EXIT_PASSED if valid else EXIT_USAGE
    for entry in checked:
        if entry["valid"]:
            count = len(entry["steps"])
            say(f"{entry['file']}: valid, {count} step{'s' if count != 1 else ''}")
        else:
            say(entry["message"])
    faulty = [entry for entry in checked if not entry["valid"]]
    if faulty and len(checked) > 1:
        note(f"{len(faulty)} of {len(checked)} files are not valid")
    return EXIT_PASSED if valid else EXIT_USAGE


def _check(file: Path, specs: Path | None) -> dict[str, Any]:
    from dataclasses import asdict

    from runner.spec import load

    try:
        pipeline = load(file, specs)
    except SpecError as error:
        problems = [asdict(problem) for problem in error.problems]
        text = "\n".join(part for part in (error.message, error.remedy) if part)
        return {"file": str(file), "valid": False, "steps": [], "problems": problems, "message": text}
    return {"file": str(file), "valid": True, "steps": list(pipeline.spec.steps), "problems": [], "message": ""}
