"""What people write: pipeline files, DAG files and specs, checked and turned into one `Pipeline`.

Importing this package is cheap: PyYAML and pydantic are imported when a file is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.spec.links import Edge, edges, order
    from runner.spec.loader import load
    from runner.spec.schema import json_schema

_HOMES = {"Edge": "links", "edges": "links", "order": "links", "load": "loader", "json_schema": "schema"}

__all__ = ["Edge", "edges", "json_schema", "load", "order"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
