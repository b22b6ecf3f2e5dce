"""Which files of a directory an expectation is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from runner.data.tables import FileSchema
from runner.spec.expects import Expects
from runner.spec.families import TABULAR, Format

_SUFFIXES = (*(f".{format_}" for format_ in TABULAR), ".svm", ".ndjson", ".pq")


def spoken_of(expects: Expects, files: Sequence[FileSchema]) -> list[FileSchema]:
    """The files that `expects` is about: those that `files` matches; without it every table, and what should be one by
    its format or name; for a format that is no table, every file but markers as `_SUCCESS`."""
    if expects.files is not None:
        rule = pattern(expects.files)
        return [schema for schema in files if rule.fullmatch(schema.path)]
    data = [schema for schema in files if not PurePosixPath(schema.path).name.startswith(("_", "."))]
    return [schema for schema in data if not expects.about_tables or _is_table(schema)]


def _is_table(schema: FileSchema) -> bool:
    unnamed = schema.format in (Format.LIBSVM, Format.NPY)
    if schema.columns is not None or unnamed or (schema.fault is not None and schema.format in TABULAR):
        return True
    called_one = any(suffix in _SUFFIXES for suffix in PurePosixPath(schema.path.lower()).suffixes[-2:])  # rows.csv.gz
    return called_one and (schema.format is Format.EMPTY or schema.fault is not None)


def pattern(glob: str) -> re.Pattern[str]:
    """A rule for relative paths: `*`, `?` and `[...]` do not go beyond a `/`, `**/` is any number of directories, and
    without a `/` the name alone counts, in any directory."""
    text = glob if "/" in glob else f"**/{glob}"
    parts = re.findall(r"\*\*/|\*+|\?|\[!?\]?[^]/]*\]|.", text, re.DOTALL)
    return re.compile("".join(_part(part) for part in parts), re.DOTALL)


def _part(part: str) -> str:
    if part.startswith("[") and len(part) > 1:
        inner = part[1:-1].replace("\\", "\\\\")
        return f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return {"**/": "(?:[^/]+/)*", "?": "[^/]"}.get(part, "[^/]*" if part.startswith("*") else re.escape(part))
