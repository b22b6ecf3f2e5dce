"""JSON text -> builder events. The standard library decides what is valid, a walk over the tokens finds the places.

Not left to the YAML parser: that one refuses what `json.dumps` writes for an emoji, and a tab before the first brace.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable

from runner.spec.builder import MAX_DEPTH, Builder
from runner.spec.document import Mark
from runner.spec.scalar import resolve

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|([{\[])|([}\]])')
_CONSTANTS = ("NaN", "Infinity")
"""What the standard library takes beyond JSON."""
_TOKEN = re.compile(r'[\s:,]*(?:([{}\[\]])|("(?:[^"\\]|\\.)*")|([^\s{}\[\]:,"]+))')


def parse(text: str, builder: Builder) -> None:
    """Feed a JSON text to the builder. Raises SpecError for bad syntax."""
    if not text.strip():
        return
    starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def mark(position: int) -> Mark:
        line = bisect_right(starts, position)
        return line, position - starts[line - 1] + 1

    _check_depth(text, mark, builder)
    try:
        json.loads(text, parse_int=str)  # as text, for CPython refuses to convert more than 4300 digits
    except json.JSONDecodeError as error:
        raise builder.syntax_error(mark(min(error.pos, len(text))), f"not valid JSON: {error.msg}") from None
    for token in _TOKEN.finditer(text):
        bracket, quoted, bare = token.groups()
        at = mark(token.start(token.lastindex or 0))
        if quoted is not None:
            builder.scalar(json.loads(quoted), at)
        elif bare is not None:
            if bare.lstrip("-") in _CONSTANTS:
                builder.fault(at, f"not valid JSON: {bare} is not a JSON value; put it in quotes")
            builder.scalar(resolve(bare), at)
        elif bracket in "{[":
            builder.open(at, mapping=bracket == "{")
        else:
            builder.close()


def _check_depth(text: str, mark: Callable[[int], Mark], builder: Builder) -> None:
    """The standard library's parser recurses: stop before it does."""
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += 1 if found[1] else -1 if found[2] else 0
        if depth > MAX_DEPTH:
            raise builder.syntax_error(mark(found.start()), f"nested more than {MAX_DEPTH} levels deep")
