"""Where a script can tell how it was started, and why that stays so. The README lists the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    ways: frozenset[str]
    """Those that differ from a cold start."""
    readme: str
    """Words of the README's table."""


_STAGED = frozenset({"staged", "warm", "edited"})
_OURS = _STAGED | {"plain"}
_WRITABLE = Known(_OURS, "directories of a cold container are writable for everybody")

KNOWN = {
    "pid": Known(_OURS, "the script is process 1"),
    "cmdline": Known(frozenset({"edited"}), "`/proc/self/cmdline`"),
    "proc environ": Known(_OURS, "`/proc/self/environ`"),
    "descriptors": Known(_OURS, "`/proc/self/fd`"),
    "gc": Known(_STAGED, "`gc.get_freeze_count`"),
    "gc counters": Known(_OURS, "the garbage collector's counters"),
    "modules": Known(_STAGED, "already imported"),
    "path cache": Known(_STAGED, "`sys.path_importer_cache`"),
    "/opt/ml/config/.": _WRITABLE,
    "/opt/ml/output/.": _WRITABLE,
    "/opt/ml/processing/input/code/.": _WRITABLE,
    "/opt/ml/processing/output/out/.": _WRITABLE,
}
"""By name of a line of `scripts/state.py`."""
