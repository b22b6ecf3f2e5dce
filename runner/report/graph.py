"""The steps of a pipeline and the data between them: as a drawing, Mermaid, Graphviz or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runner.report.rails import draw, to_ascii
from runner.report.text import count, one_line, pad, width

if TYPE_CHECKING:
    from runner.spec import Edge
    from runner.spec.models import PipelineSpec

SCHEMA_VERSION = 1
WIDTH = 100
"""Columns at which the list of a step's sources goes on in the next line."""


def render(spec: PipelineSpec, format: str = "text", *, unicode: bool = True) -> str:
    """The graph of `spec`, ending with a newline. `format`: `text`, `mermaid`, `dot` or `json`.

    `unicode=False` draws the text in ASCII. Raises ValueError for another format.
    """
    if format not in _FORMATS:
        raise ValueError(f"format must be one of {', '.join(_FORMATS)}, not {format!r}")
    text = _FORMATS[format](spec)
    return text if unicode or format != "text" else to_ascii(text).replace("←", "<-")


def _text(spec: PipelineSpec) -> str:
    from runner.spec import edges, order

    steps, all_edges = order(spec), edges(spec)
    into: dict[str, list[Edge]] = {step: [] for step in steps}
    for edge in all_edges:
        into[edge.target].append(edge)
    sources = {step: list(dict.fromkeys(edge.source for edge in into[step])) for step in steps}
    lines = [f"{one_line(spec.name)}: {count(len(steps), 'step')}, {count(len(all_edges), 'edge')}", ""]
    names = max((width(step) for step in steps), default=0)
    for step, (rails, below) in zip(steps, draw(steps, sources), strict=True):
        first, *rest = _wrapped([_from(edge) for edge in into[step]], WIDTH - len(rails) - names - 6) or [""]
        lines.append(f"{rails}  {pad(step, names)}  {'← ' if first else ''}{first}".rstrip())
        lines += [f"{below}  {'':{names}}    {more}" for more in rest]
    return "\n".join(lines) + "\n"


def _from(edge: Edge) -> str:
    return f"{edge.source}.{edge.output}" if edge.output is not None else f"after {edge.source}"


def _wrapped(words: list[str], columns: int) -> list[str]:
    """`words` with commas, in lines of `columns`; a word is never cut."""
    lines: list[str] = []
    for index, word in enumerate(words):
        piece = word + ("," if index < len(words) - 1 else "")
        if lines and width(lines[-1]) + 1 + width(piece) <= columns:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


def _label(edge: Edge, arrow: str) -> str:
    """`model`, or `train → DATA` when the consumer calls it otherwise; empty for an edge without data."""
    if edge.output is None or edge.input is None:
        return edge.output or ""
    return edge.output if edge.output == edge.input else f"{edge.output} {arrow} {edge.input}"


def _mermaid(spec: PipelineSpec) -> str:
    from runner.spec import edges, order

    # Identifiers are numbers: a step may be called `end` or `graph`, which Mermaid takes for its own words.
    ids = {step: f"s{index}" for index, step in enumerate(order(spec), 1)}
    lines = ["flowchart TD"]
    for step, identifier in ids.items():
        before, after = ('(["', '"])') if spec.steps[step].type == "training" else ('["', '"]')
        lines.append(f"    {identifier}{before}{_mermaid_text(step)}{after}")
    for edge in edges(spec):
        label = _label(edge, "→")
        arrow = f'-->|"{_mermaid_text(label)}"|' if label else "-.->"
        lines.append(f"    {ids[edge.source]} {arrow} {ids[edge.target]}")
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    """Inside quotes Mermaid still reads entities, tags and its own `#` codes."""
    # The `#` of the codes themselves must not be replaced, so it comes first.
    for character, code in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, code)
    return text.replace("`", "#96;").replace("\n", " ")


def _dot(spec: PipelineSpec) -> str:
    from runner.spec import edges, order

    lines = [
        f"digraph {_dot_text(one_line(spec.name))} {{",
        "    rankdir=TB;",
        '    node [shape=box, fontname="sans-serif"];',
    ]
    for step in order(spec):
        shape = " [style=rounded]" if spec.steps[step].type == "training" else ""
        lines.append(f"    {_dot_text(step)}{shape};")
    for edge in edges(spec):
        label = _label(edge, "→")
        look = f"label={_dot_text(label)}" if label else "style=dashed"
        lines.append(f"    {_dot_text(edge.source)} -> {_dot_text(edge.target)} [{look}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def document(spec: PipelineSpec) -> dict[str, Any]:
    """The JSON form. `output` and `input` of an edge are null when it only orders."""
    from runner.spec import edges, order

    return {
        "schema_version": SCHEMA_VERSION,
        "name": spec.name,
        "steps": [{"name": step, "type": str(spec.steps[step].type)} for step in order(spec)],
        "edges": [
            {"source": edge.source, "output": edge.output, "target": edge.target, "input": edge.input}
            for edge in edges(spec)
        ],
    }


def _json(spec: PipelineSpec) -> str:
    return json.dumps(document(spec), indent=2, ensure_ascii=False) + "\n"


_FORMATS: dict[str, Callable[[PipelineSpec], str]] = {"text": _text, "mermaid": _mermaid, "dot": _dot, "json": _json}
