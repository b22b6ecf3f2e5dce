"""FileSchemas by hand."""

from __future__ import annotations

from typing import Any

from runner.data.tables import Column, Family, FileSchema, Format


def column(name: str, family: str = "int", **facts: Any) -> Column:
    return Column(name=name, family=Family(family), **facts)


def table(path: str, *columns: Column, **facts: Any) -> FileSchema:
    known = {"size": 10, "format": Format.CSV, "delimiter": ",", "header": True, "encoding": "utf-8", "rows": 100}
    return FileSchema(path=path, columns=columns, **{"complete": True, **known, **facts})


def other(path: str, kind: str, **facts: Any) -> FileSchema:
    return FileSchema(path=path, size=1, format=Format(kind), **{"complete": True, **facts})
