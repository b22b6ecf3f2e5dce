"""What to do about a failure, in the words of a spec and of its contract: a diagnosis knows pipeline files only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.spec.contracts import FoundContract
from runner.spec.document import shown
from runner.testing.subjects import Subject

_ARGUMENT = re.compile(r"`(?P<name>[\w-]+)` (?:out of|in) the step's `(?:args|hyperparameters)`")
_ARGUMENTS = re.compile(r"the step's `(?:args|hyperparameters)`")
_INPUT = re.compile(r"give the step an input with `path: (?P<path>[^`]+)`")


def in_words_of_the_spec(fix: str, subject: Subject) -> str:
    """`fix` as `Diagnosis` has it, naming the fields of the subject's spec, or the line of the contract that gave what
    is wrong."""
    fix = fix.replace("the step's `env`", "the spec's `environ_vars`")
    found = _ARGUMENT.search(fix)
    fix = _ARGUMENTS.sub(_giver(found["name"] if found else "", subject), fix)
    return _INPUT.sub(lambda match: _mount(match["path"], subject), fix)


def _giver(argument: str, subject: Subject) -> str:
    contract, own = subject.contract, subject.spec.job_args
    if contract is None or not argument or (isinstance(own, dict) and argument in own):
        return "the spec's `job_args`"
    return f"the contract ({_place(contract, 'expected_arguments')})"


def _mount(path: str, subject: Subject) -> str:
    if subject.contract is None:
        return f"mount an input at {path} (the spec's `container_input_paths`)"
    return f"mount an input at {path} in the contract ({_place(subject.contract, 'expected_input_paths')})"


def _place(contract: FoundContract, field: str) -> str:
    return f"{shown(contract.path)}:{contract.line(field)}"


def to_write_there(subject: Subject, reason: str, thrown_away: Sequence[str]) -> str:
    """What to do about the outputs that `reason` names, since nothing was written to them; `thrown_away` are the files
    that were written where SageMaker keeps nothing."""
    places = [port.path for port in subject.outputs.values() if f"'{port.key}'" in reason]
    wanted = " and ".join(places) or "the output's directory"
    if thrown_away:
        more = f" and {len(thrown_away) - 1} more" if len(thrown_away) > 1 else ""
        return f"write to {wanted}, in place of {thrown_away[0]}{more}"
    return f"let the script write to {wanted}, or take the output out of 'output_paths'"
