"""Whether data is what the step that is about to read it expects.

`look` reads the data, `unmet` holds it to what the pipeline file says. Formats, columns and their families are judged
by the rows that were read. What only the whole file can tell (missing values, ranges, values, uniqueness, rows) is
breaking where it is seen; where nothing was seen and the file was read in part only it is risky, with these words.
`needs_whole` says when to read all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.data.choice import spoken_of
from runner.data.counting import counted, unnamed
from runner.data.impact import FAMILIES, Finding, Impact, has
from runner.data.reading import never
from runner.data.tables import Column, FileSchema
from runner.spec.expects import ExpectedColumn, Expects
from runner.spec.families import NUMBERS, Family, Format
from runner.spec.names import listed
from runner.spec.values import Bound, above, parsed, span

_TREE, _COUNT = ".", "files"
"""What `describe_tree` calls the directory itself, and its count of all files there."""


class Unmet(Finding):
    """One expectation that the data does not meet. Never safe."""


def look(root: Path, whole: bool) -> tuple[FileSchema, ...]:
    """Every file below a directory; `whole`: each read to its end, see `needs_whole`. A file that cannot be read has a
    `fault`. Of very many files not all are looked at: then the one of the path `.` has a `fault` that says so. Raises
    OSError for a directory that cannot be looked into.
    """
    from runner.data.formats import describe_tree

    found: tuple[FileSchema, ...] = describe_tree(root, whole=whole)
    if len(found) == 1 and found[0].path == _TREE and _COUNT not in found[0].details:
        raise OSError(f"{root} {found[0].fault}")
    return found


def needs_whole(expects: Expects) -> bool:
    """Whether the files must be read to their ends to tell. A pandera schema reads them by itself."""
    columns = expects.columns.values()
    return expects.rows is not None or any(_whole(column) for column in columns)


def _whole(column: ExpectedColumn) -> bool:
    bounded = column.min is not None or column.max is not None
    return column.nullable is False or bounded or bool(column.values) or column.unique


def unmet(
    expects: Expects,
    files: Sequence[FileSchema],
    root: Path,
    *,
    modules: Path | None = None,
    stopped: Callable[[], bool] = never,
) -> tuple[Unmet, ...]:
    """What of `expects` the `files` below `root` do not meet; none: all of it is met.

    `modules` is where the module of a pandera schema is looked for first (the pipeline file's directory); that it
    cannot be imported, fails, takes too long or too much memory is unmet, too. Raises Stopped once `stopped` says so,
    while a pandera schema is at work.
    """
    found = [_risky("", f"the directory {each.fault}") for each in files if each.path == _TREE]
    files = [each for each in files if each.path != _TREE]
    chosen = spoken_of(expects, files)
    if not chosen:
        return (*found, _nothing(expects, files))
    sound: list[FileSchema] = []
    for schema in chosen:
        fault = _fault(expects, schema)
        if fault:
            found.append(_breaking(schema.path, fault))
            continue
        sound.append(schema)
        found += _table(expects, schema, _Reader(schema, root, stopped))
    if expects.rows is not None and len(sound) == len(chosen):
        found += _rows(expects, sound)
    if expects.schema_ is not None and len(sound) == len(chosen):
        from runner.data.pandera_check import failures

        found += [
            _breaking(file, message, column)
            for file, column, message in failures(expects.schema_, sound, root, modules or root, stopped)
        ]
    return tuple(found)


def _breaking(file: str, message: str, column: str | None = None) -> Unmet:
    return Unmet(impact=Impact.BREAKING, file=file, column=column, message=message)


def _risky(file: str, message: str, column: str | None = None) -> Unmet:
    return Unmet(impact=Impact.RISKY, file=file, column=column, message=message)


def _nothing(expects: Expects, files: Sequence[FileSchema]) -> Unmet:
    paths = [schema.path for schema in files]
    there = f"there are {listed(paths)}" if paths else "there is no file at all"
    if expects.files is not None:
        return _breaking("", f"needs files as '{expects.files}'; {there}")
    return _breaking("", f"needs {'a table' if expects.about_tables else 'a file'}; {there}")


def _fault(expects: Expects, schema: FileSchema) -> str:
    """Why nothing more can be said of a file, or an empty text."""
    path, wanted = schema.path, expects.format
    if schema.fault is not None:
        return (
            f"needs {wanted or 'a file that can be read'}; '{path}' cannot be read as {schema.format}: {schema.fault}"
        )
    if schema.format is Format.EMPTY:
        return f"needs {wanted or 'data'}; '{path}' is empty"
    if wanted is not None and schema.format is not wanted:
        hint = "" if expects.files is not None else "; where it is not meant, name the others under `files`"
        return f"needs {wanted}; '{path}' is {schema.format}{hint}"
    if (expects.names or expects.schema_) and not unnamed(schema):
        return f"needs a table; '{path}' is none ({schema.format})"
    return ""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Knows more of a column where its file's schema leaves it open."""

    schema: FileSchema
    root: Path
    stopped: Callable[[], bool]

    def column(self, wanted: ExpectedColumn, column: Column) -> tuple[Column, bool]:
        """The column, and whether what is told of its values holds for the whole file."""
        schema = self.schema
        named = schema.columns is not None and schema.format is not Format.NPY  # whose header knows no value
        told = schema.complete and named
        if told and schema.format is Format.PARQUET and wanted.nullable is False:
            told = "nulls" not in schema.details
        ends = column.minimum is not None or (wanted.min is None and wanted.max is None)
        different = bool(column.values) or not wanted.values
        if _whole(wanted) and not (told and ends and different and (column.unique is not None or not wanted.unique)):
            exact = counted(self.root, schema, column, len(wanted.values), self.stopped)
            return (exact, True) if exact is not None else (column, told)
        return column, told


def _table(expects: Expects, schema: FileSchema, reader: _Reader) -> Iterator[Unmet]:
    there = {column.name: column for column in unnamed(schema)}
    for name in expects.names:
        if name not in there:
            message = f"needs column '{name}'; '{schema.path}' {has(there, name)}{_unnamed(schema)}"
            yield _breaking(schema.path, message, name)
        elif name in expects.columns:
            yield from _column(expects.columns[name], there[name], reader)
    others = [name for name in there if name not in expects.names]
    if expects.exact and others:
        message = f"needs no columns but {listed(expects.names)}; '{schema.path}' also has {listed(others)}"
        yield _breaking(schema.path, message)
    wanted = [name for name in expects.names if name in there]
    found = [name for name in there if name in expects.names]
    if expects.order and wanted != found:
        message = f"needs its columns in the order {listed(wanted)}; '{schema.path}' has {listed(found)}"
        yield _breaking(schema.path, message)


def _unnamed(schema: FileSchema) -> str:
    return "; its first line names no columns, they are counted from 0" if schema.header is False else ""


def _column(wanted: ExpectedColumn, column: Column, reader: _Reader) -> Iterator[Unmet]:
    schema = reader.schema
    path, name = schema.path, column.name
    where = f"column '{name}' of '{path}'"
    if wanted.family is not None and not (schema.format is Format.LIBSVM and wanted.family in NUMBERS):
        impact, why = FAMILIES[wanted.family, column.family]
        if impact is not Impact.SAFE:
            message = f"needs {where} to be {wanted.family}; it is {column.family}: {why}"
            yield Unmet(impact=impact, file=path, column=name, message=message)
        if impact is Impact.BREAKING:
            return
    column, complete = reader.column(wanted, column)
    seen = list(_seen(wanted, column, schema, where))
    yield from seen
    if not complete and _whole(wanted) and not seen:
        what = f"needs {where} to be '{wanted}'; not all of its values were looked at"
        yield _risky(path, what, name)


def _seen(wanted: ExpectedColumn, column: Column, schema: FileSchema, where: str) -> Iterator[Unmet]:
    """What the rows that were read tell against it."""
    path, name = schema.path, column.name
    if wanted.nullable is False and column.nulls:
        rows = _rows_of(schema)
        count = f"{column.nulls:,} of {rows:,}" if rows is not None and schema.complete else f"{column.nulls:,}"
        are = "is" if column.nulls == 1 else "are"
        yield _breaking(path, f"needs every value of {where}; {count} {are} missing", name)
    if wanted.unique and column.unique is False:
        yield _breaking(path, f"needs {where} to be unique; a value comes twice", name)
    elif wanted.unique and column.unique is None and schema.complete and column.family is not Family.NULL:
        yield _risky(path, f"needs {where} to be unique; its values were not counted", name)
    yield from _range(wanted, column, path, where)
    yield from _values(wanted, column, path, where)


def _range(wanted: ExpectedColumn, column: Column, path: str, where: str) -> Iterator[Unmet]:
    if wanted.min is None and wanted.max is None:
        return
    limits = span(wanted.min, wanted.max)
    ends = [end for end in (column.minimum, column.maximum) if end is not None]
    if any(isinstance(end, str) != isinstance(_either(wanted), str) for end in ends):
        yield _breaking(path, f"needs {where} to be {limits}; it holds {_ends(column)}", column.name)
    elif not all(wanted.within(end) for end in ends):
        yield _breaking(path, f"needs {where} to be {limits}; it is {_ends(column)}", column.name)
    elif not ends and column.family is not Family.NULL:
        yield _risky(path, f"needs {where} to be {limits}; of {column.family} no range is known", column.name)


def _either(wanted: ExpectedColumn) -> Bound | None:
    return wanted.min if wanted.min is not None else wanted.max


def _ends(column: Column) -> str:
    ends = [f"{end:g}" if isinstance(end, float) else end for end in (column.minimum, column.maximum)]
    return f"{ends[0]} to {ends[1]}" if ends[0] != ends[1] else f"{ends[0]}"


def _values(wanted: ExpectedColumn, column: Column, path: str, where: str) -> Iterator[Unmet]:
    """Where a file lists no values (only those of few are listed), its range may still tell."""
    if not wanted.values or column.family is Family.NULL:
        return
    family = column.family
    known = {_normal(value, family) for value in wanted.values}
    others = [value for value in column.values if _normal(value, family) not in known]
    allowed = listed(wanted.values)
    if others:
        yield _breaking(path, f"needs {where} to be one of {allowed}; it also holds {listed(others)}", column.name)
    if column.values:
        return
    low, high = column.minimum, column.maximum
    numbers = [number for value in wanted.values if isinstance(number := parsed(value, Family.FLOAT), float)]
    if family in NUMBERS and isinstance(low, int | float) and isinstance(high, int | float):
        if not numbers or low < min(numbers) or high > max(numbers):
            yield _breaking(path, f"needs {where} to be one of {allowed}; it is {_ends(column)}", column.name)
            return
        if family is Family.INT and high - low < len(numbers) and set(range(int(low), int(high) + 1)) <= set(numbers):
            return
    message = f"needs {where} to be one of {allowed}; not all of its different values are known"
    yield _risky(path, message, column.name)


def _normal(value: str, family: Family) -> object:
    """A value as it compares: `1.0` is 1 in a column of numbers, `True` is `true` in one of flags."""
    if family in (*NUMBERS, Family.BOOL):
        found = parsed(value, Family.BOOL if family is Family.BOOL else Family.FLOAT)
        return value if found is None else found
    return value


def _rows_of(schema: FileSchema) -> int | None:
    """Of an array: its first dimension."""
    return schema.shape[0] if schema.rows is None and schema.format is Format.NPY and schema.shape else schema.rows


def _rows(expects: Expects, files: Sequence[FileSchema]) -> Iterator[Unmet]:
    wanted = expects.rows
    assert wanted is not None  # noqa: S101 (the caller asked)
    counts = [rows for schema in files if (rows := _rows_of(schema)) is not None]
    number = sum(counts)
    where = f"'{files[0].path}' has" if len(files) == 1 else f"{len(files)} files have"
    path = files[0].path if len(files) == 1 else ""
    if len(counts) < len(files):
        yield _risky(path, f"needs {wanted}; not every file's rows are counted")
    elif not all(schema.complete for schema in files):
        yield _risky(path, f"needs {wanted}; {where} about {number:,}, read in part only")
    elif (wanted.min is not None and number < wanted.min) or (wanted.max is not None and above(number, wanted.max)):
        yield _breaking(path, f"needs {wanted}; {where} {number:,}")
