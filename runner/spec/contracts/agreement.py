"""Where a contract and its script say different things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.spec.contracts.model import FoundContract
from runner.spec.document import shown
from runner.spec.names import did_you_mean
from runner.spec.scripts import EnvironmentRead, Option, PathUse, ScriptFacts, Value

_PLATFORM = ("AWS_", "SM_", "SAGEMAKER_", "PYTHON", "LC_", "OMP_")
_PLATFORM_NAMES = frozenset({"HOME", "HOSTNAME", "LANG", "PATH", "PWD", "TMPDIR", "TRAINING_JOB_NAME", "USER"})
_PLATFORM_PATHS = ("/opt/ml/config", "/opt/ml/input/config", "/opt/ml/code", "/opt/ml/processing/input/code")
_PLATFORM_FILES = ("/opt/ml/output/failure", "/opt/ml/output/message", "/opt/ml/checkpoints", "/opt/ml/failure")


_OURS = "the contract ({contract})"
_LACKS = f"which {_OURS} does not have"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One fact that contract and script tell differently. `message` is one sentence with both sides."""

    kind: str
    """`entry point`, `argument`, `environment`, `default` or `path`."""
    name: str
    message: str
    contract: str
    """`file:line` of the contract's side."""
    script: str
    """`file:line` of the script's side; the file alone for what it does not have."""

    def __str__(self) -> str:
        return self.message


def disagreements(contract: FoundContract, facts: ScriptFacts) -> tuple[Disagreement, ...]:
    """Every disagreement, in the order of the contract's fields. Where the script's text hides something, nothing is
    concluded from what is not found there: `unchecked` says what."""
    pair = _Pair(contract, facts)
    return (
        *pair.entry_point(),
        *pair.paths("expected_input_paths", "input"),
        *pair.paths("expected_output_paths", "output"),
        *pair.strange_paths(),
        *pair.arguments(),
        *pair.environment(),
    )


def unchecked(contract: FoundContract, facts: ScriptFacts) -> tuple[str, ...]:
    """What could not be compared, and which line of the script is the reason."""
    found = []
    for subject in ("arguments", "environment", "input", "output"):
        hidden = facts.unknown(subject)
        if hidden is not None:
            words = {"input": "names of inputs", "output": "names of outputs"}.get(subject, subject)
            found.append(f"{words} not compared in full: {hidden.reason} ({shown(facts.path)}:{hidden.line})")
    if not facts.paths and (contract.contract.expected_input_paths or contract.contract.expected_output_paths):
        found.append(f"paths not compared: {shown(facts.path)} names none below /opt/ml")
    return tuple(found)


