"""A result's text as a terminal shows it: the verdicts in colour, long lines broken between words."""

from __future__ import annotations

import re

from runner.report.style import PLAIN, Style
from runner.report.text import clean, wrap

_VERDICT = re.compile(r"^(?P<before> *\S.*: )(?P<word>PASS|FAIL|NOT RUN|COMPATIBLE|INCOMPATIBLE|NOT TESTED)(?=$|[ :,])")
_COLOURS = {"PASS": "green", "COMPATIBLE": "green", "FAIL": "red", "INCOMPATIBLE": "red"}
"""All others: yellow."""
_REMEDY = re.compile(r"^ *(?:remedy|at):")
_HANGING = 4
"""Columns by which the rest of a broken line is indented, from where the line begins."""


def told(text: str, style: Style = PLAIN, columns: int = 0) -> str:
    """`text`, as `str()` of a result gives it. `columns` of the terminal; 0: no line is broken.

    Nothing in it can move a cursor: a column's name and an exception's words are a stranger's.
    """
    return "\n".join(_line(clean(line), style, columns) for line in text.split("\n"))


def _line(line: str, style: Style, columns: int) -> str:
    margin = len(line) - len(line.lstrip())
    room = columns - margin - _HANGING
    if room > _HANGING * 5:
        first, *rest = wrap(line.lstrip(), room).split("\n")
        line = "\n".join([" " * margin + first, *(" " * (margin + _HANGING) + each for each in rest)])
    if _REMEDY.match(line):
        label, _, words = line.partition(":")
        return f"{style.paint(f'{label}:', 'bold')}{words}"
    found = _VERDICT.match(line)
    if found is None:
        return line
    colour = _COLOURS.get(found["word"], "yellow")
    return (
        f"{style.paint(found['before'].removesuffix(': '), 'bold')}: {style.paint(found['word'], colour)}"
        + (line[found.end() :])
    )
