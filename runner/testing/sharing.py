"""One run of a pipeline file for a whole pytest session, whoever asks, in whichever worker of xdist."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import shutil
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import InternalError, RunnerError

if TYPE_CHECKING:
    from runner.testing.results import PipelineResult

RUNS_DIR_VARIABLE = "RUN_PIPELINE_RUNS_DIR"
_SHARED = "run_pipeline_shared"
"""What the controller of xdist tells its workers: the directory for results that one of them got for all."""
_FOLDER = pytest.StashKey[Path]()
_KNOWN = pytest.StashKey[dict[Path, "PipelineResult | RunnerError"]]()


def offer(config: pytest.Config, workerinput: dict[str, Any]) -> None:
    """In xdist's controller: give a worker the directory that all workers of the session share."""
    if _FOLDER not in config.stash:
        config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="run-pipeline-pytest-"))
    workerinput[_SHARED] = str(config.stash[_FOLDER])


def withdraw(config: pytest.Config) -> None:
    """In xdist's controller, when its workers have ended: remove what they shared."""
    if _FOLDER in config.stash:
        shutil.rmtree(config.stash[_FOLDER])
        del config.stash[_FOLDER]


def shared_result(config: pytest.Config, file: str | Path) -> PipelineResult:
    """The one run of a file, relative to the rootdir, in this session. Raises RunnerError, the same each time."""
    __tracebackhide__ = True
    given = config.rootpath / file
    path = given.parent.resolve() / given.name  # a link's own directory is where its relative paths start
    known = config.stash.setdefault(_KNOWN, {})
    if path not in known:
        known[path] = _shared(config, path)
    found = known[path]
    if isinstance(found, RunnerError):
        raise found.with_traceback(None)
    return found


def runs_dir(config: pytest.Config) -> Path:
    """`--pipeline-runs-dir`, else what `run-pipeline run` takes; relative to where pytest was started."""
    given = config.getoption("--pipeline-runs-dir") or os.environ.get(RUNS_DIR_VARIABLE) or "runs"
    return config.invocation_params.dir / Path(given).expanduser()


def _shared(config: pytest.Config, path: Path) -> PipelineResult | RunnerError:
    folder = Path(getattr(config, "workerinput", {}).get(_SHARED, ""))
    if not folder.is_absolute() or not folder.is_dir():  # no worker, or one on another machine
        return _run(config, path)
    kept = folder / hashlib.sha256(os.fsencode(path)).hexdigest()
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            # Made with mkdtemp by the controller: nobody else's words are in it.
            loaded: PipelineResult | RunnerError = pickle.loads(kept.read_bytes())  # noqa: S301
            return loaded
        from runner.data.files import write_atomic

        result = _run(config, path)
        write_atomic(kept, pickle.dumps(result))
        return result


def _run(config: pytest.Config, path: Path) -> PipelineResult | RunnerError:
    from runner.testing.native import run_file

    try:
        found = run_file(path, runs_dir=runs_dir(config), timeout=config.getoption("--pipeline-timeout"))
    except RunnerError as error:
        known = error
    except Exception as error:  # kept, too: else every item would run the file again
        known = InternalError(f"{type(error).__name__}: {error}", remedy=f"please report it\n{traceback.format_exc()}")
    else:
        return found
    if known.remedy:
        known.add_note(known.remedy)
    known.__cause__ = known.__context__ = None  # its message has what a person needs, and other workers do not have it
    return known
