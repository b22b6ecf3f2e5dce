"""A value that is not what the code takes it for, and a file that is not what it is read as."""

from __future__ import annotations

import re

from runner.data.diagnoses import Kind
from runner.data.diagnosis.model import Failure, Finding, shortened, suspect, whose
from runner.data.raised import Raised
from runner.data.tables import FileSchema
from runner.sagemaker.job import InputMount, StepData
from runner.spec.families import Family
from runner.spec.names import listed

_NO_NUMBER = re.compile(
    r"^(?:could not convert string to float: |invalid literal for int\(\) with base \d+: |Unable to parse string )"
    r"(?P<value>'.*?'|\".*?\")(?: at position \d+)?$"
)
_OBJECTS = re.compile(
    r"^DataFrame\.dtypes for data must be int, float, bool or category.*Invalid columns: ?(?P<columns>.*)", re.S
)
_OF_VALUES = (
    re.compile(r"^Cannot convert non-finite values"),
    re.compile(r"^Input (?:X|y|\w+) contains (?:NaN|infinity)"),
    re.compile(r"^time data .* (?:does not|doesn't) match format"),
    re.compile(r"^Could not convert .* with type \w+: tried to convert"),
    re.compile(r"^Unknown label type"),
    re.compile(r"^(?:unable to|cannot) convert (?:string|float|non-finite)", re.I),
)
_OF_TYPE_ERRORS = re.compile(
    r"unsupported operand|not supported between|object (?:is not|cannot be|does not support)|can only concatenate"
    r"|must be .* not|expected .* (?:got|found)|argument must be|not JSON serializable|Cannot (?:compare|convert|cast)"
    r"|ufunc|cannot (?:convert|be interpreted|perform)|Invalid comparison",
    re.I,
)
_TYPES = {"DateParseError", "OutOfBoundsDatetime", "IntCastingNaNError", "ArrowTypeError", "DTypePromotionError"}
_DECODE = re.compile(r"^'(?P<codec>[\w-]+)' codec can't decode bytes? (?P<byte>0x\w\w)?.* in position (?P<at>\d+)")
_ENCODE = re.compile(r"^'(?P<codec>[\w-]+)' codec can't encode character")
_BYTES = {  # exception -> what the bytes are not
    "JSONDecodeError": "JSON",
    "UnpicklingError": "a pickle",
    "BadGzipFile": "gzip",
    "BadZipFile": "a zip archive",
    "LZMAError": "xz",
}
_MAGIC = {("0x8b", "1"): "gzip", ("0xff", "0"): "UTF-16", ("0xfe", "0"): "UTF-16"}
_NO_PARQUET = re.compile(r"Parquet magic bytes not found|Could not open Parquet input source|Parquet file size is")
_MOST = 5
_TEXT = (Family.STRING, Family.CATEGORY)
About = tuple[InputMount, str] | None
"""The file that it is about, as its input and its path in there; None: nobody knows."""


def wrong_type(failure: Failure, raised: Raised, source: str = "") -> Finding | None:
    """Text where a number is needed, missing values, a type that an operation does not know."""
    message = raised.message.strip()
    if (found := _NO_NUMBER.match(message)) is not None:
        value = found["value"]
        details = _columns_with(failure, value[1:-1]) or _text_columns(failure, source)
        what = "whole number" if "int()" in message else "number"
        return Finding(Kind.TYPE, f"the text {shortened(value, 80)} is no {what}", _cure(details), details)
    if (found := _OBJECTS.match(message)) is not None:
        columns = shortened(found["columns"])
        words = f"XGBoost takes numbers and categories only, and these columns are neither: {columns}"
        return Finding(Kind.TYPE, words, "convert or drop them before the DMatrix is made")
    if raised.name == "TypeError" and not _OF_TYPE_ERRORS.search(message):
        return None
    if raised.name in {*_TYPES, "TypeError"} or any(pattern.search(message) for pattern in _OF_VALUES):
        return Finding(Kind.TYPE, f"a value is not of the type that the code takes: {shortened(raised.line)}")
    return None


def _columns_with(failure: Failure, value: str) -> tuple[str, ...]:
    """The columns whose few different values are known and have this one among them."""
    found = [
        f"column '{column.name}' of {schema.path} in {whose(item)} has {value!r}"
        for item, schema in _files(failure)
        for column in schema.columns or ()
        if value in column.values
    ]
    return tuple(found[:_MOST])


