"""LIBSVM's text: `label index:value index:value`, one example in a line, as XGBoost and scikit-learn read it."""

from __future__ import annotations

import re
from dataclasses import replace

from runner.data.formats.contents import DataFile, Limits
from runner.data.formats.lines import Lines
from runner.data.tables import FileSchema, Format

_NUMBER = r"[+-]?+(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+"
_LINE = re.compile(
    rf"({_NUMBER})(?:,{_NUMBER})*+(?:[ \t]++qid:[0-9]++)?+((?:[ \t]++[0-9]++:(?:{_NUMBER}|nan))*+)\s*+(?:#.*)?"
)
_INDEX = re.compile(r"([0-9]++):")


def is_libsvm(text: str, *, ended: bool) -> bool:
    """Whether the first lines are such examples, with at least one feature among them."""
    lines = text.splitlines()[: None if ended else -1][:20]
    matches = [_LINE.fullmatch(line) for line in lines if line.strip() and not line.startswith("#")]
    return bool(matches) and all(matches) and any(match is not None and match[2] for match in matches)


def read_libsvm(file: DataFile, encoding: str, limits: Limits) -> FileSchema:
    """Examples (`rows`), and features by the greatest index that was seen (`shape`). Raises Damaged."""
    lines = Lines(file.content(), encoding)
    rows, odd, low, high, labels = 0, 0, None, -1, [float("inf"), float("-inf")]
    fault = None
    for number, line in enumerate(lines, 1):
        if not limits.whole and (rows >= limits.rows or lines.given > limits.budget):
            break
        if not line.strip() or line.startswith("#"):
            continue
        rows += 1
        match = _LINE.fullmatch(line.rstrip("\r\n"))
        if match is None:
            odd += 1
            fault = fault or f"line {number:,} is no `label index:value ...`: {line[:60]!r}"
            continue
        labels = [min(labels[0], float(match[1])), max(labels[1], float(match[1]))]
        indices = [int(index) for index in _INDEX.findall(match[2])]
        if indices:
            low, high = min(indices) if low is None else min(low, *indices), max(high, *indices)
    complete = lines.ended and not lines.fault
    count = rows if complete else max(rows, round(rows * lines.in_all() / max(1, lines.given)))
    details = {"labels": f"{labels[0]:g} to {labels[1]:g}"} if labels[0] <= labels[1] else {}
    if low is not None:
        details["indices"] = f"{low} to {high}"
    faults = [lines.fault, f"{fault} ({odd:,} such lines)" if fault else None]
    return replace(
        file.base,
        format=Format.LIBSVM,
        encoding=lines.decoder.encoding,
        rows=count,
        complete=complete,
        shape=(count, high + (0 if low else 1)) if high >= 0 else None,
        fault="; ".join(filter(None, faults)) or None,
        details={**lines.details, **details},
    )
