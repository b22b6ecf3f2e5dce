"""`contracts`: the contracts of scripts, and where they differ from the scripts."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import command, format_option
from runner.cli.output import say, say_json
from runner.errors import EXIT_PASSED, EXIT_STEP_FAILED, EXIT_USAGE, NothingSelectedError


@command("run-pipeline contracts\nrun-pipeline contracts xgboost_training --dir workspace")
@click.argument("name", required=False)
@click.option(
    "--dir",
    "dirs",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    multiple=True,
    help="Look here, and in DIR/contracts (repeatable; default: the current directory).",
)
@format_option
def contracts(name: str | None, dirs: tuple[Path, ...], form: str) -> int:
    """List the contracts of scripts (*_contract.py, *.step.yaml), and everything in which each differs from its script.

    NAME is a script or a step, as xgboost_training or XGBoostTraining. Nothing is run or imported. The script of a
    contract is looked for beside it, above it, and in `scripts` of either. Exit code 1 when one differs or has no
    script, 2 when one cannot be read, 5 when there is none.
    """
    from runner.report import contracts as report
    from runner.spec.contracts import Contracts
    from runner.spec.contracts.review import contract_dirs, review_all, review_named

    known = Contracts(contract_dirs(dirs or (Path(),)))
    reviews = [review_named(known, name)] if name is not None else review_all(known)
    if not reviews:
        where = ", ".join(str(each) for each in known.dirs)
        raise NothingSelectedError(
            f"no *_contract.py and no *.step.yaml in {where}", remedy="Name their directory with --dir."
        )
    if form == "json":
        say_json(report.document(reviews))
    else:
        say(report.text(reviews))
    verdicts = {each.verdict for each in reviews}
    if "unreadable" in verdicts:
        return EXIT_USAGE
    return EXIT_PASSED if verdicts == {"agrees"} else EXIT_STEP_FAILED
