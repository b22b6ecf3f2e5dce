"""`clean`: remove what dead runs left on the engine and on disk, and say what it was."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import command, json_option, runs_dir_option
from runner.cli.output import note, say, say_json
from runner.errors import EXIT_ENVIRONMENT, EXIT_PASSED, EngineUnavailable, EnvironmentFault

if TYPE_CHECKING:
    from runner.cli.debris import Item
    from runner.engine.base import Engine, Leftover


@command("run-pipeline clean --dry-run\nrun-pipeline clean --runs --keep 10")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--runs", "whole", is_flag=True, help="Also the directories of runs that died before their end.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --runs: also the directories of ended runs, but for the newest N.",
)
@json_option
@runs_dir_option
def clean(dry_run: bool, whole: bool, keep: int | None, as_json: bool, runs_dir: Path) -> int:
    """Remove what dead runs left: containers, volumes and networks by their label, and working files on disk.

    Containers that stand ready for a next run (`run-pipeline pool`) are ended, too. A live run is never touched, nor is
    the step cache: see `run-pipeline cache gc`. Exit code 3 when something could not be removed, or no engine could be
    asked: what is on disk is removed all the same.
    """
    if keep is not None and not whole:
        raise click.UsageError("--keep says how many run directories stay, so it needs --runs")
    from runner.cli.debris import on_disk, on_engine
    from runner.pipeline.store import list_runs

    waiting = _pool(dry_run=dry_run)
    with contextlib.ExitStack() as stack:
        engine, unasked = _engine(stack)
        leftovers = engine.leftovers() if engine is not None else []
        labelled = on_engine(leftovers)
        files = on_disk(list_runs(runs_dir), whole=whole, keep=keep)
        items = [*waiting, *labelled, *files]
        failed = {} if dry_run else _remove(engine, leftovers, files)
    if not dry_run and any(item.kind == "run" for item in files):
        _mend_latest(runs_dir)
    if as_json:
        say_json(_document(items, failed, unasked, dry_run=dry_run))
    else:
        _tell(items, failed, unasked, dry_run=dry_run)
    return EXIT_ENVIRONMENT if failed or unasked else EXIT_PASSED


def _pool(*, dry_run: bool) -> list[Item]:
    """The containers that stand ready for a next run; they are ended, and their keeper with them."""
    from runner.cli.debris import Item
    from runner.engine.pool.channel import socket_paths
    from runner.engine.pool.link import Link

    items = []
    for path in socket_paths():
        link = Link.open(path)
        found = (link.status() if link is not None else None) or {"ready": []}
        items += [Item("container", each["id"], "", each["step"], "it waits for a next run") for each in found["ready"]]
        if link is not None:
            if not dry_run:
                link.end()
            link.close()
    return items


def _engine(stack: contextlib.ExitStack) -> tuple[Engine | None, str]:
    """The engine, closed with the stack; or None, and why it cannot be asked."""
    from runner.cli.session import open_engine

    try:
        return stack.enter_context(open_engine()), ""
    except EngineUnavailable as error:
        return None, "; ".join(filter(None, [error.message, error.remedy]))


def _remove(engine: Engine | None, leftovers: Sequence[Leftover], files: Sequence[Item]) -> dict[str, str]:
    """Remove it all; returns why by name for what could not be."""
    from runner.cli.debris import remove_tree

    dead = [leftover for leftover in leftovers if not leftover.owner_alive]
    kept = engine.sweep(dead) if engine is not None else []
    failed = {each.name: "the engine would not remove it" for each in kept}
    for item in files:
        try:
            remove_tree(Path(item.name), engine)
        except FileNotFoundError:
            continue  # it went with its container
        except OSError as error:
            failed[item.name] = error.strerror or str(error)
        except EnvironmentFault as error:
            failed[item.name] = f"{error.message}; {error.remedy}"
    return failed


def _mend_latest(runs_dir: Path) -> None:
    """Let `latest` name the newest run that is left, or nothing."""
    from runner.pipeline.rundir import LATEST, RunDirectory, point_latest
    from runner.pipeline.store import list_runs

    link = runs_dir / LATEST
    if not link.is_symlink() or link.exists():
        return
    left = list_runs(runs_dir)
    if left:
        point_latest(RunDirectory(runs_dir.resolve(), left[-1].run_id, left[-1].layout))
    else:
        link.unlink()


def _document(items: Sequence[Item], failed: dict[str, str], unasked: str, *, dry_run: bool) -> dict[str, object]:
    entries = [
        {**asdict(item), "removed": not dry_run and item.name not in failed, "error": failed.get(item.name)}
        for item in items
    ]
    return {"schema_version": 1, "dry_run": dry_run, "items": entries, "engine_error": unasked or None}


def _tell(items: Sequence[Item], failed: dict[str, str], unasked: str, *, dry_run: bool) -> None:
    for item in items:
        if item.name not in failed:
            what = f"{item.kind} {item.name}" + (f" (step {item.step})" if item.step else "")
            say(f"{'would remove' if dry_run else 'removed'} {what}: {item.why}")
    for name, why in failed.items():
        note(f"could not remove {name}: {why}")
    if unasked:
        note(f"containers, volumes and networks could not be looked at: {unasked}")
    elif not items:
        say("nothing to clean")
