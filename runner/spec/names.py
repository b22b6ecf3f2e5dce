"""Which of the known names a person most likely meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, or None when nothing is like it. Case alone never counts as a difference."""
    import difflib

    by_folded: dict[str, str] = {}
    for candidate in candidates:
        by_folded.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """` (did you mean 'X'?)`, or an empty text; to be appended to a message."""
    best = nearest(name, candidates)
    return f" (did you mean '{best}'?)" if best is not None else ""


def listed(names: Iterable[str], none: str = "none") -> str:
    """`'a', 'b'`: names for a message, or the word for an empty list."""
    return ", ".join(f"'{name}'" for name in names) or none
