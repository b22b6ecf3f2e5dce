"""A file -> the contracts that stand in it, checked."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from runner.errors import Problem, SpecError
from runner.spec import document, wording
from runner.spec.contracts import pyfile
from runner.spec.contracts.model import CLASSES, FoundContract, ScriptContract
from runner.spec.names import listed

PYTHON = "_contract.py"
YAML = ".step.yaml"


def read_contracts(path: Path) -> list[FoundContract]:
    """The contracts of a Python module or a `*.step.yaml` file; nothing is imported.

    Raises SpecError with all problems: unreadable, not literal, unknown keys, faulty values, no contract at all.
    """
    if not path.name.endswith((".yaml", ".yml")):
        written = pyfile.read(path)
        if not written:
            message = f"holds no contract: expected NAME = ScriptContract(...), or one of {listed(CLASSES)}"
            raise SpecError([Problem(document.shown(path), 0, 0, "", message)])
    else:
        try:
            written = [(path.name.removesuffix(YAML), "ScriptContract", document.read(path))]
        except SpecError as error:
            raise SpecError(error.problems) from None  # its remedies are about pipeline files
    found: list[FoundContract] = []
    problems: list[Problem] = []
    for name, kind, text in written:
        model = CLASSES.get(kind, ScriptContract)
        try:
            if not isinstance(text.data, dict):
                raise SpecError([text.problem((), "expected a mapping with the key 'entry_point'")])
            found.append(FoundContract(name, path, model.model_validate(text.data), text))
        except ValidationError as error:
            problems += wording.problems(error, text, model, text.data)
    if problems:
        raise SpecError(problems)
    return found
