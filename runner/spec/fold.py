"""From what people write to what the models hold: one function per kind of value.

Each takes a value of a `Document` (dict, list, str, `Literal`, None) or a plain Python value, and returns what the
field holds, or raises `Misfit`.
"""

from __future__ import annotations

import json
import math
import os
import posixpath
import re

from runner.spec import units
from runner.spec.scalar import Literal, controls, described

STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
PORT = re.compile(r"[A-Za-z0-9_.-]+")
ENV_KEY = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
PROCESSING_ROOT = "/opt/ml/processing/"
MAX_NAME = 255
"""Bytes, of a file or directory on Linux."""
MAX_PATH = 4095


class Misfit(ValueError):
    """A value that a field cannot take; `at` is the way to the faulty part below the field."""

    def __init__(self, message: str, *at: str | int) -> None:
        super().__init__(message)
        self.at = at


def step_name(name: str) -> str:
    """A SageMaker step name, which never begins with a dash. No dot: `from: step.output` splits at the first one."""
    if not STEP.fullmatch(name):
        rule = "1 to 64 letters, digits, '_' and '-', beginning with a letter or digit"
        raise Misfit(f"'{name}' is not a step name: {rule}")
    return name


def port_name(name: str) -> str:
    """The name of an input or output: it becomes a directory."""
    if not PORT.fullmatch(name) or name in (".", "..") or len(name) > MAX_NAME:
        raise Misfit(f"'{name}' is not a name for data: 1 to {MAX_NAME} letters, digits, '_', '.' and '-'")
    return name


def env_key(name: str) -> str:
    """SageMaker's rule for the names of environment variables."""
    if not ENV_KEY.fullmatch(name):
        raise Misfit(f"'{name}' is not a name for an environment variable: letters, digits and '_', no digit first")
    return name


def module(name: str) -> str:
    """What `python -m` takes: names with dots between them."""
    if not MODULE.fullmatch(name):
        written = name.removesuffix(".py").strip("/").replace("/", ".")
        hint = f"; write '{written}'" if MODULE.fullmatch(written) else ""
        raise Misfit(f"'{name}' is not a module's name, as package.module{hint}")
    return name


def filled(text: str) -> str:
    """Text that says something."""
    if not text.strip():
        raise Misfit("must not be empty")
    return text


def title(text: str) -> str:
    """Text for people, which is printed as it is: nothing in it may steer a terminal or begin a line."""
    if controls(text):
        raise Misfit(f"a name holds no control characters (escapes, tabs, line ends), got {described(text)}")
    return filled(text)


def container_path(path: str) -> str:
    """A directory in a processing container, without a trailing slash. SageMaker's rule for `LocalPath`."""
    stripped = path.rstrip("/")
    if controls(path):
        raise Misfit("a container path holds no control characters")
    if not path.startswith("/"):
        raise Misfit(f"expected an absolute path in the container, as {PROCESSING_ROOT}..., got '{path}'")
    plain = posixpath.normpath(stripped) if stripped else ""
    if not plain.startswith(PROCESSING_ROOT):
        same = f", which is {plain}" if plain not in (stripped, "") else ""
        raise Misfit(f"SageMaker takes only paths that begin with {PROCESSING_ROOT}, got '{path}'{same}")
    if plain != stripped:
        raise Misfit(f"write the path without '.', '..' and '//': {plain}")
    longest = max(len(os.fsencode(part)) for part in stripped.split("/"))
    if longest > MAX_NAME or len(os.fsencode(stripped)) > MAX_PATH:
        rule = f"Linux takes at most {MAX_NAME} bytes between two slashes, and {MAX_PATH} in all"
        raise Misfit(f"no directory can have this path: {rule}")
    return stripped


def verbatim(value: object) -> str:
    """The characters of a scalar, as written."""
    if isinstance(value, str):
        return value
    if isinstance(value, Literal):
        return value.text
    if value is None:
        raise Misfit("has no value; write '' for an empty text")
    raise Misfit(f"expected text, a number, true or false; got {described(value)}")


def hyperparameter(value: object) -> str:
    """As `verbatim`; lists and mappings become JSON, as the SageMaker SDK does."""
    return _json(value) if isinstance(value, dict | list) else verbatim(value)


def _json(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json(item) for item in value) + "]"
    if isinstance(value, Literal):
        return value.text if _JSON_NUMBER.fullmatch(value.text) else json.dumps(value.value)
    return json.dumps(value)


def arguments(value: object) -> object:
    """`args`: a list is verbatim; in a mapping `k: v` is `--k v`, `k:` alone `--k`, `k: [a, b]` `--k a b`.

    A key that begins with a dash is used as it is. None when there is nothing to pass: SageMaker has no empty list.
    """
    if isinstance(value, list | tuple):
        return _items(value) or None
    if not isinstance(value, dict):
        raise Misfit(f"expected a mapping or a list (no shell splits a text), got {described(value)}")
    argv: list[str] = []
    for key, item in value.items():
        if not key:
            raise Misfit("an argument needs a name", key)
        argv.append(key if key.startswith("-") else f"--{key}")
        if isinstance(item, list | tuple):
            argv += _items(item, key)
        elif isinstance(item, dict):
            raise Misfit("expected text, a number, true, false, a list or nothing; got a mapping", key)
        elif item is not None:
            argv.append(verbatim(item))
    return tuple(argv) or None


