"""Every contract of some directories, held against its script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import Problem, SpecError
from runner.spec.contracts.agreement import Disagreement, disagreements, unchecked
from runner.spec.contracts.discovery import Contracts
from runner.spec.contracts.model import FoundContract
from runner.spec.document import absolute, shown
from runner.spec.names import listed
from runner.spec.scripts import facts


@dataclass(frozen=True)
class Review:
    """One contract, or one file that holds none that can be read."""

    path: Path
    method: str | None = None
    """How it was found, where it was asked for by a name."""
    found: FoundContract | None = None
    script: Path | None = None
    problems: tuple[Problem, ...] = ()
    """Why the contract, or its script, could not be read."""
    disagreements: tuple[Disagreement, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`unreadable`, `no script`, `disagrees` or `agrees`."""
        if self.problems:
            return "unreadable"
        if self.script is None:
            return "no script"
        return "disagrees" if self.disagreements else "agrees"


def contract_dirs(dirs: Sequence[Path]) -> list[Path]:
    """The directories, each with its `contracts` if it has one."""
    both = [each for directory in dirs for each in (directory, directory / "contracts")]
    return list(dict.fromkeys(each for each in both if each in dirs or each.is_dir()))


def review_all(contracts: Contracts) -> list[Review]:
    """Of every file, in the order of the directories and names."""
    found: list[Review] = []
    for path in contracts.files():
        try:
            found += [review(each) for each in contracts.read(path)]
        except SpecError as error:
            found.append(Review(path, problems=error.problems))
    return found


def review_named(contracts: Contracts, name: str) -> Review:
    """Of the contract that `discover` finds. Raises SpecError where it finds none."""
    result = contracts.find(name)
    if result.found is None:
        raise SpecError([Problem("contracts", 0, 0, "", result.error_message or f"no contract for '{name}'")])
    return review(result.found, result.discovery_method)


def review(found: FoundContract, method: str | None = None) -> Review:
    """One contract against the script of its entry point, see `script_of`."""
    script = script_of(found)
    if script is None:
        return Review(found.path, method, found)
    try:
        known = facts(script)
    except SpecError as error:
        return Review(found.path, method, found, script, error.problems)
    return Review(found.path, method, found, script, (), disagreements(found, known), unchecked(found, known))


def places_of(found: FoundContract) -> list[Path]:
    """Where the script of a contract may lie: beside it, above it, and in `scripts` of either."""
    here = absolute(found.path).parent
    return [
        place / found.contract.entry_point for place in (here, here / "scripts", here.parent / "scripts", here.parent)
    ]


def script_of(found: FoundContract) -> Path | None:
    return next((path for path in places_of(found) if path.is_file()), None)


def where(found: FoundContract) -> str:
    """Where the script was looked for, for a message."""
    return listed(shown(path) for path in places_of(found))
