"""The product's own words for formats of files and types of columns.

pandas' names differ between its versions, and a CSV file, a parquet file and a JSON file must be comparable.
"""

from __future__ import annotations

import enum


class Format(enum.StrEnum):
    """How a file's bytes are to be read."""

    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    NPY = "npy"
    NPZ = "npz"
    PICKLE = "pickle"
    LIBSVM = "libsvm"
    TAR = "tar"
    IMAGE = "image"
    TEXT = "text"
    EMPTY = "empty"
    UNKNOWN = "unknown"


class Family(enum.StrEnum):
    """What the values of a column are."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STRING = "string"
    CATEGORY = "category"
    """Text of few different values, or what the file itself calls a category or dictionary."""
    DATETIME = "datetime"
    NESTED = "nested"
    """Lists, mappings, vectors."""
    BINARY = "binary"
    NULL = "null"
    """Not one value is there."""


TABULAR = (Format.CSV, Format.TSV, Format.JSON, Format.JSONL, Format.PARQUET, Format.NPY, Format.LIBSVM)
"""Formats of files that can be tables."""
NUMBERS = (Family.INT, Family.FLOAT)
