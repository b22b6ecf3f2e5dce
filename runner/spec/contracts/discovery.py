"""Which contract belongs to a script or a step, found by the names of files and then by entry points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.errors import SpecError
from runner.spec.contracts.model import FoundContract, ScriptContract
from runner.spec.contracts.reading import PYTHON, YAML, read_contracts
from runner.spec.document import shown
from runner.spec.names import did_you_mean, listed
from runner.spec.naming import folded, readings, snake_case

METHODS = ("snake_case_file", "joined_file", "pascal_case_file", "step_yaml", "entry_point")
"""How a contract was found, in the order in which they win: `xgboost_training_contract.py`,
`xgboosttraining_contract.py`, `XGBoostTraining_contract.py`, `xgboost_training.step.yaml`, and a contract in a file of
another name whose entry point is the script."""


@dataclass(frozen=True)
class ContractDiscoveryResult:
    """What was found for a name. `error_message` says what is wrong also where a contract was found."""

    contract: ScriptContract | None = None
    contract_name: str | None = None
    """Of the variable, or of the file before `.step.yaml`."""
    contract_class: type[ScriptContract] | None = None
    discovery_method: str = "none"
    """One of `METHODS`, or `none`."""
    contract_found: bool = False
    entry_point_valid: bool = False
    """Whether the contract's entry point is the script."""
    error_message: str | None = None
    found: FoundContract | None = None
    """The contract with its file and lines."""
    alternatives: tuple[Path, ...] = ()
    """Other files that fit the name, and lost."""


class Contracts:
    """The contract files of some directories: each is listed once, and read once at most.

    Raises SpecError for a directory that is none.
    """

    def __init__(self, dirs: Sequence[Path]) -> None:
        self.dirs = tuple(dirs)
        self._by_name: dict[str, list[tuple[Path, str]]] = {}
        for path in self.files():
            base = path.name.removesuffix(PYTHON if path.name.endswith(PYTHON) else YAML)
            self._by_name.setdefault(folded(base), []).append((path, base))
        self._read: dict[Path, list[FoundContract] | SpecError] = {}

    def files(self) -> list[Path]:
        """Every contract file, in the order of the directories and then of the names."""
        return [path for directory in self.dirs for path in _contract_files(directory)]

    def read(self, path: Path) -> list[FoundContract]:
        """As `read_contracts`."""
        if path not in self._read:
            try:
                self._read[path] = read_contracts(path)
            except SpecError as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, SpecError):
            raise found
        return found

    def find(self, name: str, script: Path | None = None) -> ContractDiscoveryResult:
        """As `discover`."""
        meanings = [meaning for meaning, _ in readings(name.removesuffix(".py"))]
        for meaning in meanings:
            files = self._named(meaning)
            if files:
                return self._by_file(meaning, files, script)
        for meaning in meanings:
            entry_point = script.name if script else f"{snake_case(meaning)}.py"
            meant = self._by_entry_point.get(entry_point, [])
            if len(meant) == 1:
                return _result(meant[0], "entry_point", entry_point, ())
            if meant:
                several = ", ".join(f"{each.name} in {shown(each.path)}" for each in meant)
                message = f"several contracts have the entry point '{entry_point}': {several}"
                return ContractDiscoveryResult(error_message=message)
        return ContractDiscoveryResult(error_message=self._missing(meanings[0]))

    def _by_file(self, meaning: str, files: list[tuple[str, Path]], script: Path | None) -> ContractDiscoveryResult:
        method, path = files[0]
        others = tuple(other for _, other in files[1:])
        try:
            found = _one_of(self.read(path), meaning, path)
        except SpecError as error:
            return ContractDiscoveryResult(discovery_method=method, error_message=error.message, alternatives=others)
        return _result(found, method, script.name if script else f"{snake_case(meaning)}.py", others)

    def _named(self, canonical: str) -> list[tuple[str, Path]]:
        """The files whose names fit, the best first."""
        snake = snake_case(canonical)
        found: list[tuple[str, Path]] = []
        for path, base in self._by_name.get(folded(canonical), []):
            if path.name.endswith(YAML):
                found.append(("step_yaml", path))
            elif base == snake:
                found.append(("snake_case_file", path))
            elif base == folded(snake):
                found.append(("joined_file", path))
            elif base == canonical or snake_case(base) == snake:
                found.append(("pascal_case_file", path))
        place = {path: index for index, path in enumerate(self.dirs)}
        return sorted(found, key=lambda each: (place[each[1].parent], METHODS.index(each[0])))

    @cached_property
    def _by_entry_point(self) -> dict[str, list[FoundContract]]:
        found: dict[str, list[FoundContract]] = {}
        for path in self.files():
            try:
                contracts = self.read(path)
            except SpecError:
                continue  # it may be about any script: who asks for it by its name is told
            for each in contracts:
                found.setdefault(Path(each.contract.entry_point).name, []).append(each)
        return found

    def _missing(self, canonical: str) -> str:
        snake = snake_case(canonical)
        tried = [f"{snake}{PYTHON}", f"{folded(snake)}{PYTHON}", f"{canonical}{PYTHON}", f"{snake}{YAML}"]
        known = [base for files in self._by_name.values() for _, base in files]
        hint = did_you_mean(canonical, known) or did_you_mean(snake, known)
        where = listed([shown(each) for each in self.dirs])
        return f"no contract for '{canonical}'{hint}: looked for {listed(dict.fromkeys(tried))} in {where}"


def discover(name: str, dirs: Sequence[Path], script: Path | None = None) -> ContractDiscoveryResult:
    """The contract of a script (`xgboost_training`) or a step (`XGBoostTraining`, with or without a job type).

    Files are found by name in the order of `dirs`, see `METHODS`. The entry point is checked against `script`, or
    where that is not given against the name. A contract that cannot be read is not found, and `error_message` says
    why. Nothing is imported. Raises SpecError for a directory of `dirs` that is none.
    """
    return Contracts(dirs).find(name, script)


def _contract_files(directory: Path) -> list[Path]:
    from runner.errors import Problem

    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        message = f"cannot be searched for contracts: {error.strerror}"
        raise SpecError([Problem(shown(directory), 0, 0, "", message)]) from None
    return [path for path in entries if path.name.endswith((PYTHON, YAML)) and path.is_file()]


def _one_of(contracts: Iterable[FoundContract], canonical: str, path: Path) -> FoundContract:
    """The one of a module's contracts that is meant. Raises SpecError when that is not clear."""
    from runner.errors import Problem

    every = list(contracts)
    if len(every) == 1:
        return every[0]
    meant = [each for each in every if folded(Path(each.contract.entry_point).stem) == folded(canonical)]
    meant = meant or [each for each in every if folded(each.name).removesuffix("contract") == folded(canonical)]
    if len(meant) != 1:
        names = listed(each.name for each in every)
        message = f"holds several contracts ({names}), and not one of them alone is about '{canonical}'"
        raise SpecError([Problem(shown(path), 0, 0, "", message)])
    return meant[0]


def _result(found: FoundContract, method: str, script: str, alternatives: tuple[Path, ...]) -> ContractDiscoveryResult:
    entry_point = found.contract.entry_point
    valid = Path(entry_point).name == script
    message = f"is the contract of '{entry_point}', not of '{script}'"
    return ContractDiscoveryResult(
        contract=found.contract,
        contract_name=found.name,
        contract_class=type(found.contract),
        discovery_method=method,
        contract_found=True,
        entry_point_valid=valid,
        error_message=None if valid else str(found.problem(("entry_point",), message)),
        found=found,
        alternatives=alternatives,
    )
