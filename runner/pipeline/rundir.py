"""Make a run directory, and keep its `run.json` true: written first with `running` and the owner, last with the end."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runner.data.files import os_fault, printable, write_json
from runner.engine import labels
from runner.errors import WorkspaceError
from runner.pipeline.layout import RunLayout
from runner.pipeline.records import SCHEMA

LATEST = "latest"
_ATTEMPTS = 20
_OWNER_PARTS = ("host", "boot", "pid", "started")
_REMEDY = "choose a writable directory with --runs-dir (pytest: --pipeline-runs-dir)"


def now() -> str:
    """UTC, ISO 8601 with milliseconds."""
    return stamp(datetime.now(UTC))


def stamp(time: datetime) -> str:
    """A time with a zone as UTC, ISO 8601 with milliseconds."""
    millisecond = round(time.microsecond / 1000) * 1000
    rounded = time.replace(microsecond=0) + timedelta(microseconds=millisecond)
    return rounded.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """The time of an ISO 8601 stamp, with a zone (UTC where it names none), of any number of digits as engines write
    them (nanoseconds are cut to microseconds); None for what is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def owner() -> dict[str, str]:
    """The process that runs this, such that it can be told from a later one with the same pid."""
    return dict(zip(_OWNER_PARTS, labels.owner().split("|"), strict=True))


def owner_alive(document: Mapping[str, Any]) -> bool:
    """Whether the owner in a `run.json` still runs. One on another machine counts as alive: it cannot be seen."""
    return labels.owner_alive("|".join(str(document.get(part, "")) for part in _OWNER_PARTS))


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A directory that belongs to this run alone."""

    runs_dir: Path
    run_id: str
    layout: RunLayout

    def write_state(self, document: Mapping[str, Any]) -> None:
        """Replace `run.json`. Raises OSError."""
        write_json(self.layout.run_json, {"schema_version": SCHEMA, "run_id": self.run_id, **document})


def create(runs_dir: Path) -> RunDirectory:
    """Make `<UTC time>-<6 hex>` exclusively. Raises WorkspaceError when that cannot be."""
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        real = runs_dir.resolve()
        for _ in range(_ATTEMPTS):
            run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            with contextlib.suppress(FileExistsError):
                (real / run_id).mkdir()
                (real / run_id / "steps").mkdir()
                return RunDirectory(real, run_id, RunLayout(real / run_id))
    except OSError as error:
        fault = os_fault(error, runs_dir, "cannot make a run directory")
        raise WorkspaceError(str(fault), remedy=fault.remedy or _REMEDY) from error
    raise WorkspaceError(f"cannot find a free name in {printable(runs_dir)}", remedy="remove old runs there")


def point_latest(run: RunDirectory) -> None:
    """Make `latest` name this run; at no moment is there none. Raises WorkspaceError."""
    link = run.runs_dir / LATEST
    fresh = run.runs_dir / f".{LATEST}-{run.run_id}"
    try:
        fresh.symlink_to(run.run_id)
        try:
            fresh.replace(link)
        except OSError:
            fresh.unlink()
            raise
    except OSError as error:
        fault = os_fault(error, link, "cannot point `latest` to this run")
        if link.is_dir() and not link.is_symlink():
            raise WorkspaceError(str(fault), remedy=f"{printable(link)} is in the way: rename it") from error
        raise WorkspaceError(str(fault), remedy=fault.remedy or _REMEDY) from error
