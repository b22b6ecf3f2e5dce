"""What a diagnosis is made of, and what it is made from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runner.data.diagnoses import Kind, Place
from runner.data.raised import Frame
from runner.data.tables import FileSchema
from runner.engine.base import Verdict
from runner.sagemaker.job import Code, CodeFile, CodeText, ContainerJob, InputMount, StepData
from runner.spec.names import listed


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
        """The inputs that are no code: neither the step's script, nor what holds a program that its command names."""
        words = self.job.entrypoint or ()
        return tuple(
            item
            for item in self.job.inputs
            if not isinstance(item.source, Code) and not any(below(word, item.target) for word in words)
        )

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


def suspect(failure: Failure, source: str) -> tuple[InputMount, str] | None:
    """Which file a line of the script was about, as its input and its path in there, as far as that is known: one that
    the line names, or the only data file that the script read."""
    named = [path for path in _PATH.findall(source) if failure.data_input_of(path)]
    read = [str(path) for path in (failure.trace or {}).get("reads", ()) if failure.data_input_of(str(path))]
    found = named[:1] or (read if len(read) == 1 else [])
    item = failure.data_input_of(found[0]) if found else None
    path = found[0][len(item.target) :].strip("/") if item is not None else ""
    return (item, path) if item is not None and path else None


def shortened(text: str, most: int = 300) -> str:
    """On one line, of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[:most]} …"
