"""A column that is not there: pandas', pyarrow's, scikit-learn's and XGBoost's ways to say so.

A KeyError alone is no proof: of a dict it says the same. It counts as a column where the frames are those of a table
library, or where the script reads rows by name and no table that it got has the name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from runner.data.diagnoses import Kind, Place
from runner.data.diagnosis.model import Failure, Finding, shown, whose
from runner.data.raised import Raised
from runner.data.tables import FileSchema
from runner.sagemaker.job import InputMount, StepData
from runner.spec.names import at_most, listed, nearest

_COMPARISONS = 5000
_TABLES = 3
"""So many tables are described in the sentence."""
_SCRIPT = 1 << 20
"""Bytes of a script that are looked at."""
_ON_AN_AXIS = re.compile(r"^(?P<names>\[.*\]) not (?:in index|found in axis)$", re.DOTALL)
"""pandas says so of rows as well."""
_OF_COLUMNS = re.compile(r"\bcolumns\b|axis ?= ?1|\.loc\[(?:[^\[\]]|\[[^\]]*\])*,")
_NAMES_IN_MESSAGE = (
    _ON_AN_AXIS,
    re.compile(r"^None of \[Index\((?P<names>\[.*?\])[,)].* are in the \[columns\]$", re.DOTALL),
    re.compile(r"^None of (?P<names>\[.*\]) are in the columns$", re.DOTALL),
    re.compile(r"^Usecols do not match columns, columns expected but not found: (?P<names>\[.*\])", re.DOTALL),
    re.compile(r"^Missing column provided to '\w+': (?P<list>.*)$"),
    re.compile(r"^Field (?P<names>\".*\") does not exist in schema$"),
    re.compile(r"^No match for FieldRef\.Name\((?P<name>.*?)\) in "),
    re.compile(r"^no field of name (?P<name>.*)$"),
    re.compile(r"^columns are missing: (?P<names>\{.*\})$"),
    re.compile(r"\b(?:no|missing|unknown|required) columns?:? (?P<names>'[^']*'|\"[^\"]*\"|\[[^\]]*\])", re.IGNORECASE),
)
_IN_A_TABLE = re.compile(
    r"/pandas/core/(?:frame\.py|generic\.py|groupby/grouper\.py|groupby/generic\.py|reshape/\w+\.py)$"
)
_BY_NAME = ("__getitem__", "_get_label_or_level_values", "get_grouper", "set_index", "pop")
_BY_NAMES = ("dropna", "duplicated")
"""They raise the list of what is not there."""
_INDEX = re.compile(r"^Index\((?P<names>\[.*?\])[,)]", re.DOTALL)
_IN_A_ROW = re.compile(r"/pandas/core/series\.py$")
_SEPARATED = re.compile(rb"\b(?:sep|delimiter|dialect|delim_whitespace|read_table|Sniffer)\b")
"""Words of a script that says, or finds out, by what a table is separated."""
_ATTRIBUTE = re.compile(r"^'(?:DataFrame|Series)' object has no attribute '(?P<name>\w+)'")
_UNSEEN = re.compile(r"^Feature names unseen at fit time:\n((?:- .*\n?)+)", re.MULTILINE)
_ABSENT = re.compile(r"^Feature names seen at fit time, yet now missing:\n((?:- .*\n?)+)", re.MULTILINE)
_COUNT = re.compile(r"^X has (\d+) features, but (\w+) is expecting (\d+) features as input")
_MISMATCH = re.compile(r"^feature_names mismatch: (\[.*?\]) (\[.*?\])$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Table:
    item: InputMount
    schema: FileSchema


def missing_column(failure: Failure, raised: Raised, place: Place | None, source: str) -> Finding | None:
    """What the exception says of a column, or None when it is about something else."""
    if (found := _of_a_model(raised)) is not None:
        return found
    if wanted := _named(raised, source) or _of_a_frame(raised):
        return _explained(failure, wanted, place)
    if (name := _perhaps(raised, place)) is not None:
        tables = _tables(failure)
        known = {column for table in tables for column in table.schema.names}
        if known and name not in known and _near(name, known):
            return _explained(failure, [name], place)
        if name in known:
            return _other_delimiter([name], tables, place)
    return None


def key_of(raised: Raised) -> object:
    """The key of a KeyError; None where it cannot be told."""
    first = raised.message.strip().partition("\n")[0]  # what follows may be other lines of the log
    try:
        return ast.literal_eval(first) if raised.name == "KeyError" else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _named(raised: Raised, source: str) -> list[str]:
    """Names in a message that itself says that they are columns."""
    key = key_of(raised)
    message = key if isinstance(key, str) else raised.message.strip()
    if message == "A given column is not a column of the dataframe" and raised.cause is not None:  # scikit-learn's
        cause = key_of(raised.cause)
        return [str(cause)] if cause is not None else []
    if raised.name == "ColumnNotFoundError":  # polars'
        return [message.splitlines()[0].strip("\"'")] if message else []
    for pattern in _NAMES_IN_MESSAGE:
        found = pattern.search(message)
        if found is None:
            continue
        if pattern is _ON_AN_AXIS and not _is_of_columns(raised, source):
            return []
        groups = found.groupdict()
        if groups.get("list"):
            return [part.strip(" '\"") for part in groups["list"].split(",")]
        return [groups["name"]] if groups.get("name") else _literal(groups["names"])
    return []


def _is_of_columns(raised: Raised, source: str) -> bool:
    """Whether names on an axis are those of columns: by the way that pandas went, or by what the script wrote."""
    by_brackets = any(f.file.endswith("/pandas/core/frame.py") and f.function == "__getitem__" for f in raised.frames)
    return by_brackets or _OF_COLUMNS.search(source) is not None


def _literal(text: str) -> list[str]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return re.findall(r"'([^']*)'", text)
    return [str(each) for each in value] if isinstance(value, list | set | tuple) else [str(value)]


def _of_a_frame(raised: Raised) -> list[str]:
    """The key of a KeyError that a table raised for want of a column."""
    called = {frame.function for frame in raised.frames if _IN_A_TABLE.search(frame.file)}
    key = key_of(raised)
    if called & set(_BY_NAMES) and raised.name == "KeyError":
        found = _INDEX.match(raised.message)
        return _literal(found["names"]) if found else [str(each) for each in key] if isinstance(key, list) else []
    return [str(key)] if key is not None and called & set(_BY_NAME) else []


def _perhaps(raised: Raised, place: Place | None) -> str | None:
    """What would be a column if the tables agree: `row['label']` of a pandas row or a csv.DictReader, `df.label`."""
    if raised.name == "AttributeError" and (found := _ATTRIBUTE.match(raised.message)):
        return found["name"]
    key = key_of(raised)
    if not isinstance(key, str):
        return None
    if any(_IN_A_ROW.search(frame.file) for frame in raised.frames):
        return key
    return key if place is not None and place.host and _reads_rows(place) else None


def _reads_rows(place: Place) -> bool:
    return b"DictReader" in _script(place)


def _script(place: Place | None) -> bytes:
    """The beginning of the script that a place is in; empty where it is not on the host."""
    from pathlib import Path

    if place is None or not place.host:
        return b""
    try:
        with Path(place.file).open("rb") as script:
            return script.read(_SCRIPT)
    except OSError:
        return b""


def _of_a_model(raised: Raised) -> Finding | None:
    """What scikit-learn and XGBoost say: both sides stand in the message."""
    text = raised.message
    if text.startswith("The feature names should match those that were passed during fit"):
        absent, unseen = _items(_ABSENT, text), _items(_UNSEEN, text)
        if not absent and not unseen:
            return _other_order()
        return _other_features(absent, unseen)
    if (found := _MISMATCH.search(text)) is not None:
        fitted, given = _literal(found[1]), _literal(found[2])
        absent = [name for name in fitted if name not in set(given)]
        unseen = [name for name in given if name not in set(fitted)]
        return _other_features(absent, unseen) if absent or unseen else _other_order()
    if (found := _COUNT.match(text)) is not None:
        return Finding(
            Kind.MISSING_COLUMN,
            f"the {found[2]} was fitted with {found[3]} columns, and the data that it gets has {found[1]}",
            "give it the columns that it was fitted with",
        )
    return None


def _items(pattern: re.Pattern[str], text: str) -> list[str]:
    found = pattern.search(text)
    return [line[2:].strip() for line in found[1].splitlines()] if found else []


def _other_order() -> Finding:
    words = "the model was fitted with the same columns in another order"
    return Finding(Kind.MISSING_COLUMN, words, "give it the columns in the order of the fit")


def _other_features(absent: Sequence[str], unseen: Sequence[str]) -> Finding:
    parts = [
        f"the model was fitted with {_columns(absent)}, which the data does not have" if absent else "",
        f"the data has {_columns(unseen)}, which the model was not fitted with" if unseen else "",
    ]
    pairs = [(name, near) for name in absent if (near := nearest(name, unseen)) is not None]
    hint = f" (nearest: '{pairs[0][1]}')" if pairs else ""
    fix = f"rename '{pairs[0][1]}' to '{pairs[0][0]}'" if pairs else "give it the columns that it was fitted with"
    return Finding(Kind.MISSING_COLUMN, "; ".join(filter(None, parts)) + hint, fix)


def _columns(names: Sequence[str]) -> str:
    return f"column{'s' * (len(names) > 1)} {listed(names)}"


def _tables(failure: Failure) -> list[_Table]:
    """The tables that the script got, or of them those that it opened, if the trace says so."""
    every = [
        _Table(item, schema)
        for item in failure.data
        for schema in failure.schemas(item.name)
        if schema.columns is not None and schema.header is not False
    ]
    opened = set((failure.trace or {}).get("reads", ()))
    read = [table for table in every if f"{table.item.target.rstrip('/')}/{table.schema.path}" in opened]
    return read or every


def _explained(failure: Failure, wanted: Sequence[str], place: Place | None) -> Finding:
    tables = _tables(failure)
    if not tables:
        words = f"the script needs {_columns(wanted)}, which its table does not have"
        return Finding(Kind.MISSING_COLUMN, words)
    lacking = [table for table in tables if not set(wanted) <= set(table.schema.names)]
    if not lacking and (found := _other_delimiter(wanted, tables, place)) is not None:
        return found
    if not lacking:
        table = tables[0]
        words = (
            f"{_columns(wanted)} {'is' if len(wanted) == 1 else 'are'} in {table.schema.path} of {whose(table.item)}"
        )
        fix = "look for what drops or renames it between the reading and this line"
        return Finding(Kind.MISSING_COLUMN, f"{words}, but no longer in the table that the script uses here", fix)
    missing = [name for name in wanted if any(name not in table.schema.names for table in lacking)]
    with at_most(_COMPARISONS):
        return _lacking(missing, lacking, place)


def _other_delimiter(wanted: Sequence[str], tables: Sequence[_Table], place: Place | None) -> Finding | None:
    """A table that is separated by something else than commas, and a script that nowhere says so."""
    script = _script(place)
    if not script or _SEPARATED.search(script):
        return None
    for table in tables:
        by = table.schema.delimiter
        if by in (None, ",") or not set(wanted) <= set(table.schema.names):
            continue
        words = (
            f"{_columns(wanted)} {'is' if len(wanted) == 1 else 'are'} in {table.schema.path} of {whose(table.item)}, "
            f"which is separated by {by!r}; the script reads it as if by commas, so that all its columns are one"
        )
        source = table.item.source
        who = f"let '{source.step}' write commas" if isinstance(source, StepData) else "write the file with commas"
        name = "delimiter" if b"DictReader" in script else "sep"
        return Finding(Kind.MISSING_COLUMN, words, f"read it with {name}={by!r}, or {who}", _where([table]))
    return None


def _lacking(missing: Sequence[str], lacking: Sequence[_Table], place: Place | None) -> Finding:
    names = {column: table for table in reversed(lacking) for column in table.schema.names}
    near = _near(missing[0], names)
    described = dict.fromkeys(_described(table) for table in lacking)
    parts = list(described)[:_TABLES]
    if len(described) > _TABLES:
        parts.append(f"and {len(described) - _TABLES} more tables")
    hint = f" (nearest: '{near}')" if near else ""
    words = f"the consumer needs {_columns(missing)}; {'; '.join(parts)}{hint}"
    source = (names[near] if near else lacking[0]).item
    return Finding(Kind.MISSING_COLUMN, words, _fix(missing[0], near, source, place), _where(lacking))


def _described(table: _Table) -> str:
    verb = "wrote" if isinstance(table.item.source, StepData) else "has"
    return f"{whose(table.item)} {verb} {listed(table.schema.names, 'no columns')}"


def _where(lacking: Sequence[_Table]) -> tuple[str, ...]:
    files = [f"{table.item.target.rstrip('/')}/{table.schema.path}" for table in lacking[:_TABLES]]
    return (f"looked at {', '.join(files)}",)


def _fix(name: str, near: str | None, source: InputMount, place: Place | None) -> str:
    who = f"let '{source.source.step}' write" if isinstance(source.source, StepData) else "give the data a column"
    return f"{who} '{name}'" + (f", or read '{near}'{shown(place)}" if near else "")


def _near(name: str, names: dict[str, _Table] | set[str]) -> str | None:
    return nearest(name, names)
