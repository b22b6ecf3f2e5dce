"""Reads what data files are, without running anything and without holding them in memory.

`describe` tells of one file its format and, where it is a table, its columns; `describe_tree` does so for all files of
a directory. The format is told by the content, and by the name only where the content leaves it open; where the two
disagree so that a reader who goes by the name fails, `fault` says so, else `details["name"]`.

What is read
- Delimited text (`csv`, `tsv`): by `,`, tab, `;` or `|`; quoted with `"`; UTF-8, UTF-16 and UTF-32 by their marks,
  UTF-16 without one by its zeros, else latin-1 as a guess. Whether the first line is a header: `dialect.has_header`.
  What is missing, and what the values are: `values`. A ragged row, NUL bytes, an unclosed quote, a row that was cut
  are faults that name the row or line.
- JSON: an array of records or of arrays, a mapping of columns (lists, or pandas' `{column: {label: value}}`); any
  other document is checked and its keys are named. JSON lines: an object or array in each line.
- Parquet: the footer alone (extra `parquet`). Ranges and nulls come from the statistics, `unique` and `values` do not.
- npy, npz: headers. Pickle, joblib: the names of modules and classes, by listing the opcodes. Nothing is unpickled.
- libsvm: examples, labels, indices. tar (packed or not): names. Images: kind, height, width. Other text: lines.
- Of anything else the first bytes.
- Each of these packed with gzip, bz2, xz or zstd (zstd: Python 3.14, or extra `parquet`), but for parquet and npz.

What is not
- Fields of more than 131,072 characters (`csv.field_size_limit`) end the reading of a delimited text, which
  `details["not read further"]` says; lines of more than 4 Mi characters, JSON values of more than 2 Mi characters, and
  more than 200,000 columns are faults.
- Comment lines, several delimiters in a row, thousands separators, decimal commas, dates that are not ISO 8601,
  quoting with `'`: such values are strings, as for pandas without being told.
- pandas' `split` and `table` layouts of JSON, XML, spreadsheets, HDF5, ORC, Avro, RecordIO, databases: named at most.
- Data pages of parquet, values of arrays, members of archives.

How far. By default the first MiB (some 10,000 rows at most) and of a plain text up to eight blocks of 64 KiB from
further on, the last from the file's end; then `complete` is False and `rows` an estimate. With `whole` all of it, in
pieces. Memory stays bounded in both ways, since values are counted and forgotten: whether a column is `unique` is told
only as long as all columns together have no more than 250,000 values to remember (else None). What unpacks to over
256 MiB and over a hundred times its size is not read further.
"""

from runner.data.formats.describing import BUDGET, MOST_FILES, describe, describe_tree

__all__ = ["BUDGET", "MOST_FILES", "describe", "describe_tree"]