def job_arguments(value: object) -> object:
    """What becomes `args` or hyperparameters, as plain Python values: a mapping by name, or a list of words."""
    if isinstance(value, list | tuple):
        return [_plain_scalar(item, index) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        raise Misfit(f"expected a mapping or a list (no shell splits a text), got {described(value)}")
    if "" in value:
        raise Misfit("an argument needs a name", "")
    return {key: item if item is None else _plain_argument(item, key) for key, item in value.items()}


def _plain_argument(item: object, key: str) -> object:
    """Text, a number, true, false, or a list or mapping of them."""
    if isinstance(item, list | tuple):
        return [_plain_argument(part, key) for part in item]
    if isinstance(item, dict):
        return {name: part if part is None else _plain_argument(part, key) for name, part in item.items()}
    return _plain_scalar(item, key)


def _plain_scalar(item: object, at: str | int) -> object:
    value = item.value if isinstance(item, Literal) else item
    if not isinstance(value, str | bool | int | float):
        raise Misfit(f"expected text, a number, true or false; got {described(value)}", at)
    return value


def command(value: object) -> object:
    """`entrypoint`: a list of words, verbatim."""
    if not isinstance(value, list | tuple):
        raise Misfit(f"expected a list, as [python3, main.py] (no shell splits a text); got {described(value)}")
    if not value:
        raise Misfit("expected at least one word")
    return _items(value)


def _items(values: list[object] | tuple[object, ...], *at: str | int) -> tuple[str, ...]:
    words = []
    for index, item in enumerate(values):
        try:
            words.append(verbatim(item))
        except Misfit as error:
            raise Misfit(str(error), *at, index) from None
    return tuple(words)


def names(value: object) -> object:
    """`depends_on`: one name or a list of names."""
    return (value,) if isinstance(value, str) else value


def outputs(value: object) -> object:
    """`outputs`: a list of names is a mapping with nothing but defaults."""
    if not isinstance(value, list | tuple):
        return value
    found: dict[str, object] = {}
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise Misfit(f"expected a name, got {described(name)}", index)
        if name in found:
            raise Misfit(f"'{name}' is listed twice", index)
        found[name] = {}
    return found


def flag(value: object) -> bool:
    """True or false and nothing that looks like it."""
    value = value.value if isinstance(value, Literal) else value
    if not isinstance(value, bool):
        raise Misfit(f"expected true or false, got {described(value)}")
    return value


def positive(value: object) -> float:
    """A finite number above 0."""
    number = value.value if isinstance(value, Literal) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number <= 0:
        raise Misfit(f"expected a number above 0, got {described(value)}")
    return float(number)


def count(value: object) -> int:
    """A whole number above 0."""
    number = value.value if isinstance(value, Literal) else value
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise Misfit(f"expected a whole number above 0, got {described(value)}")
    return number


def retries(value: object) -> int:
    """SageMaker's `InvocationsMaxRetries`."""
    number = value.value if isinstance(value, Literal) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 3:
        raise Misfit(f"expected 0, 1, 2 or 3; got {described(value)}")
    return number


def duration(value: object) -> float:
    """Seconds."""
    number = value.value if isinstance(value, Literal) else value
    if not isinstance(number, int | float | str) or isinstance(number, bool):
        raise Misfit(f"expected seconds, or a text as '90s', '5m', '1h'; got {described(value)}")
    try:
        return units.seconds(number)
    except (ValueError, OverflowError):
        raise Misfit(f"expected seconds, or a text as '90s', '5m', '1h'; got {described(value)}") from None


def timeout(value: object) -> float:
    """Seconds above 0."""
    found = duration(value)
    if not found:
        raise Misfit("a time-out of 0 would let nothing run; leave it out for no limit")
    return found


def size(value: object) -> str | int:
    """Bytes, or a text that `units.size` reads; returned as written."""
    number = value.value if isinstance(value, Literal) else value
    expected = "expected bytes, or a text as '512m', '2g'"
    if not isinstance(number, int | str) or isinstance(number, bool):
        raise Misfit(f"{expected}; got {described(value)}")
    try:
        found = units.size(number)
    except (ValueError, OverflowError):
        raise Misfit(f"{expected}; got {described(value)}") from None
    if not found:
        raise Misfit(f"{expected}, above 0")
    return number


def memory(value: object) -> str | int:
    """As `size`, and no less than the engine takes."""
    found = size(value)
    if units.size(found) < units.MIN_MEMORY:
        raise Misfit(f"{described(value)} is below 6m, the least that a container can have")
    return found
