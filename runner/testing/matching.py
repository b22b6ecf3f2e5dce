"""How the outputs of one spec fit the inputs of another: matches, reports, and whether a pipeline can be bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.spec.matching import Aliases, PathMatch, path_matches
from runner.testing.specs import PipelineTestingSpec, ScriptExecutionSpec
from runner.testing.subjects import Subject
from runner.testing.wiring import wire


def matches(spec_a: ScriptExecutionSpec, spec_b: ScriptExecutionSpec, threshold: float | None) -> list[PathMatch]:
    """Every output of the first that fits an input of the second, the surest first."""
    return list(path_matches(_aliases(spec_a, "output"), _aliases(spec_b, "input"), threshold))


def report(spec_a: ScriptExecutionSpec, spec_b: ScriptExecutionSpec, threshold: float | None) -> dict[str, Any]:
    """`script_a`, `script_b`, `total_matches`, `matches`, `best_matches` (each input once), `unmatched_outputs`,
    `unmatched_inputs`, `recommendations`."""
    found = matches(spec_a, spec_b, threshold)
    best: dict[str, PathMatch] = {}
    for match in found:
        best.setdefault(match.dest_logical_name, match)
    outputs = [name for name in spec_a.output_paths if name not in {match.source_logical_name for match in found}]
    inputs = [name for name in spec_b.input_paths if name not in best]
    advice = [
        f"input '{name}' of '{spec_b.script_name}' fits no output of '{spec_a.script_name}': give one an alias, "
        "or the edge its ports"
        for name in inputs
    ]
    advice += [
        f"input '{name}' is bound by likeness alone ({match.confidence:.2f}): name the alias "
        f"'{match.source_logical_name}' to be sure"
        for name, match in best.items()
        if match.match_type.value == "semantic"
    ]
    return {
        "script_a": spec_a.script_name,
        "script_b": spec_b.script_name,
        "total_matches": len(found),
        "matches": [match.model_dump(mode="json") for match in found],
        "best_matches": {name: match.model_dump(mode="json") for name, match in best.items()},
        "unmatched_outputs": outputs,
        "unmatched_inputs": inputs,
        "recommendations": advice,
    }


def validate(pipeline: PipelineTestingSpec, subjects: Mapping[str, Subject], threshold: float | None) -> dict[str, Any]:
    """Whether every edge can be bound, by the rules by which it would be: nothing runs."""
    wired = wire(subjects, pipeline.dag, pipeline.data_flow_specs, threshold=threshold)
    edges: dict[str, Any] = {}
    advice: list[str] = []
    for source, target in pipeline.dag.edges:
        problem = wired.problems.get((source, target))
        ports = wired.ports(source, target)
        edges[f"{source}->{target}"] = {
            "valid": problem is None,
            "ports": ports,
            "matches": [
                match.model_dump(mode="json")
                for match in matches(subjects[source].spec, subjects[target].spec, threshold)
            ],
            "note": wired.notes.get((source, target)),
            "problem": problem,
        }
        advice += [f"{source} -> {target}: {problem}"] if problem else []
    valid = sum(each["valid"] for each in edges.values())
    return {
        "overall_valid": valid == len(edges) and not wired.problems,
        "edge_validations": edges,
        "recommendations": advice,
        "summary": {"total_edges": len(edges), "valid_edges": valid, "invalid_edges": len(edges) - valid},
    }


def _aliases(spec: ScriptExecutionSpec, side: str) -> Aliases:
    known = getattr(spec, f"{side}_path_specs")
    return {name: (tuple(known[name].aliases) if name in known else ()) for name in getattr(spec, f"{side}_paths")}
