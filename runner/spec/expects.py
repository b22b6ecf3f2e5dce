"""`expects:` of an input: what a step needs its data to be, in the words of a pipeline file.

What is checked of it, and against what, stands in `runner.data.expectations`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from runner.spec import fold
from runner.spec.families import NUMBERS, TABULAR, Family, Format
from runner.spec.fields import Filled, before
from runner.spec.fold import Misfit
from runner.spec.names import did_you_mean
from runner.spec.scalar import Literal, described
from runner.spec.strict import Strict
from runner.spec.values import Bound, above, moment, parsed, span

_SCHEMA = re.compile(rf"{fold.MODULE.pattern}:[^\W\d]\w*")
_FORMATS = tuple(format_.value for format_ in Format if format_ not in (Format.EMPTY, Format.UNKNOWN))
_FAMILIES = tuple(family.value for family in Family if family is not Family.NULL)  # which YAML takes for no family
_MEANT = {
    "text": "string",
    "str": "string",
    "varchar": "string",
    "number": "float",
    "double": "float",
    "real": "float",
    "decimal": "float",
    "long": "int",
    "date": "datetime",
    "time": "datetime",
    "timestamp": "datetime",
    "enum": "category",
    "factor": "category",
    "list": "nested",
    "array": "nested",
    "dict": "nested",
    "bytes": "binary",
}
"""Names that other tools use for the same thing."""


def _family(value: object) -> object:
    return _choice(value, _FAMILIES, _MEANT)


def _format(value: object) -> object:
    return _choice(value, _FORMATS, {"svm": "libsvm", "ndjson": "jsonl", "jsonlines": "jsonl", "tar.gz": "tar"})


def _choice(value: object, known: tuple[str, ...], meant: dict[str, str]) -> object:
    if isinstance(value, str) and value in known:
        return value
    hint = ""
    if isinstance(value, str):
        other = meant.get(value.lower())
        hint = f" (did you mean '{other}'?)" if other else did_you_mean(value, known)
    raise Misfit(f"expected {', '.join(known[:-1])} or {known[-1]}, got {described(value)}{hint}")


def _bound(value: object) -> object:
    """A finite number, or a time as text."""
    number = value.value if isinstance(value, Literal) else value
    if isinstance(number, str) and moment(number) is not None:
        return number
    if isinstance(number, bool) or not isinstance(number, int | float) or number - number != 0:
        raise Misfit(f"expected a number, or a time as '2024-01-31'; got {described(value)}")
    return number


def _rows(value: object) -> object:
    number = value.value if isinstance(value, Literal) else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise Misfit(f"expected a whole number of rows, got {described(value)}")
    return number


def _values(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise Misfit(f"expected a list, got {described(value)}")
    if not value:
        raise Misfit("at least one is needed")
    found: list[str] = []
    for index, item in enumerate(value):
        try:
            text = str(item) if isinstance(item, int | float) else fold.verbatim(item)
        except Misfit as error:
            raise Misfit(str(error), index) from None
        if text in found:
            raise Misfit(f"'{text}' is listed twice", index)
        found.append(text)
    return tuple(found)


def _columns(value: object) -> object:
    if isinstance(value, list | tuple):
        raise Misfit("expected a mapping of names to families; a list of names alone goes under 'required'")
    return value


def _required(value: object) -> object:
    for index, name in enumerate(value if isinstance(value, list | tuple) else ()):
        if name in value[:index]:  # type: ignore[index]
            raise Misfit(f"'{name}' is listed twice", index)
    return fold.names(value)


def _glob(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise Misfit(f"expected a pattern of names below the input's directory, as 'part-*.csv'; got '{text}'")
    return fold.filled(text)


def _schema(text: str) -> str:
    if not _SCHEMA.fullmatch(text):
        raise Misfit(f"expected module:Schema, as checks.rows:Rows; got {described(text)}")
    return text


_Family = Annotated[Family, WithJsonSchema({"type": "string", "enum": list(_FAMILIES)})]
_Format = Annotated[Format, WithJsonSchema({"type": "string", "enum": list(_FORMATS)})]
_Flag = Annotated[bool, before(fold.flag, bool)]
_Bound = Annotated[Bound, before(_bound, int | float | str)]
_Count = Annotated[int, before(_rows, Annotated[int, Field(ge=0)])]


class ExpectedRows(Strict):
    """A number of rows: `N` alone is both."""

    min: _Count | None = None
    """At least so many rows."""
    max: _Count | None = None
    """At most so many rows."""

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, data: Any) -> Any:
        return data if isinstance(data, dict | cls) else {"min": _rows(data), "max": _rows(data)}

    @model_validator(mode="after")
    def _in_order(self) -> ExpectedRows:
        if self.min is None and self.max is None:
            raise Misfit("says nothing: write a number, or {min: ..., max: ...}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Misfit(f"{self.min} is above max {self.max}", "min")
        return self

    def __str__(self) -> str:
        one = 1 in (self.min, self.max) and self.max in (None, 1)
        return "no rows" if self.max == 0 else f"{span(self.min, self.max)} row{'s' * (not one)}"


class ExpectedColumn(Strict):
    """What a column must hold: a family alone, or with the rest."""

    family: Annotated[Family, before(_family, _Family)] | None = None
    """`int`, `float`, `bool`, `string`, `category`, `datetime`, `nested` or `binary`; left out: any."""
    nullable: _Flag | None = None
    """`false`: no value may be missing; `true` or left out: some may."""
    min: _Bound | None = None
    """The least value: a number, or a time as '2024-01-31'."""
    max: _Bound | None = None
    """The greatest value."""
    values: Annotated[
        tuple[str, ...], before(_values, Annotated[list[str | int | float | bool], Field(min_length=1)])
    ] = ()
    """Every value is one of these."""
    unique: _Flag = False
    """`true`: no value comes twice."""

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, data: Any) -> Any:
        if data is None:
            return {}
        return data if isinstance(data, dict | cls) else {"family": data}

    @model_validator(mode="after")
    def _consistent(self) -> ExpectedColumn:
        for message, *at in self._faults():
            raise Misfit(str(message), *at)
        return self

    def _faults(self) -> Iterator[tuple[str | int, ...]]:
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and self.family not in (None, *NUMBERS, Family.DATETIME):
                yield f"is for numbers and times; this column is {self.family}", name
            elif isinstance(bound, str) and self.family in NUMBERS:
                yield f"expected a number, got '{bound}'", name
            elif bound is not None and not isinstance(bound, str) and self.family is Family.DATETIME:
                yield f"expected a time as '2024-01-31', got the number {bound}", name
        if self.min is not None and self.max is not None:
            if isinstance(self.min, str) != isinstance(self.max, str):
                yield "one is a number and the other a time", "max"
            elif above(self.min, self.max):
                yield f"{self.min} is above max {self.max}", "min"
        for index, value in enumerate(self.values):
            if (found := parsed(value, self.family)) is None:
                yield f"'{value}' is no {self.family}", "values", index
            elif not self.within(found):
                yield f"'{value}' is not {span(self.min, self.max)}", "values", index

    def within(self, value: Bound) -> bool:
        """Whether a value lies between `min` and `max`; what cannot be compared with them does."""
        low = self.min is None or isinstance(self.min, str) != isinstance(value, str) or not above(self.min, value)
        high = self.max is None or isinstance(self.max, str) != isinstance(value, str) or not above(value, self.max)
        return low and high

    def __str__(self) -> str:
        parts = [
            str(self.family) if self.family else "",
            span(self.min, self.max) if self.min is not None or self.max is not None else "",
            f"one of {', '.join(self.values)}" if self.values else "",
            "unique" if self.unique else "",
            "no nulls" if self.nullable is False else "",
        ]
        return " ".join(filter(None, parts))


class Expects(Strict):
    """What the data of an input must be, so that the step can work on it."""

    format: Annotated[Format, before(_format, _Format)] | None = None
    """`csv`, `tsv`, `json`, `jsonl`, `parquet`, `npy`, `libsvm`, `npz`, `pickle`, `tar`, `image` or `text`."""
    files: Annotated[Filled, before(lambda value: _glob(value) if isinstance(value, str) else value, str)] | None = None
    """Which files this is about, as `part-*.csv`; without a `/` in any directory. Left out: every table."""
    columns: Annotated[
        dict[Filled, ExpectedColumn], before(_columns, dict[Filled, ExpectedColumn | _Family | None])
    ] = {}
    """Name -> family, or {family, nullable, min, max, values, unique}. Each of these columns must be there."""
    required: Annotated[tuple[Filled, ...], before(_required, Filled | list[Filled])] = ()
    """Names of columns that must be there, whatever they hold."""
    exact: _Flag = False
    """`true`: there are no other columns."""
    order: _Flag = False
    """`true`: the columns come in the order in which they are written here, as where the label must be the first."""
    rows: ExpectedRows | None = None
    """Rows in all of the files together: a number, or {min, max}."""
    schema_: (
        Annotated[Filled, before(lambda value: _schema(value) if isinstance(value, str) else value, str)] | None
    ) = Field(default=None, alias="schema")
    """`module:Schema`: a pandera schema, in a module beside the pipeline file or installed."""

    @model_validator(mode="after")
    def _consistent(self) -> Expects:
        if not self.model_fields_set:
            raise Misfit("says nothing; write at least one of: format, files, columns, required, rows, schema")
        for key in ("exact", "order"):
            if getattr(self, key) and not self.names:
                raise Misfit("has no effect without 'columns' or 'required'", key)
        if self.format is not None and self.format not in TABULAR:
            for key in ("columns", "required", "rows", "schema"):
                if getattr(self, "schema_" if key == "schema" else key):
                    raise Misfit(f"is for tables, and a file of the format '{self.format}' is none", key)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that must be there, as it is written: those of `required` that `columns` has not come last."""
        return tuple(dict.fromkeys([*self.columns, *self.required]))

    @property
    def about_tables(self) -> bool:
        """Whether only a table can meet it."""
        return bool(self.names or self.rows or self.schema_ or self.format in TABULAR)

    def __str__(self) -> str:
        """For `plan`: `csv, part-*.csv, label (int one of 0, 1), id, at least 1 rows`."""
        columns = [f"{name} ({words})" if (words := str(self.columns.get(name, ""))) else name for name in self.names]
        parts = [
            self.format.value if self.format else "",
            self.files or "",
            ", ".join(columns) + (", no others" if self.exact else "") + (", in this order" if self.order else ""),
            str(self.rows or ""),
            f"schema {self.schema_}" if self.schema_ else "",
        ]
        return "; ".join(filter(None, parts))
