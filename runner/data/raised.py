"""An exception as a traceback tells it, and which of its lines are the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LIBRARIES = ("/site-packages/", "/dist-packages/")
_STDLIB = re.compile(r"/lib(?:64)?/python\d")


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a call."""

    file: str
    """As the interpreter names it: a path in the container, or `<string>`, `<frozen os>`."""
    line: int
    function: str
    """Empty for the place of a syntax error."""
    source: str = ""
    """The source line without its indentation; empty where the traceback does not show it."""
    column: int | None = None
    """Where in `source` the first mark (`^`) stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One exception, and those that led to it."""

    type: str
    """Dotted where the traceback says so: `KeyError`, `pandas.errors.EmptyDataError`."""
    message: str
    """May have several lines; the notes of an exception are its last ones."""
    frames: tuple[Frame, ...] = ()
    """Outermost first."""
    cause: Raised | None = None
    """`raise ... from cause`, or what a child process raised."""
    context: Raised | None = None
    """What was being handled when this one was raised."""
    members: tuple[Raised, ...] = ()
    """Of an exception group."""
    elsewhere: bool = False
    """It was raised in a child process, which sent its traceback."""

    @property
    def name(self) -> str:
        """The type without its module."""
        return self.type.rpartition(".")[2]

    @property
    def line(self) -> str:
        """`KeyError: 'label'`: the exception on one line."""
        first = next((line for line in self.message.splitlines() if line.strip()), "").strip()
        return f"{self.type}: {first}" if first else self.type

    @property
    def remote(self) -> Raised | None:
        """The same exception as it was raised in a child process, with the frames there."""
        return self.cause if self.cause is not None and self.cause.elsewhere else None


def own_frame(frames: Sequence[Frame], places: Sequence[str] = ("/opt/ml",)) -> Frame | None:
    """The innermost frame in the user's own code: below one of `places` or a relative path, and in no library."""
    for frame in reversed(frames):
        if any(part in frame.file for part in _LIBRARIES) or _STDLIB.search(frame.file) or frame.file.startswith("<"):
            continue
        if any(frame.file.startswith(f"{place}/") for place in places) or _is_own_relative(frame.file):
            return frame
    return None


def _is_own_relative(file: str) -> bool:
    # Cython's frames have relative paths as well: `pyarrow/table.pxi`, `parsers.pyx`.
    return not file.startswith("/") and file.endswith(".py")
