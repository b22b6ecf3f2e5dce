"""A YAML or JSON file as plain data, where every key and value remembers its line and column.

`read` gives a `Document`; `builder.Builder` makes its tree from the events of `yamltext` or `jsontext`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import Problem, SpecError
from runner.spec.scalar import escaped

Mark = tuple[int, int]
"""Line and column, from 1; a column counts characters."""
Place = tuple[str | int, ...]
"""The way to a value inside a document: keys of mappings and indexes of lists."""
Marks = dict[int, dict[str | int, tuple[Mark, Mark]]]
"""By `id` of a container and key or index in it: where the key stands and where the value does."""


def absolute(path: Path) -> Path:
    """The path from the root, without `..`. Links stay, unlike with `resolve`: the user's own name counts."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def shown(path: Path) -> str:
    """A file's name for messages: relative when it lies below the current directory, else absolute."""
    full, here = absolute(path), Path.cwd()
    return str(full.relative_to(here) if full.is_relative_to(here) else full)


@dataclass(frozen=True)
class Document:
    """A file that was read. `data` holds dicts with text keys, lists, str, `scalar.Literal` and None."""

    file: str
    """As messages show it."""
    text: bytes
    data: object
    marks: Marks = field(repr=False)

    def mark(self, place: Place, *, key: bool = False) -> Mark:
        """Where the value at `place` stands (or its key). A place that is not in the file gives the nearest one above
        it, since short forms and absent keys have none of their own."""
        at: Mark = (1, 1)
        data = self.data
        for depth, part in enumerate(place):
            if isinstance(data, list) and isinstance(part, str) and part in data:
                part = data.index(part)  # noqa: PLW2901 (`outputs: [a, b]` is addressed as `outputs.a`)
            marks = self.marks.get(id(data), {}) if isinstance(data, dict | list) else {}
            if part not in marks:
                break
            key_mark, value_mark = marks[part]
            data = data[part]  # type: ignore[index]
            at = key_mark if isinstance(data, dict | list) or (key and depth == len(place) - 1) else value_mark
        return at

    def at(self, place: Place) -> object:
        """The value at `place`; None when there is none."""
        data = self.data
        for part in place:
            if isinstance(data, dict) or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
                data = data.get(part) if isinstance(data, dict) else data[part]  # type: ignore[index]
            else:
                return None
        return data

    def problem(self, place: Place, message: str, *, near: Place | None = None, key: bool = False) -> Problem:
        """A fault of the value at `place`, or of its key; `near` is where in the file it stands, when that differs."""
        line, column = self.mark(place if near is None else near, key=key)
        return Problem(self.file, line, column, escaped(".".join(str(part) for part in place)), escaped(message))


def read(path: Path) -> Document:
    """Read a file, as JSON when its name ends in `.json` and as YAML otherwise.

    Raises SpecError: missing, a directory, unreadable, not UTF-8, empty, bad syntax, duplicate keys, and a top level
    that is neither mapping nor list.
    """
    from runner.spec.builder import Builder

    name = shown(path)
    text = _bytes(path, name)
    characters = _decode(text, name)
    builder = Builder(name)
    if path.suffix.lower() == ".json":
        from runner.spec import jsontext as syntax
    else:
        from runner.spec import yamltext as syntax  # type: ignore[no-redef]
    syntax.parse(characters, builder)
    if builder.problems:
        raise SpecError(builder.problems)
    if builder.root is None:
        raise SpecError([Problem(name, 0, 0, "", "the file is empty")], remedy="Write at least `steps:` in it.")
    return Document(name, text, builder.root, builder.marks)


def _bytes(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SpecError([Problem(name, 0, 0, "", "no such file")], remedy=_near_file(path)) from None
    except IsADirectoryError:
        remedy = f"Name the file, as {shown(path / 'pipeline.yaml')}."
        raise SpecError([Problem(name, 0, 0, "", "is a directory, not a pipeline file")], remedy=remedy) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError([Problem(name, 0, 0, "", f"cannot be read: {reason}")]) from None


def _near_file(path: Path) -> str:
    from runner.spec.names import nearest_file

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"There is no directory {shown(path.parent)} either."
    best = nearest_file(path.name, names)
    return f"Did you mean {shown(path.parent / best)}?" if best else "Check the path."


def _decode(text: bytes, name: str) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        start = text.rfind(b"\n", 0, error.start) + 1
        column = len(text[start : error.start].decode("utf-8", "replace")) + 1
        message = f"byte 0x{text[error.start]:02x} is not UTF-8"
        raise SpecError([Problem(name, line, column, "", message)], remedy="Save the file as UTF-8.") from None
