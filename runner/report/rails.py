"""A DAG drawn top to bottom: a row per step, a rail per step whose data is still needed.

    ○      load
    ├─●    train_data      ← load.train
    ● │    test_data       ← load.test
    │ ●    fit             ← train_data.data
    ●─╯    evaluate        ← test_data.data, fit.model

A step stands on the rail of a step that nobody else needs any more, or on a new one. `├`, `┤` and `┼` take from a rail
that goes on, `╰`, `╯` and `┴` from one that ends; `─│─` passes a rail by. `○` needs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_ASCII = str.maketrans("●○│─├┤┼╰╯┴", "*o|-+++'''")


@dataclass(slots=True)
class Rails:
    """The state between two rows. `consumers` says by whom each step is still needed."""

    consumers: dict[str, set[str]]
    lanes: list[str | None] = field(default_factory=list)
    just_freed: set[int] = field(default_factory=set)

    def row(self, step: str, sources: Sequence[str]) -> str:
        """The rails beside `step`, which takes from `sources`; all of them must have had their row."""
        taken = [self.lanes.index(source) for source in sources]
        for source in sources:
            self.consumers[source].discard(step)
        ending = {lane for lane in taken if not self.consumers[self.lanes[lane] or ""]}
        at = min(ending) if ending else self._free_lane(root=not sources)
        text = self._draw(at, set(taken), ending)
        for lane in ending:
            self.lanes[lane] = None
        self.lanes[at] = step if self.consumers[step] else None
        # A dot right below the dot of a step that nobody needs would look as if it took from it.
        self.just_freed = {at} if self.lanes[at] is None else set()
        return text

    def between(self) -> str:
        """The rails beside a line that belongs to no step."""
        return " ".join("│" if lane else " " for lane in self.lanes)

    def _free_lane(self, *, root: bool) -> int:
        for index, lane in enumerate(self.lanes):
            if lane is None and (root or index not in self.just_freed):
                return index
        self.lanes.append(None)
        return len(self.lanes) - 1

    def _draw(self, at: int, taken: set[int], ending: set[int]) -> str:
        low, high = min({at} | taken), max({at} | taken)
        parts = []
        for index, lane in enumerate(self.lanes):
            if index == at:
                parts.append("●" if taken else "○")
            elif index in taken:
                parts.append(_joint(left=index > low, right=index < high, ends=index in ending))
            elif lane is not None:
                parts.append("│")
            else:
                parts.append("─" if low < index < high else " ")
            parts.append("─" if low <= index < high else " ")
        return "".join(parts)[:-1]


def _joint(*, left: bool, right: bool, ends: bool) -> str:
    if left and right:
        return "┴" if ends else "┼"
    if left:
        return "╯" if ends else "┤"
    return "╰" if ends else "├"


def draw(order: Sequence[str], sources: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """For each step of `order`, which must be topological, its rails and those of a line below it; equally wide."""
    consumers: dict[str, set[str]] = {step: set() for step in order}
    for step in order:
        for source in sources[step]:
            consumers[source].add(step)
    rails = Rails(consumers)
    rows = [(rails.row(step, sources[step]), rails.between()) for step in order]
    widest = max((len(row) for row, _ in rows), default=0)
    return [(row.ljust(widest), below.ljust(widest)) for row, below in rows]


def to_ascii(text: str) -> str:
    """The same drawing for a stream that cannot show it."""
    return text.translate(_ASCII)