class _Pair:
    def __init__(self, found: FoundContract, facts: ScriptFacts) -> None:
        self.found = found
        self.contract = found.contract
        self.facts = facts

    def _says(self, kind: str, name: str, message: str, place: tuple[str, ...], line: int | None) -> Disagreement:
        """`{contract}` and `{script}` in the message become the places."""
        ours = f"{shown(self.found.path)}:{self.found.line(*place)}"
        theirs = shown(self.facts.path) + (f":{line}" if line is not None else "")
        text = message.replace("{contract}", ours).replace("{script}", theirs)
        return Disagreement(kind, name, text, ours, theirs)

    def entry_point(self) -> Iterator[Disagreement]:
        expected, actual = self.contract.entry_point, self.facts.path.name
        if Path(expected).name != actual:
            message = f"{_OURS} is of '{expected}', the script is '{actual}' ({{script}})"
            yield self._says("entry point", expected, message, ("entry_point",), None)

    def paths(self, field: str, kind: str) -> Iterator[Disagreement]:
        promised: dict[str, str] = getattr(self.contract, field)
        ports = [port for port in self.facts.ports if port.kind == kind]
        names = dict.fromkeys(port.name for port in ports)
        for name, path in promised.items():
            if self.facts.paths and not any(_touches(use, path) for use in self.facts.paths):
                message = f"{_OURS} gives {kind} '{name}' at {path}, which the script ({{script}}) never names"
                hint = did_you_mean(path, [use.path for use in self.facts.paths])
                yield self._says("path", name, message + hint, (field, name), None)
            if names and name not in names and self.facts.unknown(kind) is None:
                message = f"{_OURS} has {kind} '{name}', which main in {{script}} never looks up"
                yield self._says("path", name, message + did_you_mean(name, names), (field, name), None)
        for port in {port.name: port for port in reversed(ports)}.values():
            if port.name not in promised:
                message = f"main looks up {kind} '{port.name}' ({{script}}), {_LACKS}"
                yield self._says("path", port.name, message + did_you_mean(port.name, promised), (field,), port.line)

    def strange_paths(self) -> Iterator[Disagreement]:
        promised = [*self.contract.expected_input_paths.values(), *self.contract.expected_output_paths.values()]
        for use in {use.path: use for use in reversed(self.facts.paths)}.values():
            if not _platform_path(use.path) and not any(_related(use.path, path) for path in promised):
                message = f"the script names {use.path} ({{script}}), which is no path of {_OURS}"
                hint = did_you_mean(use.path, promised)
                yield self._says("path", use.path, message + hint, (), use.line)

    def arguments(self) -> Iterator[Disagreement]:
        by_name = {flag.lstrip("-"): option for option in self.facts.options for flag in option.flags}
        hidden = self.facts.unknown("arguments")
        for name, default in self.contract.expected_arguments.items():
            option = by_name.get(name)
            place = ("expected_arguments", name)
            if option is not None:
                yield from self._argument(name, default, option)
            elif hidden is None:
                message = f"{_OURS} gives argument '{name}', which the script ({{script}}) does not take"
                yield self._says("argument", name, message + did_you_mean(name, by_name), place, None)
        for option in self.facts.options:
            if option.command is None and option.action not in ("help", "version") and not self._promises(option):
                needs = "needs" if option.required else "takes"
                message = f"the script {needs} {option.flags[-1]} ({{script}}), {_LACKS}"
                known = self.contract.expected_arguments
                hint = did_you_mean(option.dest, known)
                yield self._says("argument", option.dest, message + hint, ("expected_arguments",), option.line)

    def _promises(self, option: Option) -> bool:
        return any(flag.lstrip("-") in self.contract.expected_arguments for flag in option.flags)

    def _argument(self, name: str, default: str | None, option: Option) -> Iterator[Disagreement]:
        place = ("expected_arguments", name)
        if default is None:
            return
        ours = f"{_OURS} gives argument '{name}' the default '{default}'"
        if option.choices is not None and default not in [str(choice) for choice in option.choices]:
            choices = ", ".join(f"'{choice}'" for choice in option.choices)
            message = f"{ours}, the script ({{script}}) takes only {choices}"
            yield self._says("default", name, message, place, option.line)
        elif option.type in ("int", "float") and _number(default, option.type) is None:
            message = f"{ours}, which the script ({{script}}) cannot read as {option.type}"
            yield self._says("default", name, message, place, option.line)
        elif option.default is not None and _differs(default, option.default):
            message = f"{ours}, the script ({{script}}) has {option.default.text}"
            yield self._says("default", name, message, place, option.line)

    def environment(self) -> Iterator[Disagreement]:
        reads = _by_name(self.facts.environment)
        hidden = self.facts.unknown("environment")
        required, optional = self.contract.required_env_vars, self.contract.optional_env_vars
        for field, names in (("required_env_vars", required), ("optional_env_vars", optional)):
            for name in names:
                place = (field, name)
                if name in reads:
                    yield from self._variable(name, reads[name], place)
                elif hidden is None:
                    message = f"{_OURS} has environment variable {name}, which the script ({{script}}) never reads"
                    yield self._says("environment", name, message + did_you_mean(name, reads), place, None)
        promised = [*required, *optional]
        for name, read in reads.items():
            if name not in promised and not _platform_variable(name):
                needs = "needs" if read.required else "reads"
                message = f"the script {needs} environment variable {name} ({{script}}), {_LACKS}"
                field = "required_env_vars" if read.required else "optional_env_vars"
                yield self._says("environment", name, message + did_you_mean(name, promised), (field,), read.line)

    def _variable(self, name: str, read: EnvironmentRead, place: tuple[str, ...]) -> Iterator[Disagreement]:
        if place[0] == "required_env_vars":
            if not read.required and read.default is not None:
                message = (
                    f"{_OURS} requires {name}, the script ({{script}}) goes on without it, with {read.default.text}"
                )
                yield self._says("environment", name, message, place, read.line)
            return
        default = self.contract.optional_env_vars[name]
        if read.required:
            message = f"{_OURS} calls {name} optional, the script ({{script}}) fails without it"
            yield self._says("environment", name, message, place, read.line)
        elif default is not None and read.default is not None and _differs(default, read.default):
            message = f"{_OURS} gives {name} the default '{default}', the script ({{script}}) has {read.default.text}"
            yield self._says("default", name, message, place, read.line)


def _by_name(reads: Iterable[EnvironmentRead]) -> dict[str, EnvironmentRead]:
    """Of several reads the one that says most: that which fails, else that of os.environ with a default."""
    found: dict[str, EnvironmentRead] = {}
    for read in reads:
        best = found.get(read.name)
        if best is None or _weight(read) > _weight(best):
            found[read.name] = read
    return found


def _weight(read: EnvironmentRead) -> tuple[bool, bool, bool]:
    return read.through == "os.environ", read.required, read.default is not None


def _touches(use: PathUse, path: str) -> bool:
    """Whether a use in the script is of `path`: the path itself, something in it, or a computed name above it."""
    return use.path == path or use.path.startswith(f"{path}/") or (not use.complete and _related(use.path, path))


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _platform_path(path: str) -> bool:
    return path in _PLATFORM_FILES or any(path == each or path.startswith(f"{each}/") for each in _PLATFORM_PATHS)


def _platform_variable(name: str) -> bool:
    return name in _PLATFORM_NAMES or name.startswith(_PLATFORM)


def _differs(ours: str, theirs: Value) -> bool:
    """Whether two defaults mean different things. A number in the script is compared as a number."""
    if not theirs.known or theirs.value is None:
        return False
    if isinstance(theirs.value, int | float) and not isinstance(theirs.value, bool):
        number = _number(ours, "float")
        return number is None or number != float(theirs.value)
    if isinstance(theirs.value, bool):
        return ours.lower() != str(theirs.value).lower()
    return isinstance(theirs.value, str) and ours != theirs.value


def _number(text: str, kind: str) -> float | None:
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        return None
