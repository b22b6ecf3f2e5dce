"""Which format a file has: by its content, and by its name only where the content leaves it open.

What the name claims and the content is not, is told as well: a reader that goes by the name will fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.data.formats import arrays, parquet
from runner.data.formats.archives import is_tar
from runner.data.formats.dialect import Dialect, dialect_of
from runner.data.formats.encoding import encoding_of
from runner.data.formats.images import image_kind
from runner.data.formats.jsons import looks_like_lines
from runner.data.formats.libsvm import is_libsvm
from runner.data.formats.pickles import is_pickle
from runner.data.tables import Format

_PACKED = {"gz": "gzip", "tgz": "gzip", "bz2": "bz2", "xz": "xz", "zst": "zstd", "zstd": "zstd"}
_NAMES = {
    Format.CSV: "csv",
    Format.TSV: "tsv tab",
    Format.JSON: "json",
    Format.JSONL: "jsonl jsonlines ndjson",
    Format.PARQUET: "parquet pq",
    Format.NPY: "npy",
    Format.NPZ: "npz",
    Format.PICKLE: "pkl pickle joblib",
    Format.LIBSVM: "libsvm svm svmlight",
    Format.TAR: "tar tgz",
    Format.IMAGE: "png jpg jpeg gif bmp webp tif tiff",
    Format.TEXT: "txt log md",
}
_BY_SUFFIX = {suffix: kind for kind, suffixes in _NAMES.items() for suffix in suffixes.split()}
_TABLES = {Format.CSV, Format.TSV, Format.LIBSVM, Format.TEXT}
_JSONS = {Format.JSON, Format.JSONL}
_JSON_START = re.compile(r"\s*(?:\[\s*(?:[\[{\"\]0-9tfn-]|$)|\{\s*(?:[\"}]|$))")
_FEWEST_ROWS = 3
"""Of a text that nothing but its commas makes a table."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a name says; None: nothing."""

    format: Format | None
    compression: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the content is."""

    format: Format
    encoding: str | None = None
    dialect: Dialect | None = None
    image: str | None = None
    zipped: bool = False


def claim_of(name: str) -> Claim:
    """By the endings: `x.csv.gz`, `x.csv.out` (as batch transform names its outputs), `x.snappy.parquet`."""
    parts = name.lower().split(".")[1:]
    if parts and parts[-1] == "out":
        parts.pop()
    packed = _PACKED.get(parts[-1]) if parts else None
    if packed and parts[-1] != "tgz":
        parts.pop()
    return Claim(_BY_SUFFIX.get(parts[-1]) if parts else None, packed)


def found_in(head: bytes, claimed: Format | None, *, ended: bool) -> Found:
    """By a file's first bytes, unpacked; `ended`: they are all there is."""
    if not head:
        return Found(Format.EMPTY)
    if head.startswith((parquet.MAGIC, parquet.ENCRYPTED)):
        return Found(Format.PARQUET)
    if head.startswith(arrays.MAGIC):
        return Found(Format.NPY)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Found(Format.UNKNOWN, zipped=True)
    image = image_kind(head)
    if image:
        return Found(Format.IMAGE, image=image)
    if is_tar(head):
        return Found(Format.TAR)
    if is_pickle(head, named=claimed is Format.PICKLE):
        return Found(Format.PICKLE)
    encoding = encoding_of(head)
    return Found(Format.UNKNOWN) if encoding is None else _text(head, encoding, claimed, ended=ended)


def _text(head: bytes, encoding: str, claimed: Format | None, *, ended: bool) -> Found:
    text = head.decode(encoding, "ignore")
    if not text:
        return Found(Format.EMPTY, encoding)
    if _JSON_START.match(text):
        lines = looks_like_lines(text, named=claimed is Format.JSONL, ended=ended)
        return Found(Format.JSONL if lines else Format.JSON, encoding)
    if is_libsvm(text, ended=ended):
        return Found(Format.LIBSVM, encoding)
    dialect = dialect_of(text, ended=ended)
    table = dialect is not None and dialect.even and dialect.width > 1 and dialect.rows >= _FEWEST_ROWS
    if claimed in _JSONS and not table:
        return Found(claimed, encoding)
    if claimed in (Format.CSV, Format.TSV) or table:
        dialect = dialect or Dialect("\t" if claimed is Format.TSV else ",", 1, True, 0)
        return Found(Format.TSV if dialect.delimiter == "\t" else Format.CSV, encoding, dialect)
    return Found(Format.TEXT, encoding)


def disagreement(claim: Claim, found: Format, compression: str | None) -> tuple[str | None, str | None]:
    """Between a name and a content: what makes a reader fail that goes by the name; and what is only worth knowing."""
    wanted = claim.format
    fault = _packing(claim, found, compression)
    if wanted in (None, found, Format.TEXT):
        return fault, None
    if found is Format.EMPTY:
        return f"is empty: no {wanted}", None
    related = {wanted, found} <= _TABLES or {wanted, found} <= _JSONS
    words = f"its name says {wanted}, its content is {found}"
    return (fault, words) if related else ("; ".join(filter(None, (words, fault))), None)


def _packing(claim: Claim, found: Format, compression: str | None) -> str | None:
    if claim.compression == compression or found in (Format.EMPTY, Format.PARQUET):
        return None
    if found in (Format.PICKLE, Format.TAR) and claim.compression is None:
        return None  # joblib and tarfile look at the content
    if compression is None:
        return f"its name says {claim.compression}, but it is not compressed"
    if claim.compression is None and claim.format is not None:
        return f"is compressed with {compression}, which its name does not say: it is not unpacked by who goes by that"
    return f"its name says {claim.compression}, but it is {compression}" if claim.compression else None
