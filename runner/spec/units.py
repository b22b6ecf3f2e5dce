"""Durations and sizes as people write them."""

from __future__ import annotations

import math
import re

_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(s|m|h|d)?\s*", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(b|[kmgt](?:i?b)?)?\s*", re.IGNORECASE)
_POWERS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}

MIN_MEMORY = 6 * 1024**2
"""Bytes: what the Docker engine refuses to go below (`Minimum memory limit allowed is 6MB`)."""


def seconds(value: float | str) -> float:
    """Seconds of `90`, `"90s"`, `"5m"`, `"1h"`, `"1d"`. Raises ValueError when it is not a finite duration >= 0."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        if not found:
            raise ValueError("a duration is a number of seconds or a text as '90s', '5m', '1h'")
        value = float(found[1]) * _SECONDS[(found[2] or "s").lower()]
    if not math.isfinite(value) or value < 0:
        raise ValueError("a duration is finite and not negative")
    return float(value)


def size(value: float | str) -> int:
    """Bytes of `1048576`, `"512m"`, `"2g"`, `"1.5GiB"`: powers of 1024, as Docker reads them. Raises ValueError."""
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        if not found:
            raise ValueError("a size is a number of bytes or a text as '512m', '2g'")
        value = float(found[1]) * float(1024 ** _POWERS[(found[2] or "b").lower()[0]])
    if not math.isfinite(value) or value < 0 or value != int(value):
        raise ValueError("a size is a whole number of bytes, or a text as '512m', '2g'")
    return int(value)
