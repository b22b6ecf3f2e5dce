"""What is no data format that can be looked into: text, and bytes by their magic."""

from __future__ import annotations

from dataclasses import replace

from runner.data.formats.contents import DataFile, Limits
from runner.data.formats.lines import Lines
from runner.data.tables import FileSchema, Format

_KINDS = (
    (0, b"\x7fELF", "ELF program or library"),
    (0, b"%PDF-", "PDF"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"SQLite format 3\0", "SQLite"),
    (0, b"ARROW1", "Arrow IPC (feather)"),
    (0, b"ORC", "ORC"),
    (0, b"Obj\x01", "Avro"),
    (0, b"\x0a\x23\xd7\xce", "RecordIO (SageMaker's protobuf)"),
    (0, b"MATLAB", "MATLAB"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (0, b"RIFF", "RIFF (sound or video)"),
    (4, b"ftyp", "MPEG-4"),
    (0, b"GGUF", "GGUF model"),
    (0, b"binf", "XGBoost model (deprecated binary)"),
)
_SHOWN = 16


def read_text(file: DataFile, encoding: str, limits: Limits) -> FileSchema:
    """Its encoding and number of lines. Raises Damaged."""
    lines = Lines(file.content(), encoding)
    count = 0
    for count, _ in enumerate(lines, 1):
        if not limits.whole and (count > limits.rows or lines.given > limits.budget):
            break
    complete = lines.ended and not lines.fault
    shown = f"{count:,}" if complete else f"about {round(count * lines.in_all() / max(1, lines.given)):,}"
    return replace(
        file.base,
        format=Format.TEXT,
        encoding=lines.decoder.encoding,
        complete=complete,
        fault="; ".join(filter(None, (lines.fault, lines.nuls))) or None,
        details={**lines.details, "lines": shown},
    )


def read_unknown(file: DataFile) -> FileSchema:
    """What its first bytes are, and of what they may be the beginning."""
    kinds = [kind for offset, magic, kind in _KINDS if file.head[offset:].startswith(magic)]
    details = {"kind": kinds[0]} if kinds else {}
    return replace(file.base, format=Format.UNKNOWN, details={**details, "first bytes": file.head[:_SHOWN].hex(" ")})
