"""What an edge of a run shows: what the producer wrote, what the consumer opened of it, and what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner.data.difference import Difference, differences
from runner.data.formats import describe_tree
from runner.data.impact import Impact
from runner.data.tables import FileSchema, Format
from runner.pipeline.layout import RunLayout
from runner.testing.results import DataCompatibilityResult, ScriptTestResult
from runner.testing.subjects import Subject

_SHOWN = 20
"""Files of an edge whose columns a result holds."""


def edge(
    source: Subject,
    target: Subject,
    ports: dict[str, str],
    result_a: ScriptTestResult,
    result_b: ScriptTestResult,
    layout: RunLayout,
    notes: Sequence[str] = (),
    before: Mapping[str, Sequence[FileSchema]] | None = None,
) -> DataCompatibilityResult:
    """The verdict of an edge: the consumer passed on what the producer wrote. Reads the files within bounds.

    `before`: by input, the data that the consumer's spec has for it, which is what the consumer was made for.
    """
    folders = {output: layout.step(source.node).output(source.outputs[output].key) for output in ports}
    written = {output: _files(folder) for output, folder in folders.items()}
    opened = {output: _opened(result_b, target.inputs[port].path) for output, port in ports.items()}
    changed = [
        each
        for output, port in ports.items()
        if (before or {}).get(port) and result_a.success
        for each in differences((before or {})[port], written[output])
    ]
    files = [schema for output in written for schema in written[output]]
    read = [schema for output in written for schema in written[output] if schema.path in opened[output]]
    return DataCompatibilityResult(
        script_a=source.spec.script_name,
        script_b=target.spec.script_name,
        compatible=result_a.success and result_b.success,
        compatibility_issues=_issues(source, target, result_a, result_b),
        data_format_a=_formats(files),
        data_format_b=_formats(read),
        ports=dict(ports),
        tested=result_b.verdict is not None and not result_b.is_error,
        result_a=result_a,
        result_b=result_b,
        risks=tuple(dict.fromkeys((*_risks(changed), *_faults(files), *_never_read(ports, opened, result_b)))),
        differences=tuple(asdict(each) for each in changed),
        notes=tuple(notes),
        schemas=tuple(_plain(schema) for schema in files[:_SHOWN]),
        files_read=tuple(f"{output}/{name}" for output in opened for name in sorted(opened[output])),
    )


def untested(
    source: Subject, target: Subject, issue: str, result_a: ScriptTestResult, result_b: ScriptTestResult
) -> DataCompatibilityResult:
    """An edge of which nothing is known, since nothing ran."""
    return DataCompatibilityResult(
        script_a=source.spec.script_name,
        script_b=target.spec.script_name,
        compatible=False,
        compatibility_issues=[issue, *_remedies(result_a, result_b)],
        tested=False,
        result_a=result_a,
        result_b=result_b,
    )


def valid_files(folder: Path) -> list[Path]:
    """The files below a directory that can be read as what they are and hold something, sorted; no hidden ones."""
    return [
        folder / schema.path
        for schema in _files(folder)
        if schema.fault is None
        and schema.format is not Format.EMPTY
        and not any(part.startswith(".") for part in Path(schema.path).parts)
    ]


def _files(folder: Path) -> tuple[FileSchema, ...]:
    return describe_tree(folder) if folder.is_dir() else ()


def _opened(result: ScriptTestResult, place: str) -> set[str]:
    """Relative paths of the files below a container directory that the script read."""
    prefix = f"{place.rstrip('/')}/"
    return {path.removeprefix(prefix) for path in result.files_read if path.startswith(prefix)}


def _formats(files: Sequence[FileSchema]) -> str | None:
    return ", ".join(dict.fromkeys(schema.format.value.upper() for schema in files)) or None


def _issues(source: Subject, target: Subject, a: ScriptTestResult, b: ScriptTestResult) -> list[str]:
    if not a.success:
        return [f"the producer '{source.node}' did not pass: {a.error_message}", *_remedies(a)]
    if b.success:
        return []
    return [f"the consumer '{target.node}' did not pass: {b.error_message}", *_remedies(b)]


def _remedies(*results: ScriptTestResult) -> list[str]:
    return list(dict.fromkeys(f"remedy: {each.remedy}" for each in results if each.remedy))


def _risks(changed: Sequence[Difference]) -> list[str]:
    return [f"{each} ({each.impact.value})" for each in changed if each.impact is not Impact.SAFE]


def _faults(files: Sequence[FileSchema]) -> list[str]:
    return [f"'{schema.path}': {schema.fault}" for schema in files if schema.fault]


def _never_read(ports: dict[str, str], opened: dict[str, set[str]], result: ScriptTestResult) -> list[str]:
    """A consumer that passes without reading the data proves little of the edge."""
    if not result.success or not result.files_read:
        return []
    return [
        f"input '{port}' was never read: the edge is not proven" for output, port in ports.items() if not opened[output]
    ]


def _plain(schema: FileSchema) -> dict[str, Any]:
    found = asdict(schema)
    columns = found.pop("columns")
    most = columns[:200] if columns else columns
    return {**found, "columns": most, "column_count": len(columns) if columns is not None else None}
