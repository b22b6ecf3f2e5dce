"""Made-up data that meets what a step expects: for a first run where there is no real data yet.

1. The same seed and column name give the same values, whatever other columns there are: text files are equal byte by
   byte on every machine and Python, binary ones (parquet, npy) with the same pyarrow or numpy.
2. What is made says so: a marker beside the directory, never in it, where the script would read it.
3. What cannot be made is an error: nothing is guessed of a column of which only the name is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from runner.data.choice import pattern
from runner.data.drawing import values_of
from runner.data.files import json_bytes
from runner.data.writing import WRITERS, Made
from runner.errors import UsageError
from runner.spec.expects import Expects
from runner.spec.families import Format
from runner.spec.names import listed

SCHEMA = 1
_SUFFIXES = {".ndjson": Format.JSONL, ".svm": Format.LIBSVM, ".pq": Format.PARQUET}


def default_sample() -> dict[str, list[Any]]:
    """The sample of the runtime-testing API: two features and a label, five rows, by column. A new one each time."""
    return {
        "feature1": [1, 2, 3, 4, 5],
        "feature2": [0.1, 0.2, 0.3, 0.4, 0.5],
        "label": [0, 1, 0, 1, 0],
    }


def generate(expects: Expects | Mapping[str, Any], directory: Path, *, seed: int = 0, rows: int = 100) -> list[Path]:
    """Write one file that meets `expects`, and the marker; returns the file's path, in a list.

    `expects` may also be columns alone, as `{"label": "int", "amount": {"family": "float", "min": 0}}`. `rows` gives
    way to what `expects.rows` says. The format is that of `expects`, else that of its `files`, else csv; the name
    follows `files`, else `data.<format>`. A pandera schema is not looked at.

    Raises UsageError for what cannot be made: columns of which too little is known, expectations that contradict each
    other, formats that are not written here, a file that is there already and was not made here.
    """
    wanted = _as_expects(expects)
    kind = _format(wanted)
    number = _rows(wanted, rows)
    if not wanted.names:
        raise UsageError("nothing says which columns to make", remedy="name them, with their families, under `columns`")
    unknown = [name for name in wanted.names if name not in wanted.columns]
    if unknown:
        raise UsageError(
            f"nothing but the name is known of {listed(unknown)}", remedy="give their families under `columns`"
        )
    made = [Made(name, *values_of(name, wanted.columns[name], number, seed)) for name in wanted.names]
    content = WRITERS[kind](made, number)
    path = directory / _name(wanted, kind)
    _refuse_to_overwrite(directory, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    record = {"schema_version": SCHEMA, "synthetic": True, "seed": seed, "rows": number, "format": str(kind)}
    files = [path.relative_to(directory).as_posix()]
    marker(directory).write_bytes(json_bytes({**record, "columns": list(wanted.names), "files": files}))
    return [path]


def marker(directory: Path) -> Path:
    """The file beside a directory that says that its data is made up."""
    return directory.with_name(f".{directory.name}.synthetic.json")


def synthetic_record(directory: Path) -> dict[str, Any] | None:
    """What the marker of a directory says (`seed`, `rows`, `format`, `columns`, `files`); None where there is none.

    Raises OSError and ValueError for one that cannot be read.
    """
    path = marker(directory)
    found: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
    return found


def _as_expects(expects: Expects | Mapping[str, Any]) -> Expects:
    if isinstance(expects, Expects):
        return expects
    try:
        return Expects.model_validate({"columns": dict(expects)})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        raise UsageError(f"columns that cannot be made: {'; '.join(faults)}") from None


def _format(wanted: Expects) -> Format:
    kind = wanted.format
    if kind is None:
        suffix = PurePosixPath(wanted.files or "").suffix.lower()
        known = {f".{each}": each for each in Format} | _SUFFIXES
        kind = known.get(suffix, Format.CSV)
    if kind not in WRITERS:
        raise UsageError(f"no {kind} file can be made", remedy=f"these can: {', '.join(WRITERS)}")
    return kind


def _rows(wanted: Expects, rows: int) -> int:
    if rows < 0:
        raise UsageError(f"{rows} is no number of rows")
    if wanted.rows is None:
        return rows
    least = wanted.rows.min if wanted.rows.min is not None else 0
    return max(least, rows if wanted.rows.max is None else min(rows, wanted.rows.max))


def _name(wanted: Expects, kind: Format) -> str:
    """A name that the glob takes, with `0` for what it leaves open."""
    glob = wanted.files
    if glob is None:
        return f"data.{kind}"
    name = glob.replace("**/", "").replace("*", "0").replace("?", "0")
    if pattern(glob).fullmatch(name) is None:
        raise UsageError(
            f"no file name can be made for '{glob}'", remedy="name the file, or use no more than `*` and `?`"
        )
    return name


def _refuse_to_overwrite(directory: Path, path: Path) -> None:
    record = synthetic_record(directory) or {}
    if path.exists() and path.relative_to(directory).as_posix() not in record.get("files", ()):
        raise UsageError(f"{path} is there already, and was not made here", remedy="name another directory")
