"""`cache list`: what the step cache holds; `cache gc`: make it smaller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli.options import CONTEXT, PatientHelp, json_option, runs_dir_option, with_example
from runner.cli.output import say, say_json
from runner.cli.stepcache import cache_dir_option, place_of
from runner.errors import EXIT_PASSED

if TYPE_CHECKING:
    from runner.pipeline.cache.folder import Folder

_Result = TypeVar("_Result")


class _Group(PatientHelp, click.Group):
    """Shows its help also to a reader who leaves early."""


class _Bound(click.ParamType[float]):
    """A size, a duration or a share, as the function reads it."""

    def __init__(self, name: str, read: Callable[[str], float]) -> None:
        self.name, self._read = name, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return self._read(str(value))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def _size(text: str) -> float:
    from runner.spec.units import size

    return size(text)


def _seconds(text: str) -> float:
    from runner.spec.units import seconds

    return seconds(text)


def _share(text: str) -> float:
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not text.strip().endswith("%") or not 0 <= share <= 1:
        raise ValueError("a share is a percentage from 0% to 100%")
    return share


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog="\b\nExample:\n  run-pipeline cache\n  run-pipeline cache gc --max-size 5GB --max-age 30d",
)
@click.pass_context
def cache(ctx: click.Context) -> int:
    """The results that runs keep, so that steps which would give the same need not run: `list` (also without a
    command) shows them, `gc` removes those that were used longest ago.
    """
    if ctx.invoked_subcommand is not None:
        return EXIT_PASSED
    code: int = ctx.invoke(list_entries)
    return code


@cache.command("list", **with_example("run-pipeline cache list --json"))
@json_option
@runs_dir_option
@cache_dir_option
def list_entries(as_json: bool, runs_dir: Path, cache_dir: Path | None) -> int:
    """List the kept results, and their size.

    Each file counts once. One that a run directory shares by link takes no more space, and stays when it is removed
    here.
    """
    from runner.pipeline.cache.collecting import Holding, holding
    from runner.report.cache import holding_document, holding_text

    root = place_of(runs_dir, cache_dir)
    held = _with(root, holding, Holding((), 0))
    if as_json:
        say_json(holding_document(root, held))
    else:
        say(holding_text(root, held))
    return EXIT_PASSED


@cache.command("gc", **with_example("run-pipeline cache gc --max-size 5GB --dry-run"))
@click.option("--max-size", type=_Bound("SIZE", _size), help="As 5GB: remove until no more is kept.  [default: 10GB]")
@click.option("--max-age", type=_Bound("AGE", _seconds), help="As 30d: remove what was not used for so long.")
@click.option("--min-free", type=_Bound("SHARE", _share), help="As 10%: remove until so much of the disk is free.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@runs_dir_option
@cache_dir_option
def gc(
    max_size: float | None,
    max_age: float | None,
    min_free: float | None,
    dry_run: bool,
    as_json: bool,
    runs_dir: Path,
    cache_dir: Path | None,
) -> int:
    """Remove kept results, those that were used longest ago first, until all bounds hold.

    Never removes what a live run uses. Always removes what cannot be used any more: damaged results, files of none,
    what killed runs left. A run that ends does so, too, where more than 10 GB are kept.
    """
    from runner.pipeline.cache.collecting import LIMIT, Bounds, Removed, collect
    from runner.report.cache import removed_document, removed_text

    bounds = Bounds(max_bytes=int(max_size) if max_size is not None else LIMIT, max_age=max_age, min_free=min_free)
    root = place_of(runs_dir, cache_dir)
    removed = _with(root, lambda place: collect(place, bounds, dry_run=dry_run), Removed((), (), 0, ()))
    if as_json:
        say_json(removed_document(removed, dry_run=dry_run))
    else:
        say(removed_text(removed, dry_run=dry_run))
    return EXIT_PASSED


def _with(root: Path, use: Callable[[Folder], _Result], nothing: _Result) -> _Result:
    """What `use` says of the cache; `nothing` where there is none. Raises WorkspaceError."""
    from runner.data.files import os_fault
    from runner.errors import WorkspaceError
    from runner.pipeline.cache.folder import Unusable, find_folder

    try:
        place = find_folder(root)
        return use(place) if place is not None else nothing
    except Unusable as error:
        raise WorkspaceError(str(error)) from error
    except OSError as error:
        raise os_fault(error, root, "cannot use the step cache") from error
