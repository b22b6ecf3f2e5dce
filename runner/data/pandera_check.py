"""A pandera schema of the user's, held against files: in a process of its own, since it is code of the user's.

1. Nothing of theirs is imported here; what it prints goes nowhere, and how it ends is told in words.
2. It is ended after `SECONDS`, with all that it started, or when a stop is asked for; it ends by itself when this
   process does. It may take `MEMORY` bytes.
3. Files are read whole: rows one by one prove neither uniqueness nor a check of a whole column. One that does not fit
   into the memory counts as unmet, not as met.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.data import pandera_child
from runner.data.reading import Stopped, never
from runner.data.tables import FileSchema

SECONDS = 120.0
MEMORY = 4 << 30
_POLL = 0.05
_TAIL = 4096
Failure = tuple[str, str | None, str]
"""File (empty: all of them), column, and a sentence."""


def failures(
    schema: str,
    files: Sequence[FileSchema],
    root: Path,
    modules: Path,
    stopped: Callable[[], bool] = never,
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> list[Failure]:
    """What the schema (`module:Name`) finds wrong with each file; none: all of them pass. Raises Stopped, OSError."""
    with tempfile.TemporaryDirectory(prefix="run-pipeline-schema-") as place:
        request, answer = Path(place, "request.json"), Path(place, "answer.json")
        asked = {
            "schema": schema,
            "modules": str(modules),
            "memory": memory,
            "seconds": int(seconds) + 1,
            "files": [_file(each, root) for each in files],
        }
        request.write_text(json.dumps(asked), encoding="utf-8")
        ended = _run(Path(place), seconds, stopped)
        if not answer.exists():
            return [("", None, f"needs schema {schema} to pass; {ended}")]
        return list(_told(schema, json.loads(answer.read_bytes())))


def _file(schema: FileSchema, root: Path) -> dict[str, Any]:
    return {
        "path": schema.path,
        "place": str(root / schema.path),
        "format": str(schema.format),
        "compression": schema.compression,
        "encoding": schema.encoding,
        "delimiter": schema.delimiter,
        "header": schema.header,
    }


def _run(place: Path, seconds: float, stopped: Callable[[], bool]) -> str:
    """Run the child to its end; returns how it ended, in words."""
    began = time.monotonic()
    with (place / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", str(Path(pandera_child.__file__)), str(place)],
            stdin=subprocess.PIPE,  # held open: its end tells the child that this process is gone
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    try:
        end = threading.Thread(target=child.wait, name="pandera", daemon=True)
        end.start()
        while end.is_alive():
            if stopped():
                raise Stopped
            if time.monotonic() - began > seconds:
                return f"it was ended after {seconds:g} s without an answer"
            end.join(_POLL)  # returns at once when it ends, which `child.wait` with a time-out does not
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdin is not None:
            child.stdin.close()
    return f"it {_ended(child.returncode)}{_last_line(place / 'log')}"


def _ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit {status} and without an answer"
    return f"was ended by {signal.Signals(-status).name} without an answer"


def _last_line(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        last = stream.read().decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    return f": {last}" if last else ""


def _told(schema: str, answer: dict[str, Any]) -> Iterator[Failure]:
    if answer.get("fault"):
        yield "", None, f"needs schema {schema} to pass; {answer['fault']}"
    for each in answer.get("failures", ()):
        file, column = each["file"], each["column"]
        if each.get("fault"):
            yield file, None, f"needs '{file}' to pass schema {schema}; {each['fault']}"
            continue
        where = f"column '{column}' of '{file}'" if column else f"'{file}'"
        yield file, column, f"needs {where} to pass {each['check']} of schema {schema}; {_cases(each)}"


def _cases(each: dict[str, Any]) -> str:
    """`3 rows fail: row 4 is -1, ...`; of a check of the whole only what pandera says of it."""
    if not each["rows"]:
        return f"it fails: {', '.join(each['examples'])}" if each["examples"] else "it fails"
    count = "1 row fails" if each["count"] == 1 else f"{each['count']:,} rows fail"
    more = ", ..." if each["count"] > len(each["examples"]) else ""
    return f"{count}: {', '.join(each['examples'])}{more}"
