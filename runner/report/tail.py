"""The end of a step's output: a bounded read, and the choice of the lines that say why it failed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from runner.report.fold import Folder
from runner.report.text import clean, count, size

READ = 64 * 1024
"""Bytes read from the end of a file, however large it is."""
LINES = 40
LINE_HEAD, LINE_TAIL = 320, 160
"""Characters of a long line that are shown: an error message may stand at either end of it."""
OTHER = 8
"""Lines kept for the stream that does not hold the error."""
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of one file, cleaned for a terminal."""

    stream: str
    """`stdout` or `stderr`."""
    path: Path
    bytes: int
    """Size of the whole file."""
    lines: tuple[str, ...]
    complete: bool
    """The lines are the whole file."""

    @property
    def title(self) -> str:
        if self.complete:
            return self.stream
        return f"{self.stream}, the last {count(len(self.lines), 'line')}, {size(self.bytes)} in all"


def read_tail(path: Path, stream: str) -> Excerpt:
    """The lines in the last 64 KiB of `path`. Raises OSError."""
    with path.open("rb") as file:
        total = file.seek(0, os.SEEK_END)
        start = max(total - READ, 0)
        file.seek(start)
        data = file.read(READ)
    if start:
        # The first line is a part of one; it is dropped unless nothing else is there.
        first, newline, rest = data.partition(b"\n")
        data = rest if newline and rest else b"... " + first
    folder = Folder(limit=2 * READ)
    lines = [_cut(clean(line)) for line in folder.feed(data) + folder.flush()]
    return Excerpt(stream, path, total, tuple(_without_blank_ends(lines)), complete=start == 0)


def excerpts(stdout: Path, stderr: Path, budget: int = LINES) -> tuple[Excerpt, ...]:
    """What to show of the two streams in `budget` lines, the one that holds the error last; blank ones are left out.

    Raises OSError when a file that should be there cannot be read.
    """
    found = [read_tail(stdout, "stdout"), read_tail(stderr, "stderr")]
    found = [excerpt for excerpt in found if excerpt.lines]
    if len(found) < 2:
        return tuple(_limit(excerpt, budget) for excerpt in found)
    other, main = found
    if _traceback(other.lines) is not None and _traceback(main.lines) is None:
        main, other = other, main
    at = _traceback(main.lines)
    needed = min(len(main.lines) if at is None else len(main.lines) - at, budget)
    spare = min(OTHER, budget - needed) if at is not None else max(budget - len(main.lines), OTHER)
    other = _limit(other, spare)
    main = _limit(main, budget - len(other.lines))
    return tuple(excerpt for excerpt in (other, main) if excerpt.lines)


def _limit(excerpt: Excerpt, budget: int) -> Excerpt:
    lines = excerpt.lines
    if len(lines) <= budget:
        return excerpt
    at = _traceback(lines)
    kept = list(lines[len(lines) - budget :]) if budget else []
    if at is not None and at < len(lines) - budget and budget >= 10:
        kept = _around_traceback(lines, at, budget)
    return Excerpt(excerpt.stream, excerpt.path, excerpt.bytes, tuple(kept), complete=False)


def _around_traceback(lines: tuple[str, ...], at: int, budget: int) -> list[str]:
    """The traceback that starts at `at`, cut in its middle, and the last lines of what follows it."""
    end = _end_of_traceback(lines, at)
    after = lines[end:][-5:]
    body = _cut_middle(list(lines[at:end]), budget - len(after) - 1)
    skipped = len(lines) - end - len(after)
    return [*body, *([_left_out(skipped)] if skipped else []), *after]


def _end_of_traceback(lines: tuple[str, ...], at: int) -> int:
    """Index behind the exception's own line: the first one after the frames that is not indented."""
    for index in range(at + 1, len(lines)):
        if lines[index] and not lines[index].startswith((" ", "|", "+")):
            return index + 1
    return len(lines)


def _cut_middle(lines: list[str], budget: int) -> list[str]:
    if len(lines) <= budget:
        return lines
    head = 3
    tail = budget - head - 1
    return [*lines[:head], _left_out(len(lines) - head - tail), *lines[-tail:]]


def _left_out(number: int) -> str:
    return f"... {number} more lines ..."


def _traceback(lines: tuple[str, ...]) -> int | None:
    """Index of the last traceback's first line."""
    return next((i for i in range(len(lines) - 1, -1, -1) if lines[i].lstrip().startswith(_TRACEBACK)), None)


def _cut(line: str) -> str:
    if len(line) <= LINE_HEAD + LINE_TAIL + 40:
        return line
    lost = len(line) - LINE_HEAD - LINE_TAIL
    return f"{line[:LINE_HEAD]} … [{lost:,} characters] … {line[-LINE_TAIL:]}"


def _without_blank_ends(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return lines
