"""JSON: an array of records, a mapping of columns (as pandas writes one), or something else; and JSON lines.

Other documents (a configuration, metrics, pandas' `split` and `table`) are checked and named, but no table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from runner.data.formats.contents import Damaged, DataFile, Limits
from runner.data.formats.families import Room, Tally
from runner.data.formats.jsontext import JsonText
from runner.data.formats.lines import Lines
from runner.data.formats.rows import MOST_COLUMNS, Records, mixtures
from runner.data.tables import FileSchema, Format

_COLUMNS_BUDGET = 16
"""Times the budget: of a mapping of columns the beginning alone would tell some columns only."""
_SHOWN_KEYS = 20


def read_json(file: DataFile, encoding: str, limits: Limits) -> FileSchema:
    """A document; its columns where it is a table. Raises Damaged where nothing can be read."""
    text = JsonText(file.content(), encoding)
    start = text.next()
    if start == "[":
        return _array(file, text, limits)
    if start == "{":
        return _object(file, text, limits)
    return _scalar(file, text)


def _scalar(file: DataFile, text: JsonText) -> FileSchema:
    fault = None
    try:
        details = {"layout": f"a single {type(text.value()).__name__}"}
        _end(text)
    except Damaged as error:
        fault, details = str(error), {}
    base = replace(file.base, format=Format.JSON, encoding=text.decoder.encoding, details=details)
    return replace(base, fault=fault, complete=not fault)


def _array(file: DataFile, text: JsonText, limits: Limits) -> FileSchema:
    records, fault, complete, table, layout = Records(), None, False, False, "array of values"
    try:
        text.take("[")
        more = text.next() != "]" or text.take("]") == ""
        table, layout = (text.next() in "{[", "array of records") if more else (False, "empty array")
        layout = (
            "array of arrays" if more and text.next() == "[" else layout if table or not more else "array of values"
        )
        while more:
            value = text.value()
            records.add(value if table else None)
            more = text.take(",]") == ","
            if not limits.whole and more and (records.rows >= limits.rows or text.given > limits.budget):
                break
        complete = not more
        if complete:
            _end(text)
        columns = records.columns() if table else None
    except Damaged as error:
        fault, complete = str(error), False
        columns = records.columns() if table and records.rows else None
    count: int | None = records.rows if complete or fault is None else None
    details = {"layout": layout}
    if not complete and count:
        details["rows read"] = f"{count:,}"
        count = max(count, round(count * text.in_all() / max(1, text.given)))
    return replace(
        file.base,
        format=Format.JSON,
        encoding=text.decoder.encoding,
        columns=columns,
        rows=count if table else None,
        complete=complete,
        fault=fault or (records.other if table else None),
        details={**details, **(records.mixtures() if table else {}), **_odd(text)},
    )


@dataclass
class _Pairs:
    """The values of an object, each as a column as long as it is one."""

    room: Room = field(default_factory=Room)
    keys: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    lengths: set[int] = field(default_factory=set)
    labels: set[int] = field(default_factory=set)
    """Hashes of the row labels of each column, in their order."""
    numbered: bool = True
    """Whether all labels are numbers, as of a frame without an index of its own."""

    def is_table(self) -> bool:
        """Whether it is a mapping of columns, and no configuration that looks alike."""
        if len(self.kinds) != 1 or len(self.lengths) != 1 or self.kinds == {"value"}:
            return False
        return self.kinds == {"["} or (len(self.labels) == 1 and (self.numbered or len(self.keys) > 1))


def _object(file: DataFile, text: JsonText, limits: Limits) -> FileSchema:
    pairs, fault, cut = _Pairs(), None, False
    budget = None if limits.whole else limits.budget * _COLUMNS_BUDGET
    try:
        text.take("{")
        more = text.next() != "}" or text.take("}") == ""
        while more and not cut:
            _key(text, pairs)
            cut = _column(text, pairs, budget)
            more = cut or text.take(",}") == ","
        if not cut:
            _end(text)
    except Damaged as error:
        fault = str(error)
    complete = not cut and not fault
    table = complete and pairs.is_table()
    rows = next(iter(pairs.lengths)) if table else None
    layout = "mapping of columns" if table else "object"
    details = {"layout": layout} if complete else {"layout": "object, read in part: read the file whole"}
    if not table:
        shown = ", ".join(pairs.keys[:_SHOWN_KEYS])
        details["keys"] = shown + (
            f" and {len(pairs.keys) - _SHOWN_KEYS:,} more" if len(pairs.keys) > _SHOWN_KEYS else ""
        )
    return replace(
        file.base,
        format=Format.JSON,
        encoding=text.decoder.encoding,
        columns=tuple(tally.column(name, rows or 0) for name, tally in pairs.tallies.items()) if table else None,
        rows=rows,
        complete=complete,
        fault=fault,
        details={**details, **(mixtures(pairs.tallies.items()) if table else {}), **_odd(text)},
    )


def _key(text: JsonText, pairs: _Pairs) -> str:
    if text.next() != '"':
        text.take('"')
    key = str(text.value())
    text.take(":")
    if len(pairs.keys) >= MOST_COLUMNS:
        raise Damaged(f"has more than {MOST_COLUMNS:,} keys: not looked into further")
    pairs.keys.append(key)
    return key


def _column(text: JsonText, pairs: _Pairs, budget: int | None) -> bool:
    """One value of an object, as a column where it is an array or object. Returns whether the budget was used up."""
    kind = text.next()
    if kind not in ("[", "{"):
        text.value()
        pairs.kinds.add("value")
        return False
    tally = pairs.tallies.setdefault(pairs.keys[-1], Tally(pairs.room))
    pairs.kinds.add(kind)
    close = {"[": "]", "{": "}"}[text.take("[{")]
    count, labels, chunk = 0, 0, []
    more = text.next() != close or text.take(close) == ""
    while more:
        if kind == "{":
            label = str(text.value())
            text.take(":")
            labels = hash((labels, label))
            pairs.numbered = pairs.numbered and label.isdecimal()
        count += 1
        chunk.append((text.value(), count))
        more = text.take("," + close) == ","
        if len(chunk) >= 1000:
            tally.add_values(chunk)
            chunk = []
        if budget is not None and text.given > budget:
            return True
    tally.add_values(chunk)
    pairs.lengths.add(count)
    pairs.labels.add(labels)
    return False


def _end(text: JsonText) -> None:
    if text.next():
        raise Damaged("goes on after its end: two documents in one file, or JSON lines under another name")


def _odd(text: JsonText) -> dict[str, str]:
    return {"encoding": text.decoder.odd} if text.decoder.odd else {}


@dataclass
class _LineRows:
    records: Records = field(default_factory=Records)
    faults: list[str] = field(default_factory=list)
    wrong: int = 0

    def add(self, line: str, number: int | None, *, cut: bool = False) -> None:
        """One line, unless it is blank. `cut`: it is the last and has no end."""
        if not line.strip():
            return
        try:
            self.records.add(json.loads(line), numbered=number is not None)
        except (ValueError, RecursionError) as error:
            self.wrong += 1
            where = "a line further on" if number is None else f"line {number:,}"
            why = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be read"
            words = f"half-written: {where} is cut" if cut else f"{where} is no JSON: {why}: {line[:60].rstrip()!r}"
            if cut or not self.faults:
                self.faults.append(words)


def read_jsonl(file: DataFile, encoding: str, limits: Limits) -> FileSchema:
    """A record in each line. Raises Damaged."""
    lines, rows, fault, more = Lines(file.content(), encoding), _LineRows(), None, False
    try:
        for number, line in enumerate(lines, 1):
            count = rows.records.rows
            more = not limits.whole and (count >= limits.rows or (count > 0 and lines.given > limits.budget))
            if more:
                break
            rows.add(line, number, cut=lines.ended and lines.cut and not line.endswith("\n"))
        columns = rows.records.columns()
        complete = lines.ended and not lines.fault and not more
        total = rows.records.rows if complete else _line_blocks(file, lines, rows)
        columns = columns if complete else rows.records.columns()
    except Damaged as error:
        fault, complete, total, columns = str(error), False, None, None
    faults = [*filter(None, (fault, lines.fault)), *rows.faults]
    if rows.wrong > 1:
        faults.append(f"{rows.wrong:,} such lines")
    details = {} if complete else {"rows read": f"{rows.records.rows:,}"}
    return replace(
        file.base,
        format=Format.JSONL,
        encoding=lines.decoder.encoding,
        columns=columns,
        rows=None if lines.fault else total,
        complete=complete,
        fault="; ".join(faults) or rows.records.other,
        details={**lines.details, **details, **rows.records.mixtures()},
    )


def _line_blocks(file: DataFile, lines: Lines, rows: _LineRows) -> int:
    """Add rows from further on; returns an estimate of all."""
    seen = lines.given
    if not lines.fault:
        for text, cut in lines.later(file):
            found = text.split("\n")
            seen += len(text)
            for place, line in enumerate(found, 1):
                rows.add(line, None, cut=cut and place == len(found))
    return max(rows.records.rows, round(rows.records.rows * lines.in_all() / max(1, seen)))


def looks_like_lines(head: str, *, named: bool, ended: bool) -> bool:
    """Whether a text that begins as JSON is one document per line: two of the first lines are, or one and its name
    says so."""
    lines = [line for line in head.splitlines()[: None if ended else -1] if line.strip()][:2]
    if not lines:
        return named  # the first line is longer than what was looked at
    documents = [_is_document(line) for line in lines]
    if len(lines) == 1:
        return documents[0] and named
    return documents[0] and (documents[1] or named or lines[1].lstrip().startswith(("{", "[")))


def _is_document(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False
