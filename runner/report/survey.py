"""How `resolve` shows what was chosen for each node and each edge."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runner.report.text import count, one_line, table

if TYPE_CHECKING:
    from runner.spec.resolution import Candidate, Resolution
    from runner.spec.survey import EdgeChoice, NodeChoice, Survey

SCHEMA_VERSION = 1


def text(survey: Survey) -> str:
    """Nodes, edges, and what could not be decided."""
    lines = _with_details(
        ("NODE", "SCRIPT", "RULE", "SCORE"), [(_node(each), _about_node(each)) for each in survey.nodes]
    )
    if survey.edges:
        edges = [(_edge(each), _about_edge(each)) for each in survey.edges]
        lines += ["", *_with_details(("EDGE", "BRINGS", "RULE", "SCORE"), edges)]
    if survey.problems:
        lines += ["", *(str(problem) for problem in survey.problems)]
    ending = count(len(survey.problems), "problem") if survey.problems else "all resolved"
    lines += ["", f"{count(len(survey.nodes), 'node')}, {count(len(survey.edges), 'edge')}: {ending}"]
    return "\n".join(lines)


def _with_details(head: tuple[str, ...], rows: list[tuple[tuple[str, ...], list[tuple[str, str]]]]) -> list[str]:
    """A table in which the details of a row stand below it."""
    first, *rest = table([head, *(row for row, _ in rows)])
    lines = [first]
    for line, (_, details) in zip(rest, rows, strict=True):
        lines += [line, *(f"  {name:<10}{value}" for name, value in details)]
    return lines


def _node(each: NodeChoice) -> tuple[str, ...]:
    made = each.resolution
    if made is None:
        return one_line(each.node), one_line(each.program or "-"), "-", "-"
    if made.script is None:
        return one_line(each.node), "none", "-", "-"
    return one_line(each.node), _shown(made.script), made.rule or "-", f"{made.score:.2f}"


def _about_node(each: NodeChoice) -> list[tuple[str, str]]:
    made = each.resolution
    said = [("spec", one_line(each.spec))] if each.spec else []
    if made is not None and made.job_type is not None:
        said.append(("job type", _job_type(made)))
    if _contract(each) != "-":
        said.append(("contract", _contract(each)))
    if made is not None and made.alternatives:
        said.append(("also" if made.script else "nearest", _candidates(made.alternatives)))
    return said


def _contract(each: NodeChoice) -> str:
    found = each.contract
    if found.found is None:
        return "-" if found.discovery_method == "none" else "unreadable"
    return f"{_shown(found.found.path)} ({found.discovery_method})"


def _job_type(made: Resolution) -> str:
    if made.job_type is None:
        return "-"
    if not made.arguments:
        return f"{made.job_type} (not asked for)"
    return f"{' '.join(made.arguments)} (asked for by {made.job_type_asked_by})"


def _candidates(every: tuple[Candidate, ...]) -> str:
    return ", ".join(f"{_shown(each.path)} ({each.rule} {each.score:.2f})" for each in every)


def _edge(each: EdgeChoice) -> tuple[str, ...]:
    bound = each.rule not in ("order", "unbound")
    brings = f"{each.output} -> {each.input}" if bound else {"order": "order only"}.get(each.rule, "nothing")
    return f"{each.source} -> {each.target}", brings, each.rule, "-" if each.score is None else f"{each.score:.2f}"


def _about_edge(each: EdgeChoice) -> list[tuple[str, str]]:
    said = [("by", each.details)] if each.details else []
    pairs = [f"{output} -> {port} ({score:.2f})" for output, port, score in each.alternatives]
    return [*said, ("nearest" if each.rule == "unbound" else "also", ", ".join(pairs))] if pairs else said


def document(survey: Survey) -> dict[str, Any]:
    """The JSON form. Paths are as messages show them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "file": str(survey.file),
        "resolved": not survey.problems,
        "nodes": [_node_document(each) for each in survey.nodes],
        "edges": [
            {
                **{key: value for key, value in asdict(each).items() if key != "alternatives"},
                "alternatives": [{"output": o, "input": i, "score": score} for o, i, score in each.alternatives],
            }
            for each in survey.edges
        ],
        "problems": [asdict(problem) for problem in survey.problems],
    }


def _node_document(each: NodeChoice) -> dict[str, Any]:
    made, found = each.resolution, each.contract
    base: dict[str, Any] = {
        "node": each.node,
        "program": each.program,
        "spec": each.spec,
        "contract": _shown(found.found.path) if found.found else None,
        "contract_discovery": found.discovery_method,
        "entry_point_valid": found.entry_point_valid,
    }
    if made is None:
        return {**base, "script": None, "rule": None, "score": None, "arguments": [], "alternatives": []}
    return {
        **base,
        "script": _shown(made.script) if made.script else None,
        "rule": made.rule,
        "score": made.score if made.script else None,
        "canonical_name": made.canonical_name,
        "job_type": made.job_type,
        "job_type_asked_by": made.job_type_asked_by,
        "arguments": list(made.arguments),
        "looked_for": [_shown(path) for path in made.looked_for],
        "alternatives": [
            {"script": _shown(other.path), "rule": other.rule, "score": other.score} for other in made.alternatives
        ],
    }


def _shown(path: Any) -> str:
    from runner.spec.document import shown

    return one_line(shown(path))
