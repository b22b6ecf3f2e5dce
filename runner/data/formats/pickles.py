"""Pickles by listing their opcodes. Nothing is ever unpickled: that would run whatever the file says.

What is told are the modules and classes that a pickle names, so that one can see what is needed to load it. joblib
writes arrays between the opcodes; its names are known only as far as the first array.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field, replace
from typing import Any

from runner.data.formats.contents import Content, Damaged, DataFile, Limits
from runner.data.tables import FileSchema, Format

_MOST_OPCODES = 200_000
_MOST_NAMES = 1000
_MOST_MEMO = 100_000
_LONG = 1 << 16
"""Bytes of an argument that are passed over unread; a name is shorter."""
_COUNTED = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_JOBLIB = "joblib.numpy_pickle.NumpyArrayWrapper"


class _Stream:
    """What the opcodes' own readers need, with bounded reads."""

    def __init__(self, content: Content) -> None:
        self._content, self._buffer = content, b""

    def read(self, size: int) -> bytes:
        if size > _LONG:
            raise Damaged(f"an argument of {size:,} bytes")
        while len(self._buffer) < size and (data := self._content.read(_LONG)):
            self._buffer += data
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def readline(self) -> bytes:
        line = self.read(_LONG)
        end = line.find(b"\n") + 1
        if not end:
            raise ValueError("no newline found")
        self._buffer = line[end:] + self._buffer
        return line[:end]

    def skip(self, size: int) -> None:
        while size > 0:
            data = self.read(min(size, _LONG))
            if not data:
                raise ValueError("it ends within an argument")
            size -= len(data)


@dataclass
class _Names:
    found: dict[str, None] = field(default_factory=dict)
    texts: list[Any] = field(default_factory=lambda: [None, None])
    """The last two that were pushed."""
    memo: dict[int, str] = field(default_factory=dict)
    memoized: int = 0
    protocol: int = 0

    def push(self, text: Any) -> None:
        self.texts = [self.texts[1], text]

    def keep(self, place: int) -> None:
        text = self.texts[1]
        if isinstance(text, str) and len(self.memo) < _MOST_MEMO:
            self.memo[place] = text
        else:
            self.memo.pop(place, None)

    def name(self, module: object, name: object) -> None:
        if len(self.found) < _MOST_NAMES:
            self.found[f"{module or '?'}.{name or '?'}"] = None


def read_pickle(file: DataFile, limits: Limits) -> FileSchema:
    """The names that it needs, in the order in which it needs them; not run. Raises OSError."""
    names, fault, ended = _Names(), None, False
    try:
        ended = _list(_Stream(file.content()), names, None if limits.whole else _MOST_OPCODES)
    except Damaged as error:
        fault = str(error)
    except (ValueError, UnicodeDecodeError) as error:
        fault = f"half-written or no pickle: {str(error).splitlines()[0]}"
    details = {"protocol": str(names.protocol)}
    if _JOBLIB in names.found:
        details["joblib"] = "names are known as far as its first array; no more than its beginning was checked"
        fault, ended = None, False
    elif not ended and fault is None:
        details["opcodes"] = f"the first {_MOST_OPCODES:,} were listed"
    members = tuple(names.found)
    return replace(file.base, format=Format.PICKLE, members=members, complete=ended, fault=fault, details=details)


def _list(stream: _Stream, names: _Names, most: int | None) -> bool:
    """Go through the opcodes; returns whether the end came. Raises ValueError and Damaged."""
    count = 0
    while most is None or count < most:
        count += 1
        code = stream.read(1)
        opcode = _OPCODES.get(code.decode("latin-1"))
        if opcode is None:
            raise ValueError(f"opcode {code!r} is unknown" if code else "it ends before its STOP")
        _note(opcode.name, _argument(opcode, stream), names)
        if opcode.name == "STOP":
            return True
        if opcode.name == "BUILD" and _JOBLIB in names.found:
            return False
    return False


def _argument(opcode: pickletools.OpcodeInfo, stream: _Stream) -> Any:
    if opcode.arg is None:
        return None
    width = _COUNTED.get(opcode.arg.n)
    if width is None:
        return opcode.arg.reader(stream)  # type: ignore[arg-type]  # it reads, no more
    size = int.from_bytes(stream.read(width), "little")
    if size > _LONG // 2:
        stream.skip(size)
        return None
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("it ends within an argument")
    return data.decode("utf-8", "replace") if "UNICODE" in opcode.name else None


def _note(opcode: str, argument: Any, names: _Names) -> None:
    if opcode == "PROTO":
        names.protocol = argument
    elif opcode in ("GLOBAL", "INST"):
        names.name(*str(argument).split(" ", 1))
        names.push(None)
    elif opcode == "STACK_GLOBAL":
        names.name(*names.texts)
        names.push(None)
    elif opcode == "MEMOIZE":
        names.keep(names.memoized)
        names.memoized += 1
    elif opcode in _PUTS:
        names.keep(argument)
    elif opcode in _GETS:
        names.push(names.memo.get(argument))
    elif opcode != "FRAME":
        names.push(argument if "UNICODE" in opcode else None)


def is_pickle(head: bytes, *, named: bool) -> bool:
    """By the mark of protocol 2 and later; older ones have none, so their name must say so."""
    if head[:1] == b"\x80" and len(head) > 2 and 2 <= head[1] <= 5:
        return chr(head[2]) in _OPCODES
    return named and chr(head[0]) in _OPCODES and b"." in head
