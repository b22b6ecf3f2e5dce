"""Which of the known names a person most likely meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import PurePath

_CUTOFF = 0.6
_LONGEST = 200
"""Characters: comparing takes time with their square, and nobody types a longer name by hand."""
_MOST = 20
"""So many names a message lists."""
_budget: ContextVar[list[int] | None] = ContextVar("comparisons left", default=None)


@contextmanager
def at_most(comparisons: int) -> Iterator[None]:
    """Within it no more than so many pairs of names are compared; then there are no more suggestions. Without a bound
    a generated file with thousands of faults would take minutes to refuse."""
    token = _budget.set([comparisons])
    try:
        yield
    finally:
        _budget.reset(token)


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, or None when nothing is like it. Case alone never counts as a difference."""
    import difflib

    by_folded: dict[str, str] = {}
    for candidate in candidates if _may_compare(name, 1) else ():
        if len(candidate) <= _LONGEST:
            by_folded.setdefault(candidate.casefold(), candidate)
    if not _may_compare(name, len(by_folded)):
        return None
    _spend(len(by_folded))
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=_CUTOFF)
    return by_folded[found[0]] if found else None


def nearest_file(name: str, candidates: Iterable[str]) -> str | None:
    """As `nearest`, by the names without their endings: an ending that agrees makes no two files alike."""
    by_stem: dict[str, list[str]] = {}
    for candidate in candidates:
        by_stem.setdefault(PurePath(candidate).stem.casefold(), []).append(candidate)
    best = nearest(PurePath(name).stem, by_stem)
    if best is None:
        return None
    return nearest(name, by_stem[best]) or by_stem[best][0]


def afford(name: str, number: int) -> bool:
    """Whether `name` may be compared with so many others, of which the budget of `at_most` then has less."""
    if not _may_compare(name, number):
        return False
    _spend(number)
    return True


def _may_compare(name: str, number: int) -> bool:
    left = _budget.get()
    if left is not None and left[0] < number:
        left[0] = 0  # so that the next call need not even collect its candidates
    return len(name) <= _LONGEST and (left is None or left[0] >= number)


def _spend(number: int) -> None:
    left = _budget.get()
    if left is not None:
        left[0] -= number


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """` (did you mean 'X'?)`, or an empty text; to be appended to a message."""
    best = nearest(name, candidates)
    return f" (did you mean '{best}'?)" if best is not None else ""


def listed(names: Iterable[str], none: str = "none") -> str:
    """`'a', 'b'`: names for a message, or the word for an empty list; of very many the first, and how many more."""
    every = list(names)
    more = f" and {len(every) - _MOST:,} more" if len(every) > _MOST else ""
    return (", ".join(f"'{name}'" for name in every[:_MOST]) + more) or none
