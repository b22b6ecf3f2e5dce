"""What single values are, as texts of a delimited file and as values of JSON.

Of the texts of a delimited file these are missing, as for pandas' `read_csv`: the empty text, `#N/A`, `#N/A N/A`,
`#NA`, `-1.#IND`, `-1.#QNAN`, `-NaN`, `-nan`, `1.#IND`, `1.#QNAN`, `<NA>`, `N/A`, `NA`, `NULL`, `NaN`, `None`, `n/a`,
`nan`, `null`; nothing else is, not even ` NA`. Of JSON, null and NaN are missing, and a key that a record lacks.

A number is what pandas takes for one (also with blanks around it, `inf`, `.5`), but for one thing: what starts with a
zero and another digit (`007`, a code) is text here, since as a number it would lose its zeros. Integers may have any
size. A bool is `true`, `True`, `TRUE` and the like. A time is ISO 8601: a date, or a date and a time of day, with or
without an offset; all of a column with one or all without. Values of several kinds make a column of strings, but for
integers among floats.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection
from typing import Any

from runner.data.tables import Family

MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
BOOLS = {text: text.lower() for word in ("true", "false") for text in (word, word.title(), word.upper())}
# Possessive (`++`), so that a text of any length is read once.
_INT = r" *+[+-]?+(?:0|[1-9][0-9]{0,3999}+) *+"
_NUMBER = (
    r" *+[+-]?+(?:(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+"
    r"|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?+) *+"
)
_INTS, _NUMBERS = re.compile(f"(?:{_INT}\n)*+"), re.compile(f"(?:{_NUMBER}\n)*+")
_ONE_INT, _ONE_NUMBER = re.compile(_INT), re.compile(_NUMBER)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
Group = tuple[Family, Collection[str], Collection[Any]]
"""Different values of one kind: as texts, and as what can be compared."""


def json_group(family: Family, found: list[Any]) -> Group:
    """The different ones of JSON values that are all of one kind, which is not NESTED."""
    if family is Family.BOOL:
        texts = {str(value).lower() for value in found}
        return family, texts, texts
    different = set(found)
    texts = set(map(str, different))
    return family, texts, {_time(text) for text in texts} if family is Family.DATETIME else different


def kinds_of(distinct: set[str]) -> list[Group]:
    """Texts by what they are, with the values to compare; all at once where all are of one kind."""
    joined = "\n".join(distinct) + "\n"
    if joined.count("\n") == len(distinct):
        if _INTS.fullmatch(joined):
            return [(Family.INT, distinct, set(map(int, distinct)))]
        if _NUMBERS.fullmatch(joined):
            return [(Family.FLOAT, distinct, set(map(float, distinct)))]
    found: dict[Family, dict[str, Any]] = {}
    for text in distinct:
        family, key = _kind(text)
        found.setdefault(family, {})[text] = key
    return [(family, texts.keys(), texts.values()) for family, texts in found.items()]


def _kind(text: str) -> tuple[Family, Any]:
    if _ONE_INT.fullmatch(text):
        return Family.INT, int(text)
    if _ONE_NUMBER.fullmatch(text):
        return Family.FLOAT, float(text)
    if text in BOOLS:
        return Family.BOOL, BOOLS[text]
    moment = _time(text)
    return (Family.STRING, text) if moment is None else (Family.DATETIME, moment)


def json_family(value: object) -> Family | None:
    """Of a value of JSON; None: missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return Family.STRING if _time(value) is None else Family.DATETIME
    if isinstance(value, bool):
        return Family.BOOL
    if isinstance(value, int | float):
        return Family.INT if isinstance(value, int) else Family.FLOAT
    return Family.NESTED


def _time(text: str) -> dt.datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:  # a 13th month
        return None
    return moment


def text_family(text: str) -> Family:
    """What one text of a delimited file is; NULL: missing."""
    return Family.NULL if text in MISSING else _kind(text)[0]
