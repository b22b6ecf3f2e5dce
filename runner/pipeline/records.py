"""The values of a run as JSON, and back: what `job.json`, `plan.json`, `result.json` and `events.jsonl` hold."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.data.diagnoses import Diagnosis, Kind, Place
from runner.engine.base import HostOutcome, Verdict
from runner.pipeline.events import Cached, Event, StepResult, StepState
from runner.sagemaker.job import CodeBundle, CodeFile, CodeText, CodeTree, HostData, StepData

SCHEMA = 1
_TAGGED = {
    HostData: "host",
    StepData: "step",
    CodeFile: "code-file",
    CodeTree: "code-tree",
    CodeBundle: "code-bundle",
    CodeText: "code-text",
}


def plain(value: object) -> Any:
    """Dataclasses as objects, tuples as lists, enums as their value, paths as text; sources carry their `kind`."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tag = {"kind": _TAGGED[type(value)]} if type(value) in _TAGGED else {}
        return {**tag, **{f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def event_line(event: Event) -> bytes:
    """One line of `events.jsonl`, as `{"event": "step-finished", "at": ..., ...}`."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    document = {"event": name, **plain(event)}
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def result_from(document: Mapping[str, Any]) -> StepResult:
    """The inverse of `plain` for a StepResult; keys that this version does not know are passed over.

    Raises ValueError, KeyError or TypeError for a document of another shape.
    """
    known = {field.name for field in dataclasses.fields(StepResult)}
    values = {key: value for key, value in document.items() if key in known}
    values["state"] = StepState(values["state"])
    values["verdict"] = Verdict(values["verdict"]) if values["verdict"] is not None else None
    for name in ("blocked_by", "warnings"):
        values[name] = tuple(values.get(name, ()))
    values["hosts"] = tuple(_host_from(host) for host in values.get("hosts", ()))
    values["diagnosis"] = _diagnosis_from(values.get("diagnosis"))
    cached = values.get("cached")
    values["cached"] = Cached(**{f.name: cached[f.name] for f in dataclasses.fields(Cached)}) if cached else None
    return StepResult(**values)


def _diagnosis_from(document: Mapping[str, Any] | None) -> Diagnosis | None:
    if document is None:
        return None
    known = {field.name for field in dataclasses.fields(Diagnosis)}
    values = {key: value for key, value in document.items() if key in known}
    place = values.get("place")
    return Diagnosis(
        **{
            **values,
            "kind": Kind(values["kind"]),
            "details": tuple(values.get("details", ())),
            "evidence": tuple(values.get("evidence", ())),
            "place": Place(place["file"], place["line"], place["host"]) if place else None,
        }
    )


def _host_from(document: Mapping[str, Any]) -> HostOutcome:
    known = {field.name for field in dataclasses.fields(HostOutcome)}
    values = {key: value for key, value in document.items() if key in known}
    return HostOutcome(**{**values, "verdict": Verdict(values["verdict"])})
