"""The exception that ended a script, read from the end of its stderr. Pure; the formats of Python 3.7 to 3.14.

Several tracebacks may be in one log: the last one counts, but for those that Python itself passes over ("Exception
ignored in", an error while logging). What another process wrote between its lines is left out, as far as that shows:
a traceback's lines all have its own prefix, its frames are indented, and an exception's line follows the last frame.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.data.raised import Frame, Raised

READ = 256 << 10
"""Bytes at the end of a log in which a traceback is looked for first."""
READ_MOST = 16 << 20
"""... and where there is none: one line alone may have ten megabytes."""
LONGEST = 4000
"""Characters of a line that are kept."""
MESSAGE = 40
"""Lines of an exception's message that are kept."""
_TITLE = "Traceback (most recent call last):"
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_HEADER = re.compile(r"^(?P<lead>.*?)(?P<plus>\+ )?(?:Exception Group )?Traceback \(most recent call last\):\s*$")
_FRAME = re.compile(r'^  File "(?P<file>.+?)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_DUMPED = re.compile(r'^  File "(?P<file>.+?)", line (?P<line>\d+) in (?P<function>.+)$')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*(?:<locals>[\w.]+)?)(?:: ?(?P<message>.*))?$")
_USUAL = re.compile(r"(?:Error|Exception|Exit|Interrupt|Iteration|Warning|Group|Fault|Timeout)$")
"""How the names of exceptions end."""
_SYNTAX = re.compile(r"^(?:SyntaxError|IndentationError|TabError)\b")
_MARKS = re.compile(r"^[\s^~]+$")
_MEMBER = re.compile(r"^(?P<indent>\s*)\+-(?P<first>\+)?-+ (?:\d+|\.\.\.) -+$")
_GROUP_END = re.compile(r"^\s*\+-{10,}$")
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_QUOTES = ('"""', "'''")
"""Around the traceback of a child process."""
_PASSED_OVER = ("Exception ignored in", "Exception ignored on", "--- Logging error ---")
_ENDS_MESSAGE = (_CAUSE, _CONTEXT, *_QUOTES, *_PASSED_OVER, "Exception in thread ", "Process ")


def tail_of(path: Path) -> bytes:
    """The end of a log: as much as `last_exception` needs. Raises OSError."""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        for most in (READ, READ_MOST):
            log.seek(max(0, size - most))
            data = log.read(most)
            if most >= size or _TITLE.encode() in data:
                break
    return data if _TITLE.encode() in data else data[-READ:]


def last_exception(stderr_tail: bytes | str) -> Raised | None:
    """The exception that the end of a log tells of, or None. Of text beyond the last 16 MiB nothing is read."""
    found = _blocks(lines_of(stderr_tail))
    told = [block for block in found if not block.passed_over]
    return told[-1].raised if told else None


def lines_of(text: bytes | str) -> list[str]:
    """Lines without colours and carriage returns; very long ones are cut in their middle."""
    tail = text[-READ_MOST:]
    whole = tail.decode("utf-8", "replace") if isinstance(tail, bytes) else tail
    return [_cut(line) for line in whole.replace("\r\n", "\n").split("\n")]


def _cut(line: str) -> str:
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    return _ESCAPE.sub("", line).rpartition("\r")[2] if "\x1b" in line or "\r" in line else line


def dumped_frames(stderr_tail: bytes | str) -> tuple[Frame, ...]:
    """What faulthandler says of the thread that ran, innermost first: where a script hung, or crashed; else none."""
    lines = lines_of(stderr_tail)
    starts = [n for n, line in enumerate(lines) if line.endswith("(most recent call first):")]
    current = [n for n in starts if lines[n].startswith("Current thread")] or starts
    if not current:
        return ()
    found = []
    for line in lines[current[-1] + 1 :]:
        frame = _DUMPED.match(line)
        if frame is None:
            break
        found.append(Frame(frame["file"], int(frame["line"]), frame["function"]))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Block:
    """A traceback's lines, [start, end): up to the last line of the message."""

    raised: Raised
    start: int
    end: int
    passed_over: bool


def _blocks(lines: list[str]) -> list[_Block]:
    """All of them, in order; one that was chained to the one before it holds that one, and takes its place."""
    found: list[_Block] = []
    at = 0
    while at < len(lines):
        block = _block(lines, at) if _TITLE in lines[at] else _bare_syntax_error(lines, at)
        if block is None:
            at += 1
            continue
        if found and (link := _link(between := lines[found[-1].end : block.start])):
            before = found.pop()
            elsewhere = any(line.strip() in _QUOTES for line in between)
            earlier = dataclasses.replace(before.raised, elsewhere=elsewhere or before.raised.elsewhere)
            chained = dataclasses.replace(
                block.raised,
                cause=earlier if link == _CAUSE else None,
                context=earlier if link == _CONTEXT else None,
            )
            block = _Block(chained, before.start, block.end, before.passed_over)
        found.append(block)
        at = max(block.end, at + 1)
    return found


def _link(between: Sequence[str]) -> str:
    if any(line.strip(" |").startswith(_CAUSE) for line in between):
        return _CAUSE
    return _CONTEXT if any(line.strip(" |").startswith(_CONTEXT) for line in between) else ""


def _block(lines: list[str], start: int) -> _Block | None:
    header = _HEADER.match(lines[start])
    if header is None:
        return None
    lead = header["lead"] + ("| " if header["plus"] else "")
    following = lines[start + 1] if start + 1 < len(lines) else ""
    if not following.startswith(lead) and _FRAME.match(following):
        lead = ""  # only the first line of a logged record has the logger's words
    frames: list[Frame] = []
    at = start + 1
    while at < len(lines) and _TITLE not in lines[at]:
        text = _body(lines[at], lead)
        if text is not None and (frame := _FRAME.match(text)):
            frames.append(_frame(frame, _following(lines, at, lead)[:3]))
        elif text and not text.startswith(" ") and (raised := _RAISED.match(text)) and not _goes_on(lines, at, lead):
            message, end = _message(lines, at, lead, raised["message"] or "")
            members, length = _members(lines[end:], raised["type"])
            exception = Raised(type=raised["type"], message=message, frames=tuple(frames), members=members)
            return _Block(exception, start, end + length, _is_passed_over(lines, start, lead))
        at += 1
    return None


def _body(line: str, lead: str) -> str | None:
    """What stands behind the traceback's prefix; None for a line of another's."""
    if line.startswith(lead):
        return line[len(lead) :]
    return "" if line.rstrip() == lead.rstrip() else None


def _frame(found: re.Match[str], following: Sequence[str]) -> Frame:
    source, column = "", None
    if following and following[0].startswith("    ") and not _MARKS.match(following[0]):
        source = following[0].strip()
        indent = len(following[0]) - len(following[0].lstrip())
        marks = following[1] if len(following) > 1 and _MARKS.match(following[1]) and "^" in following[1] else ""
        column = marks.index("^") - indent if marks else None
    return Frame(found["file"], int(found["line"]), found["function"] or "", source, column)


def _following(lines: Sequence[str], at: int, lead: str) -> list[str]:
    """What stands in the next lines of the same traceback."""
    found: list[str] = []
    for line in lines[at + 1 : at + 8]:
        if _TITLE in line or line.strip().startswith(_ENDS_MESSAGE):
            break
        if (text := _body(line, lead)) is not None:
            found.append(text)
    return found


def _goes_on(lines: Sequence[str], at: int, lead: str) -> bool:
    """Whether the traceback goes on, by frames or by a line more like an exception's: then this one is another's."""
    following = _following(lines, at, lead)
    if any((frame := _FRAME.match(text)) and frame["function"] for text in following):
        return True
    names = [found["type"] for text in [_body(lines[at], lead) or "", *following] if (found := _RAISED.match(text))]
    return not _USUAL.search(names[0]) and any(_USUAL.search(name) for name in names[1:])


def _message(lines: Sequence[str], at: int, lead: str, first: str) -> tuple[str, int]:
    """The message, and the index behind its last line."""
    kept, end = [first], at + 1
    for line in lines[at + 1 : at + MESSAGE]:
        text = _body(line, lead)
        if text is None or _TITLE in text or text.startswith(_ENDS_MESSAGE) or _MEMBER.match(line):
            break
        kept.append(text)
        end += 1
    while len(kept) > 1 and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept), end


