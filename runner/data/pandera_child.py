"""Holds a pandera schema against files: a program of its own, started by `pandera_check` and importing nothing here.

`pandera_child.py DIRECTORY`: reads `request.json` there and writes `answer.json`.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

EXAMPLES = 3
LONGEST = 80
LOG_LIMIT = 64 << 20
"""Bytes that it may write into one file, what the user's code prints included."""


def main(place: Path) -> None:
    request = json.loads((place / "request.json").read_bytes())
    for what, most in (("AS", request["memory"]), ("CPU", request["seconds"]), ("FSIZE", LOG_LIMIT)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (most, most))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = _answer(request)
    except MemoryError:
        answer = {"fault": f"it needs more than {request['memory'] / (1 << 30):.3g} GiB of memory"}
    draft = place / "answer.part"
    draft.write_text(json.dumps(answer), encoding="utf-8")
    draft.rename(place / "answer.json")


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        import pandera.pandas  # noqa: F401 (before the user's directory is on the path, and with its bytecode kept)
    except ImportError as error:
        return {"fault": f"pandera cannot be imported ({error}): pip install 'run-pipeline[pandera]'"}
    sys.dont_write_bytecode = True  # beside the user's modules
    try:
        schema = _schema(request["schema"], request["modules"])
    except MemoryError:
        raise
    except BaseException as error:  # a module may even call sys.exit
        return {"fault": _words(error)}
    return {"failures": [failure for file in request["files"] for failure in _check(schema, file)]}


def _schema(name: str, modules: str) -> Any:
    """The DataFrameSchema, or that of a DataFrameModel."""
    from difflib import get_close_matches

    module_name, _, attribute = name.partition(":")
    sys.path.insert(0, modules)
    module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        near = get_close_matches(attribute, vars(module), 1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise LookupError(f"{module_name} has no '{attribute}'{hint}")
    found = getattr(module, attribute)
    if isinstance(found, type) and hasattr(found, "to_schema"):
        found = found.to_schema()
    if not callable(getattr(found, "validate", None)):
        raise TypeError(f"'{attribute}' is {type(found).__name__}, not a DataFrameSchema or DataFrameModel")
    return found


def _check(schema: Any, file: dict[str, Any]) -> list[dict[str, Any]]:
    from pandera.errors import SchemaError, SchemaErrors

    try:
        schema.validate(_frame(file), lazy=True)
    except SchemaErrors as error:
        return _failures(error.failure_cases, file["path"])
    except SchemaError as error:
        return [_fault(file, str(error))]
    except MemoryError:
        raise
    except BaseException as error:
        return [_fault(file, _words(error))]
    return []


def _fault(file: dict[str, Any], words: str) -> dict[str, Any]:
    return {"file": file["path"], "column": None, "fault": words}


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__


def _frame(file: dict[str, Any]) -> Any:
    """The file as pandas reads it when it is told the format and nothing else: what `coerce=True` is for."""
    import pandas as pd

    place, kind = file["place"], file["format"]
    compression: Any = file["compression"]  # pandas has the same names
    encoding = file["encoding"] or "utf-8"
    if kind in ("csv", "tsv"):
        delimiter = file["delimiter"] or ("\t" if kind == "tsv" else ",")
        header = None if file["header"] is False else 0
        frame = pd.read_csv(place, sep=delimiter, header=header, compression=compression, encoding=encoding)
        return frame.rename(columns=str)
    if kind in ("json", "jsonl"):
        return pd.read_json(
            place, lines=kind == "jsonl", compression=compression, encoding=encoding, precise_float=True
        )
    if kind == "parquet":
        return pd.read_parquet(place)
    raise ValueError(f"a pandera schema is held against csv, tsv, json, jsonl and parquet; this is {kind}")


def _failures(cases: Any, path: str) -> list[dict[str, Any]]:
    """One for each column and check."""
    found = []
    for (column, check), group in cases.astype(object).groupby(["column", "check"], dropna=False, sort=False):
        rows = [(row["index"], row["failure_case"]) for row in group.to_dict("records")]
        numbered = [row for row in rows if _there(row[0])]
        examples = [f"row {_short(i)} is {_short(v)}" for i, v in numbered] or [_short(v) for _, v in rows]
        found.append(
            {
                "file": path,
                "column": str(column) if _there(column) else None,
                "check": str(check),
                "rows": bool(numbered),
                "count": len(rows),
                "examples": list(dict.fromkeys(examples))[:EXAMPLES],
            }
        )
    return found


def _there(value: Any) -> bool:
    return value is not None and value == value  # not NaN


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


if __name__ == "__main__":
    main(Path(sys.argv[1]))
