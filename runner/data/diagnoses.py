"""What a diagnosis says: plain values, that a result holds and a report shows. `runner.data.diagnosis` makes them."""

from __future__ import annotations

import enum
from dataclasses import dataclass


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
