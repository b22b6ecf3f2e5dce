"""Where a part of a pipeline was written, so that a message can point there."""

from __future__ import annotations

from typing import Protocol

from runner.errors import Problem
from runner.spec.document import Document, Place


class Origin(Protocol):
    """Turns a place in a `PipelineSpec` into a problem with file, line and column. A `Document` is one."""

    def problem(self, place: Place, message: str, *, near: Place | None = None, key: bool = False) -> Problem:
        """A fault at `place`; `near` is where in the file it stands, when that differs; `key`: of the key."""


class Patchwork:
    """A pipeline put together from several documents: each part points to where it came from."""

    def __init__(self, main: Document) -> None:
        self._parts: dict[Place, tuple[Document, Place]] = {(): (main, ())}

    def add(self, place: Place, document: Document, source: Place) -> None:
        """What stands at `place` and below it in the pipeline was written at `source` in the document."""
        self._parts[place] = (document, source)

    def problem(self, place: Place, message: str, *, near: Place | None = None, key: bool = False) -> Problem:
        """The problem at the place where the part was written, under the name that it has there."""
        document, found = self._source(place)
        return document.problem(found, message, near=None if near is None else self._source(near)[1], key=key)

    def _source(self, place: Place) -> tuple[Document, Place]:
        for length in range(len(place), -1, -1):
            if place[:length] in self._parts:
                document, source = self._parts[place[:length]]
                return document, source + place[length:]
        raise AssertionError("the main document holds every place")
