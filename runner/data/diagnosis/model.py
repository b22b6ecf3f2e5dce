"""What a diagnosis is made of, and what it is made from."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runner.data.raised import Frame
from runner.data.tables import FileSchema
from runner.engine.base import Verdict
from runner.sagemaker.job import Code, CodeFile, CodeText, ContainerJob, InputMount, StepData
from runner.spec.names import listed


class Kind(enum.StrEnum):
    """What kind of failure it is."""

    IMPORT = "import"
    SYNTAX = "syntax"
    SIGNATURE = "signature"
    """A function was called with other arguments than it takes."""
    ARGUMENTS = "arguments"
    """What the pipeline file hands to the script, options or environment variables, is not what the script asks for."""
    MISSING_FILE = "missing-file"
    MISSING_COLUMN = "missing-column"
    TYPE = "type"
    """A value is not of the type that the code takes."""
    ENCODING = "encoding"
    """A file's bytes are not what it was read as: another character set, no JSON, an empty table, half a parquet."""
    PERMISSION = "permission"
    MEMORY = "memory"
    TIME_OUT = "time-out"
    NETWORK = "network"
    EXIT_CODE = "exit-code"
    """None of these, as far as the evidence goes: the exception's own words."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a script."""

    file: str
    """Absolute path on the host where that is known, else the path in the container."""
    line: int
    host: bool
    """Whether `file` is on the host."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why a step failed, in words. `result.json` holds it under `diagnosis`, field by field."""

    kind: Kind
    sentence: str
    """One sentence. It never says more than the evidence does."""
    details: tuple[str, ...] = ()
    """What else a person may want to know, a line each."""
    fix: str = ""
    """What to change; empty where nobody can say."""
    place: Place | None = None
    """The innermost line of the user's own code."""
    evidence: tuple[str, ...] = ()
    """What this was read from: the exception, the source line, the last line of the log."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one of the readers made of an exception."""

    kind: Kind
    sentence: str
    fix: str = ""
    details: tuple[str, ...] = ()


def nothing(_: str) -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A step that failed, and the ways to ask for more. The functions are called only where their answer is needed."""

    job: ContainerJob
    verdict: Verdict
    exit_code: int | None
    reason: str = ""
    """The verdict in words."""
    log: bytes = b""
    """The end of stderr: see `tracebacks.tail_of`."""
    trace: Mapping[str, Any] | None = None
    """What the script did, as `trace.json` holds it."""
    schemas: Callable[[str], Sequence[FileSchema]] = nothing
    """Of an input, by its name: its files."""
    files: Callable[[str], Sequence[str]] = nothing
    """Of an input, by its name: the relative paths of its files, and of its directories with a `/` behind."""

    @property
    def data(self) -> tuple[InputMount, ...]:
        """The inputs that are no code."""
        return tuple(item for item in self.job.inputs if not isinstance(item.source, Code))

    def input_of(self, path: str) -> InputMount | None:
        """The input that holds a container path: the innermost one."""
        holding = [item for item in self.job.inputs if below(path, item.target)]
        return max(holding, key=lambda item: len(item.target)) if holding else None

    def data_input_of(self, path: str) -> InputMount | None:
        """The same, but for the code."""
        item = self.input_of(path)
        return item if item in self.data else None

    @property
    def code_places(self) -> tuple[str, ...]:
        """Container directories in which the user's code lies."""
        return (*(item.target for item in self.job.inputs if isinstance(item.source, Code)), "/opt/ml")

    @property
    def script(self) -> Path | None:
        """The step's script on the host, if it was sent alone."""
        found = [item.source for item in self.job.inputs if isinstance(item.source, CodeFile)]
        return Path(found[0].path) if found else None


def below(path: str, place: str) -> bool:
    """Whether a container path is `place` or lies in it."""
    return path == place or path.startswith(f"{place.rstrip('/')}/")


def whose(item: InputMount) -> str:
    """`the producer 'prep'`, or `input 'DATA'`."""
    return f"the producer '{item.source.step}'" if isinstance(item.source, StepData) else f"input '{item.name}'"


def place_of(frame: Frame, job: ContainerJob) -> Place:
    """Where a frame's line is on the host, if the code came from there; else in the container."""
    code = [item for item in job.inputs if isinstance(item.source, Code)]
    cwd = job.working_dir or (code[0].target if code else "/")
    path = PurePosixPath(cwd) / frame.file
    holding = [item for item in job.inputs if path.is_relative_to(item.target)]
    for item in sorted(holding, key=lambda item: -len(item.target)):
        host = _host_file(item, path)
        if host is not None:
            return Place(str(host), frame.line, host=True)
    return Place(str(path), frame.line, host=False)


def _host_file(item: InputMount, path: PurePosixPath) -> Path | None:
    source = item.source
    if isinstance(source, StepData | CodeText):
        return None
    found = Path(source.path)
    if not isinstance(source, CodeFile):
        found /= path.relative_to(item.target)
    return found if found.name == path.name and found.is_file() else None


def shown(place: Place | None) -> str:
    """` (consume.py, line 3)`, or nothing: to be appended."""
    return f" ({PurePosixPath(place.file).name}, line {place.line})" if place is not None else ""


def some(names: Iterable[str], none: str, most: int = 6) -> str:
    """The first names of a list, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return listed(every[:most], none) + more


_PATH = re.compile(r"""["'](/[^"']+)["']""")


def suspect(failure: Failure, source: str) -> str:
    """Which file a line of the script was about, as far as that is known: one that it names, or the only data file
    that the script read. `'train.csv' of the producer 'prep'`, else `a file`."""
    named = [path for path in _PATH.findall(source) if failure.data_input_of(path)]
    read = [str(path) for path in (failure.trace or {}).get("reads", ()) if failure.data_input_of(str(path))]
    found = named[:1] or (read if len(read) == 1 else [])
    item = failure.data_input_of(found[0]) if found else None
    if item is None or found[0].rstrip("/") == item.target:
        return "a file"
    return f"'{found[0][len(item.target) :].strip('/')}' of {whose(item)}"


def shortened(text: str, most: int = 300) -> str:
    """On one line, of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[:most]} …"
