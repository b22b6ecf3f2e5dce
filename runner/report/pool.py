"""The pool for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.report.text import count

SCHEMA = 1


def document(found: Mapping[str, Any], memory: Mapping[str, int]) -> dict[str, Any]:
    """`found`: the keeper's status; `memory` in bytes, by container."""
    ready = [{**each, "memory": memory.get(each["id"])} for each in found["ready"]]
    return {"schema_version": SCHEMA, **found, "ready": ready}


def text(found: Mapping[str, Any], memory: Mapping[str, int]) -> str:
    lines = [_line(each, memory.get(each["id"])) for each in found["ready"]]
    width = max((len(line[0]) for line in lines), default=0)
    shown = [f"  {step:<{width}}  {rest}" for step, rest in lines]
    head = f"{count(len(lines), 'container')} ready" if lines else "no containers stand ready"
    if lines and len(memory) == len(lines):
        head += f", {sum(memory.values()) >> 20} MiB"
    coming = [f"coming: {', '.join(found['coming'])}"] if found["coming"] else []
    why = [f"no more: {found['note']}"] if found["note"] else []
    return "\n".join([head, *shown, *coming, *why])


def _line(each: Mapping[str, Any], memory: int | None) -> tuple[str, str]:
    size = f"{memory >> 20} MiB" if memory is not None else "?"
    modules = ", ".join(entry.partition(":")[0] for entry in each["modules"])
    imports = f", has imported {modules}" if modules else ""
    return each["step"], f"{each['id'][:12]}  image '{each['image']}', {each['age']:.0f} s old, {size}{imports}"
