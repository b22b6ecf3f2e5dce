"""Makes plain data with positions from a stream of events, whatever the syntax.

Iterative, and bounded in depth and in what aliases expand to, so that no file can exhaust the stack or the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.errors import Problem, SpecError
from runner.spec.document import Mark, Marks
from runner.spec.scalar import Literal, Scalar, escaped

MAX_DEPTH = 100
MAX_VALUES = 1_000_000
MERGE = object()
"""Given as a scalar for YAML's `<<` key."""


@dataclass
class _Frame:
    """A container that is still open."""

    mapping: dict[str, object] | None
    """None: the container is the list."""
    mark: Mark
    anchor: str | None
    items: list[object] = field(default_factory=list)
    marks: dict[str | int, tuple[Mark, Mark]] = field(default_factory=dict)
    merged: list[tuple[object, Mark]] = field(default_factory=list)
    key: str = ""
    key_mark: Mark = (0, 0)
    has_key: bool = False
    merging: bool = False
    """The key is `<<`."""
    size: int = 1

    @property
    def container(self) -> dict[str, object] | list[object]:
        return self.items if self.mapping is None else self.mapping


class Builder:
    """Takes events in document order. `root`, `marks` and `problems` hold the result."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: object = None
        self.marks: Marks = {}
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, object] = {}
        self._sizes: dict[int, int] = {}
        self._keep: list[object] = []  # `marks` is keyed by id, so containers that a merge drops must stay alive

    def refuse(self, mark: Mark, message: str, remedy: str = "") -> SpecError:
        """The error for a fault after which reading cannot go on; earlier problems are kept."""
        return SpecError([*self.problems, self._problem(mark, message)], remedy=remedy)

    def syntax_error(self, mark: Mark, message: str, remedy: str = "") -> SpecError:
        """As `refuse`, for a text that is no document: what the stack holds then says nothing about the place."""
        return SpecError([*self.problems, Problem(self.file, *mark, "", message)], remedy=remedy)

    def fault(self, mark: Mark, message: str) -> None:
        """Note a problem after which reading goes on; it names the key that waits for its value."""
        self.problems.append(self._problem(mark, message))

    def open(self, mark: Mark, anchor: str | None = None, *, mapping: bool) -> None:
        """A mapping or a list begins."""
        if len(self._stack) >= MAX_DEPTH:
            raise self.refuse(mark, f"nested more than {MAX_DEPTH} levels deep")
        if self._expects_key():
            raise self.refuse(mark, f"a key must be text, not a {'mapping' if mapping else 'list'}")
        self._stack.append(_Frame({} if mapping else None, mark, anchor))

    def scalar(self, value: Scalar | object, mark: Mark, anchor: str | None = None) -> None:
        """A text, `Literal`, None or `MERGE`: a key where one is due, else a value."""
        if isinstance(value, str):
            self._check_text(value, mark)
        due = self._expects_key()
        if value is MERGE and not due:
            value = "<<"
        if anchor is not None:
            self._anchors[anchor] = value
        if due:
            self._take_key(value, mark)
        else:
            self._place(value, mark)

    def alias(self, name: str, mark: Mark) -> None:
        """A `*name`. Raises SpecError when it names nothing, or the container that it stands in."""
        if any(frame.anchor == name for frame in self._stack):
            raise self.refuse(mark, f"'*{name}' stands inside the value that it names")
        if name not in self._anchors:
            from runner.spec.names import did_you_mean

            raise self.refuse(mark, f"no anchor '&{name}' before this alias{did_you_mean(name, self._anchors)}")
        value = self._anchors[name]
        if self._expects_key():
            if isinstance(value, dict | list):
                raise self.refuse(mark, "a key must be text, not an alias of a mapping or list")
            self._take_key(value, mark)
        else:
            self._place(value, mark)

    def close(self) -> None:
        """The innermost container ends."""
        frame = self._stack.pop()
        if frame.mapping is not None:
            for source, mark in frame.merged:
                self._merge(frame, frame.mapping, source, mark)
        container = frame.container
        self.marks[id(container)] = frame.marks
        self._keep.append(container)
        self._sizes[id(container)] = frame.size
        if frame.anchor is not None:
            self._anchors[frame.anchor] = container
        self._place(container, frame.mark)

    def _check_text(self, text: str, mark: Mark) -> None:
        """Neither can be part of a path, an argument or an environment variable."""
        if "\0" in text:
            raise self.refuse(mark, "a NUL character is not allowed")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise self.refuse(mark, "half of a surrogate pair is not a character")

    def _problem(self, mark: Mark, message: str) -> Problem:
        keys = [frame.key for frame in self._stack if frame.has_key]
        return Problem(self.file, mark[0], mark[1], escaped(".".join(keys)), escaped(message))

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].mapping is not None and not self._stack[-1].has_key

    def _take_key(self, value: object, mark: Mark) -> None:
        frame = self._stack[-1]
        text = "<<" if value is MERGE else value.text if isinstance(value, Literal) else str(value or "")
        if value is None:
            self.problems.append(self._problem(mark, "a key is missing before ':'"))
        if text in frame.marks and value is not MERGE:
            first = frame.marks[text][0]
            message = f"duplicate key '{text}': first given at {self.file}:{first[0]}:{first[1]}"
            self.problems.append(self._problem(mark, message))
        frame.key, frame.key_mark, frame.has_key, frame.merging = text, mark, True, value is MERGE

    def _place(self, value: object, mark: Mark) -> None:
        if not self._stack:
            self.root = value
            return
        frame = self._stack[-1]
        frame.size += self._sizes.get(id(value), 1)
        if frame.size > MAX_VALUES:
            raise self.refuse(mark, f"aliases expand to more than {MAX_VALUES:,} values")
        if frame.mapping is None:
            frame.marks[len(frame.items)] = (mark, mark)
            frame.items.append(value)
            return
        if frame.merging:
            frame.merged.append((value, mark))
        else:
            frame.marks[frame.key] = (frame.key_mark, mark)
            frame.mapping[frame.key] = value
        frame.has_key = False

    def _merge(self, frame: _Frame, target: dict[str, object], source: object, mark: Mark) -> None:
        """YAML's merge key: own keys win over merged ones, earlier mappings over later ones."""
        for mapping in source if isinstance(source, list) else [source]:
            if not isinstance(mapping, dict):
                self.problems.append(self._problem(mark, "'<<' takes a mapping or a list of mappings"))
                continue
            for key, value in mapping.items():
                if key not in target:
                    target[key] = value
                    frame.marks[key] = self.marks[id(mapping)][key]
