"""A file -> a checked `Pipeline`."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.errors import Problem, SpecError
from runner.spec import limits, names, rules, wording
from runner.spec.checks import examine
from runner.spec.document import Place, absolute, read
from runner.spec.draft import Draft
from runner.spec.models import Pipeline, PipelineSpec
from runner.spec.origin import Origin
from runner.spec.scalar import escaped

_ROUNDS = 5
"""Faults can hide behind faults: a part that is left out may uncover the next. Deeper than this nobody needs."""
_COMPARISONS = 50_000
"""For suggestions, in one file: a second or so."""
_LINT = "SageMaker would refuse this. Without --strict it is a warning, and the pipeline runs here."
_SPECS = "Where execution specs say what a step runs, give them with --specs: a directory or a file."


def load(path: Path, specs: Path | None = None, *, strict: bool = False) -> Pipeline:
    """Read a pipeline file, or a DAG file with its `specs` (a file or a directory), and check all of it.

    With `specs`, a pipeline file may leave out of its steps what they say: see `dagfile`. What exceeds a limit of
    SageMaker's API stands in the pipeline's `remarks`; with `strict` it is a problem like any other.

    Raises SpecError with every problem that could be found; host files that the pipeline needs are looked at, an
    engine is not.
    """
    with names.at_most(_COMPARISONS):
        return _load(path, specs, strict=strict)


def _load(path: Path, specs: Path | None, *, strict: bool) -> Pipeline:
    document = read(path)
    if not isinstance(document.data, dict):
        raise SpecError([document.problem((), "expected a mapping with the key 'steps' at the top of the file")])
    if specs is not None or document.data.keys() & {"nodes", "edges", "dag"}:
        from runner.spec.dagfile import assemble

        data, origin = assemble(document, absolute(path).parent, specs)
    else:
        data, origin = document.data, document
    named = {"name": escaped(path.stem), **_present(data)}
    spec, remarks = check(named, absolute(path).parent, origin, strict=strict)
    return Pipeline(file=absolute(path), spec=spec, source_text=document.text, remarks=remarks)


def check(
    data: dict[str, Any], root: Path, origin: Origin, *, strict: bool
) -> tuple[PipelineSpec, tuple[Problem, ...]]:
    """The pipeline that `data` (as of a `Document`) describes, and its remarks. Raises SpecError with all problems."""
    try:
        draft, problems = Draft(PipelineSpec.model_validate(data), root, origin), []
    except ValidationError as error:
        problems = wording.problems(error, origin, PipelineSpec, data)
        found = _salvage(data, error)
        if found is None:
            raise _refusal(problems) from None
        draft = Draft(found.spec, root, origin, found.damaged, found.lost, found.header_damaged)
    problems += examine(draft)
    remarks = list(limits.problems(draft))
    if strict and remarks and not problems:
        raise _refusal(remarks, remedy=_LINT)
    if problems:
        bare = any(rules.lacks_program(step) for _, step in draft.whole())
        raise _refusal([*problems, *(remarks if strict else [])], remedy=_SPECS if bare else "")
    return draft.spec, tuple(_in_order(remarks))


def _present(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _refusal(problems: list[Problem], remedy: str = "") -> SpecError:
    return SpecError(_in_order(problems), remedy=remedy)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Each once, in the order of the file."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line, problem.column))


@dataclass(frozen=True)
class _Salvaged:
    spec: PipelineSpec
    damaged: frozenset[str]
    lost: frozenset[str]
    header_damaged: bool


def _salvage(data: dict[str, Any], error: ValidationError) -> _Salvaged | None:
    """The pipeline without its faulty parts, so that the rest can be checked too; None when nothing is left of it."""
    rest = copy.copy(data)
    removed: set[Place] = set()
    for _ in range(_ROUNDS):
        for details in error.errors(include_url=False):
            removed.add(_cut(rest, wording.place_of(details)))
        if () in removed or ("steps",) in removed:
            return None
        rest.setdefault("name", "?")  # the one other key that must be there; no check reads it
        try:
            spec = PipelineSpec.model_validate(rest)
        except ValidationError as next_error:
            error = next_error
            continue
        lost = frozenset(str(place[1]) for place in removed if len(place) == 2)
        damaged = frozenset(str(place[1]) for place in removed if len(place) > 2)
        return _Salvaged(spec, damaged - lost, lost, any(place[0] != "steps" for place in removed))
    return None


def _cut(data: dict[str, Any], place: Place) -> Place:
    """Take the value at `place` out of `data`, or the smallest mapping entry around it; returns what was taken out.

    Mappings on the way are copied first: anchors may share them, and the document must stay as it was read.
    """
    for depth, part in enumerate(place):
        value = data.get(str(part))
        if depth == len(place) - 1 or not isinstance(value, dict) or place[depth + 1] not in value:
            data.pop(str(part), None)
            return place[: depth + 1]
        data[str(part)] = value = copy.copy(value)
        data = value
    return ()
