"""What changed between two looks at a directory of data, and whether what reads it still can.

The classes, with their reasons: `impact.FAMILIES` for the types of columns, `_DIALECT` for how a file is written, and
the functions below for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from runner.data.impact import FAMILIES, Finding, Impact
from runner.data.tables import Column, FileSchema
from runner.spec.families import Family, Format
from runner.spec.names import listed, nearest, nearest_file

FEWER = 0.5
"""A table that has lost more than this part of its rows has lost many."""


class Difference(Finding):
    """One difference; `file` is its path after the change, or before it where the file is gone."""


_DIALECT: dict[str, tuple[Callable[[FileSchema], object], Impact, str]] = {
    "delimiter": (lambda s: s.delimiter, Impact.BREAKING, "a reader with the old one finds a single column"),
    "header": (lambda s: s.header, Impact.BREAKING, "its first line is read as data, or its first row as names"),
    "compression": (lambda s: s.compression, Impact.BREAKING, "a reader that opens it by name gets other bytes"),
    "encoding": (lambda s: s.encoding, Impact.RISKY, "letters beyond ASCII are read wrongly, or not at all"),
}
_READ_ALIKE = ({"utf-8", "ascii"},)
"""Encodings of which a reader takes one for the other."""


def differences(before: Sequence[FileSchema], after: Sequence[FileSchema]) -> tuple[Difference, ...]:
    """Every difference, file by file in the order of their paths: what is gone or changed, then what is new.

    Files are matched by path. Counts, ranges and the like are compared only where both sides know them.
    """
    old, new = ({schema.path: schema for schema in side} for side in (before, after))
    found: list[Difference] = []
    for path in sorted(old):
        found += _file(old[path], new[path]) if path in new else [_gone(old[path], new.keys() - old.keys())]
    for path in sorted(new.keys() - old.keys()):
        found.append(_difference(Impact.SAFE, path, f"'{path}' is new"))
    return tuple(found)


def _difference(impact: Impact, file: str, message: str, column: str | None = None) -> Difference:
    return Difference(impact=impact, file=file, column=column, message=message)


def _gone(schema: FileSchema, new: set[str]) -> Difference:
    best = nearest_file(schema.path, sorted(new))
    hint = f"; '{best}' is new: was it renamed?" if best is not None else ""
    return _difference(Impact.BREAKING, schema.path, f"'{schema.path}' is no longer there{hint}")


def _file(old: FileSchema, new: FileSchema) -> Iterator[Difference]:
    path = new.path
    if new.fault is not None and old.fault is None:
        yield _difference(Impact.BREAKING, path, f"'{path}' can no longer be read as {old.format}: {new.fault}")
        return
    if old.fault is not None and new.fault is None:
        yield _difference(Impact.SAFE, path, f"'{path}' can be read now, as {new.format}; before: {old.fault}")
        return
    if old.format is not new.format:
        yield _format(old, new)
        if new.format is Format.EMPTY:
            return
    else:
        yield from _dialect(old, new)
    if old.columns is not None and new.columns is not None:
        yield from _columns(path, old.columns, new.columns, positions=old.header is False or new.header is False)
        yield from _rows(old, new)
    elif old.columns is not None:
        yield _difference(Impact.BREAKING, path, f"'{path}' had {_names(old)}, and is no table any more")
    if new.format is Format.NPY and old.shape and new.shape and old.shape[1:] != new.shape[1:]:
        message = f"'{path}' had the shape {_shape(old.shape)} and has {_shape(new.shape)}"
        yield _difference(Impact.BREAKING, path, message)
    yield from _members(old, new)


def _format(old: FileSchema, new: FileSchema) -> Difference:
    path = new.path
    if new.format is Format.EMPTY:
        return _difference(Impact.BREAKING, path, f"'{path}' was {old.format} and is empty")
    if old.format is Format.EMPTY:
        return _difference(Impact.SAFE, path, f"'{path}' was empty and is {new.format}")
    impact = Impact.RISKY if Format.UNKNOWN in (old.format, new.format) else Impact.BREAKING
    why = "a guess on one side" if impact is Impact.RISKY else "a reader of the one cannot read the other"
    return _difference(impact, path, f"'{path}' was {old.format} and is {new.format}: {why}")


def _dialect(old: FileSchema, new: FileSchema) -> Iterator[Difference]:
    for word, (value, impact, why) in _DIALECT.items():
        was, now = value(old), value(new)
        if was == now or (word in ("delimiter", "header", "encoding") and None in (was, now)):
            continue  # None there: not told
        if word == "encoding" and any({was, now} <= alike for alike in _READ_ALIKE):
            continue
        own_reader = word == "compression" and old.format is Format.PARQUET  # each column chunk says how it is packed
        verdict = (Impact.SAFE, "every reader of parquet sees to it") if own_reader else (impact, why)
        message = f"'{new.path}' had the {word} {_shown(was)} and has {_shown(now)}: {verdict[1]}"
        yield _difference(verdict[0], new.path, message)


def _columns(path: str, old: Sequence[Column], new: Sequence[Column], *, positions: bool) -> Iterator[Difference]:
    before, after = {column.name: column for column in old}, {column.name: column for column in new}
    added = [name for name in after if name not in before]
    for name, column in before.items():
        if name not in after:
            best = nearest(name, added)
            hint = f"; '{best}' is new: was it renamed?" if best is not None else f"; it has {listed(after)}"
            message = f"'{path}' no longer has the column '{name}' ({column.family}){hint}"
            yield _difference(Impact.BREAKING, path, message, name)
        else:
            yield from _column(path, column, after[name])
    for name in added:
        yield _difference(Impact.SAFE, path, f"'{path}' has a new column '{name}' ({after[name].family})", name)
    shared = [name for name in before if name in after]
    if not positions and shared != [name for name in after if name in before]:
        message = f"'{path}' has its columns in another order, {listed(after)}; before: {listed(before)}"
        yield _difference(Impact.RISKY, path, f"{message}: a script that takes them by position takes others")


def _column(path: str, old: Column, new: Column) -> Iterator[Difference]:
    where, name = f"column '{new.name}' of '{path}'", new.name
    if old.family is not new.family:
        impact, why = FAMILIES[old.family, new.family]
        yield _difference(impact, path, f"{where} was {old.family} and is {new.family}: {why}", name)
    nulls = f", {new.nulls} of them in the rows that were read" if new.nulls else ""
    if new.nullable and not old.nullable and new.family is not Family.NULL:
        yield _difference(Impact.RISKY, path, f"{where} may have missing values now{nulls}; before it had none", name)
    elif old.nullable and not new.nullable and old.family is not Family.NULL:
        yield _difference(Impact.SAFE, path, f"{where} has no missing values any more", name)
    if old.unique and new.unique is False:
        yield _difference(
            Impact.RISKY, path, f"{where} was unique, and has values twice: a join on it repeats rows", name
        )
    if old.values and new.values:
        unknown = [value for value in new.values if value not in old.values]
        missing = [value for value in old.values if value not in new.values]
        if unknown:
            message = f"{where} has new values {listed(unknown)}; before: {listed(old.values)}"
            yield _difference(Impact.RISKY, path, f"{message}: an encoder that knows the old ones fails on them", name)
        if missing:
            yield _difference(Impact.SAFE, path, f"{where} no longer has the values {listed(missing)}", name)


def _rows(old: FileSchema, new: FileSchema) -> Iterator[Difference]:
    path, was, now = new.path, old.rows, new.rows
    if not was or now is None:
        return
    if now == 0:
        yield _difference(Impact.BREAKING, path, f"'{path}' had {was:,} rows and has none")
    elif now < was * FEWER:
        about = "" if old.complete and new.complete else "about "
        message = f"'{path}' had {about}{was:,} rows and has {about}{now:,}: less than {FEWER:.0%} of them"
        yield _difference(Impact.RISKY, path, message)


def _members(old: FileSchema, new: FileSchema) -> Iterator[Difference]:
    """Of an archive or an npz; of a pickle they are modules and classes, and a new one may be missing in the image."""
    if old.format is not new.format:
        return
    gone = [name for name in old.members if name not in new.members]
    more = [name for name in new.members if name not in old.members]
    pickle = new.format is Format.PICKLE
    if gone:
        impact = Impact.SAFE if pickle else Impact.BREAKING
        yield _difference(impact, new.path, f"'{new.path}' no longer {'needs' if pickle else 'holds'} {listed(gone)}")
    if more:
        impact = Impact.RISKY if pickle else Impact.SAFE
        yield _difference(impact, new.path, f"'{new.path}' {'needs' if pickle else 'also holds'} {listed(more)}")


def _names(schema: FileSchema) -> str:
    return f"the columns {listed(schema.names, none='(none)')}"


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


_WORDS: Mapping[object, str] = {None: "none", True: "line of names", False: "none"}


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) and value.isprintable() else _WORDS.get(value, repr(value))
