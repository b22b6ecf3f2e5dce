"""Numbers and booleans of a file, with the characters that the person wrote.

`0.10` in an environment must reach the script as `0.10`, not as `0.1`, so a value that is not text is kept as a
`Literal` until the field that takes it says whether it wants a number or the characters.

The rules are YAML 1.2's core schema, not 1.1's: `yes`, `no`, `on`, `off`, `1_000`, `0x_1`, `12:30:45` and dates are
text. JSON's numbers and words are a subset of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DIGITS_MAX = 4000
"""Longer integers stay text: CPython itself refuses to convert more than 4300 digits."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a boolean, as written and as meant."""

    text: str
    value: bool | int | float

    def __str__(self) -> str:
        kind = "boolean" if isinstance(self.value, bool) else "number"
        return f"the {kind} {self.text}"


Scalar = str | Literal | None


def resolve(text: str) -> Scalar:
    """What an unquoted word of YAML, or a bare word of JSON, means."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return Literal(text, text.lower() == "true")
    if _INT.fullmatch(text):
        return Literal(text, int(text)) if len(text) <= _DIGITS_MAX else text
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return Literal(text, int(text, 0))
    if _FLOAT.fullmatch(text):
        return Literal(text, float(text))
    if _SPECIAL.fullmatch(text):
        return Literal(text, float(text.replace(".", "", 1)))
    return text


def plain(value: object) -> object:
    """The value with every `Literal` inside it replaced by the number or boolean that it stands for."""
    if isinstance(value, Literal):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def controls(text: str) -> list[str]:
    """The characters of a text that steer a terminal or end a line."""
    return _CONTROL.findall(text)


def escaped(text: str) -> str:
    """The text as it can be printed: control characters as `\\x1b`."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def described(value: object) -> str:
    """A value of a file in words, short enough for a message: `the number 5`, `a list`, `'abc'`."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool | int | float):
        return str(Literal(repr(value), value))
    if isinstance(value, Literal):
        return str(value)
    text = str(value)
    return repr(text if len(text) <= 80 else text[:77] + "...")
