"""How things look: one mark per state, a few colours, and what a stream can show of either.

Colour never stands alone: each state has its own mark and its own word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from runner.engine.base import Verdict
from runner.pipeline.events import StepResult, StepState

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

_MARKS = {
    StepState.WAITING: ("·", "."),
    StepState.READY: ("·", "."),
    StepState.RUNNING: ("▶", ">"),
    StepState.PASSED: ("✓", "+"),
    StepState.FAILED: ("✗", "x"),
    StepState.BLOCKED: ("─", "-"),
    StepState.CANCELLED: ("─", "-"),
}
_COLOURS = {
    StepState.WAITING: "dim",
    StepState.READY: "dim",
    StepState.RUNNING: "cyan",
    StepState.PASSED: "green",
    StepState.FAILED: "red",
    StepState.BLOCKED: "yellow",
    StepState.CANCELLED: "yellow",
}
_SIGNS = {"…": "...", "│": "|", "←": "<-", "→": "->", "↔": "<->", "·": "-", "─": "-"}
_EVERY_SIGN = "".join(mark for mark, _ in _MARKS.values()) + "".join(_SIGNS) + "├╰╯┤┴┼●○"


@dataclass(frozen=True, slots=True)
class Style:
    """What a stream can show. The default is what goes into a file: no colour, any character."""

    color: bool = False
    unicode: bool = True

    @classmethod
    def of(cls, stream: IO[str], *, color: bool) -> Style:
        """For a text stream; marks fall back to ASCII when its encoding cannot hold them."""
        return cls(color, can_encode(getattr(stream, "encoding", None) or "utf-8"))

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.color and text else text

    def sign(self, character: str) -> str:
        """`character`, or its ASCII stand-in."""
        return character if self.unicode else _SIGNS[character]

    def mark(self, state: StepState) -> str:
        return self.paint(_MARKS[state][0 if self.unicode else 1], _COLOURS[state])

    def colour(self, state: StepState) -> str:
        return _COLOURS[state]


PLAIN = Style()


def can_encode(encoding: str) -> bool:
    """Whether every sign used here can be written in `encoding`."""
    try:
        _EVERY_SIGN.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def look(result: StepResult) -> StepState:
    """The state by whose mark and colour a result is shown: one that the user stopped did not fail."""
    return StepState.CANCELLED if result.verdict is Verdict.CANCELLED else result.state


def outcome(result: StepResult) -> str:
    """One word: `passed`, `cached`, `failed`, `error` (the environment's fault), `stopped`, `blocked`, `cancelled`."""
    if result.state is StepState.FAILED:
        if result.verdict is Verdict.INFRASTRUCTURE:
            return "error"
        return "stopped" if result.verdict is Verdict.CANCELLED else "failed"
    return "cached" if result.cached is not None else str(result.state)