def _text_columns(failure: Failure, source: str) -> tuple[str, ...]:
    """The columns of text that the script's line names."""
    found = [
        f"column '{column.name}' of {schema.path} in {whose(item)} holds text"
        for item, schema in _files(failure)
        for column in schema.columns or ()
        if column.family in _TEXT and re.search(rf"""['"]{re.escape(column.name)}['"]""", source)
    ]
    return tuple(found[:_MOST])


def _cure(details: tuple[str, ...]) -> str:
    return "convert, encode or drop that column before it is used as a number" if details else ""


def wrong_bytes(failure: Failure, raised: Raised, source: str) -> Finding | None:
    """A file in another character set or format than it is read in."""
    message, about = raised.message.strip(), suspect(failure, source)
    which = f"'{about[1]}' of {whose(about[0])}" if about is not None else "a file"
    if (found := _DECODE.match(message)) is not None:
        return _undecodable(failure, found, which, about)
    if _ENCODE.match(message):
        words = f"text cannot be written: {shortened(raised.line)}"
        return Finding(Kind.ENCODING, words, "open the file with encoding='utf-8'")
    if raised.name == "EmptyDataError":
        return Finding(Kind.ENCODING, f"{which} is read as a table and holds no columns", _fill(about))
    if raised.name == "ParserError":
        return Finding(Kind.ENCODING, f"{which} is not the table that it is read as: {shortened(message)}")
    if _NO_PARQUET.search(message):
        words = f"{which} is read as parquet, and is not or only in part{_faults(failure, about)}"
        return Finding(Kind.ENCODING, words, _write_again(failure, about))
    if raised.type in ("tarfile.ReadError", "ReadError"):
        return Finding(Kind.ENCODING, f"{which} is read as a tar archive, and is not")
    if raised.name in _BYTES:
        return Finding(
            Kind.ENCODING, f"{which} is not {_BYTES[raised.name]}: {shortened(message)}{_faults(failure, about)}"
        )
    return None


def _fill(about: About) -> str:
    """What to do about an empty file."""
    if about is not None and isinstance(about[0].source, StepData):
        return f"let '{about[0].source.step}' write the names of the columns also where there are no rows"
    return "give it a file that holds a table, or skip files of 0 bytes"


def _write_again(failure: Failure, about: About) -> str:
    """What to do about a parquet file that cannot be read, as far as its bytes say what it is."""
    faulty = [item for item, schema in _files(failure, about) if "half-written" in (schema.fault or "")]
    if not faulty:
        return ""
    if isinstance(faulty[0].source, StepData):
        return f"let '{faulty[0].source.step}' close the file when all is written (`with ParquetWriter(...)`)"
    return "get or write the file again: the one on the host is not whole"


def _undecodable(failure: Failure, found: re.Match[str], which: str, about: About) -> Finding:
    byte = f"byte {found['byte']}" if found["byte"] else "the bytes"
    words = f"{which} is read as {found['codec'].upper()}, and {byte} at position {found['at']} is not"
    wanted = found["codec"].lower().replace("_", "-")
    others = [
        (item, schema)
        for item, schema in _files(failure, about)
        if schema.encoding and schema.encoding.lower().removesuffix("-sig") not in (wanted, "ascii")
    ]
    if others:
        item, schema = others[0]
        named = f"{listed(each.path for _, each in others[:_MOST])} of {whose(item)}" if about is None else "it"
        fix = f"read it with encoding='{schema.encoding}', or write it as UTF-8"
        return Finding(Kind.ENCODING, f"{words}; {named} looks like {schema.encoding}", fix)
    magic = _MAGIC.get((found["byte"], found["at"]))
    hint = f"; a file of {magic} begins like that" if magic else ""
    return Finding(Kind.ENCODING, words + hint, "read it in the encoding in which it was written")


def _files(failure: Failure, about: About = None) -> list[tuple[InputMount, FileSchema]]:
    """Every file of the inputs, or the one that it is about."""
    every = [(item, schema) for item in failure.data for schema in failure.schemas(item.name)]
    return [(item, schema) for item, schema in every if about is None or (item, schema.path) == about]


def _faults(failure: Failure, about: About) -> str:
    """What the formats' readers have to say of the file; of all of them where nobody knows which it was."""
    faulty = [(item, schema) for item, schema in _files(failure, about) if schema.fault]
    if about is not None:
        return "".join(f" ({schema.fault})" for _, schema in faulty)
    told = "; ".join(f"{schema.path} of {whose(item)}: {schema.fault}" for item, schema in faulty[:_MOST])
    return f" ({told})" if told else ""