def _is_passed_over(lines: Sequence[str], start: int, lead: str) -> bool:
    before = _body(lines[start - 1], lead) if start else None
    return before is not None and before.startswith(_PASSED_OVER)


def _bare_syntax_error(lines: list[str], at: int) -> _Block | None:
    """A script that cannot even be compiled has no traceback: its file, its line, marks, and the error."""
    if 'File "' not in lines[at]:
        return None
    lead = lines[at][: lines[at].index('File "')].removesuffix("  ")
    bodies = [_body(line, lead) or "" for line in lines[at : at + 6]]
    frame = _FRAME.match(bodies[0])
    if frame is None or frame["function"]:
        return None
    for offset, text in enumerate(bodies[1:], 1):
        if _SYNTAX.match(text) and (raised := _RAISED.match(text)):
            place = (_frame(frame, bodies[1:offset]),)
            exception = Raised(type=raised["type"], message=raised["message"] or "", frames=place)
            return _Block(exception, at, at + offset + 1, passed_over=False)
    return None


def _members(lines: Sequence[str], kind: str) -> tuple[tuple[Raised, ...], int]:
    """The exceptions of a group, from the lines behind its own, and how many lines they take."""
    first = _MEMBER.match(lines[0]) if lines and kind.endswith("ExceptionGroup") else None
    if first is None or not first["first"]:
        return (), 0
    indent = len(first["indent"]) + 2
    found: list[Raised] = []
    text: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        rest = line[indent:]
        if line[:indent].strip() or not rest.lstrip().startswith(("|", "+")):
            return tuple(found), number - 1  # cut off
        if not rest.startswith("+--"):
            text.append(rest)
            continue
        found += [raised for raised in [_member(text)] if raised is not None]
        text = []
        if _GROUP_END.match(rest):
            return tuple(found), number
    return tuple(found), len(lines)


def _member(text: list[str]) -> Raised | None:
    """One of them; its lines begin with `| `, and it has a traceback only if it was ever raised."""
    bare = next((n for n, line in enumerate(text) if line.startswith("| ")), None)
    if bare is not None and _TITLE in text[bare]:
        blocks = _blocks(text)
        return blocks[-1].raised if blocks else None
    raised = _RAISED.match(text[bare][2:]) if bare is not None else None
    if bare is None or raised is None:
        return None
    message, end = _message(text, bare, "| ", raised["message"] or "")
    return Raised(type=raised["type"], message=message, members=_members(text[end:], raised["type"])[0])
