"""The inputs and outputs of a script under test: which names it knows them by, and where they lie in its container."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.spec import fold
from runner.spec.contracts import FoundContract
from runner.spec.document import shown
from runner.spec.fields import StepType
from runner.spec.matching import DEFAULT_THRESHOLD, likeness
from runner.spec.mounts import INPUT_ROOT, MODEL, OUTPUT_ROOT
from runner.spec.names import did_you_mean, listed
from runner.spec.scripts import ScriptFacts
from runner.testing.faults import Fault
from runner.testing.specs import ScriptExecutionSpec

_CHANNELS = "/opt/ml/input/data"
_TRAINING_OUTPUTS = {MODEL: "model", "/opt/ml/output": "output", "/opt/ml/output/data": "output"}


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output."""

    name: str
    """The spec's logical name."""
    key: str
    """Its name in the pipeline: in a training step the channel, or `model` or `output`."""
    host: str
    """The spec's host path; may be empty."""
    path: str
    """Directory in the container."""
    told: str
    """What `main` is told: the directory, or the file in it where the host path is one."""
    also: tuple[str, ...] = ()
    """Other names under which the script, or its contract, looks it up."""
    fixed: bool = False
    """Whether `path` is the default that no pipeline needs to name."""
    is_file: bool = False
    """Whether the script, or its contract, means one file there: settings, not what another step wrote."""


def ports(
    spec: ScriptExecutionSpec, kind: StepType, read: ScriptFacts | None, found: FoundContract | None
) -> tuple[dict[str, Port], dict[str, Port], list[str], Fault | None]:
    """Inputs and outputs by the spec's name, what a person should know of the choice, and what cannot be."""
    notes: list[str] = []
    fault: Fault | None = None
    made: list[dict[str, Port]] = []
    for side, given in (("input", spec.input_paths), ("output", spec.output_paths)):
        promised = getattr(found.contract, f"expected_{side}_paths") if found else {}
        own = getattr(spec, f"container_{side}_paths")
        asked = [each.name for each in read.ports if each.kind == side] if read else []
        names = {name: _meant(name, given, promised, asked, notes, side) for name in given}
        single = _only_path(read, side) if len(given) == 1 else None
        every: dict[str, Port] = {}
        for name, host in given.items():
            path = own.get(name) or next((promised[each] for each in names[name] if each in promised), None)
            if path is None and single is not None:
                path = single
                folder = _split(single)[0]
                if posixpath.basename(folder) != name:
                    notes.append(f"{side} '{name}' lies at {folder}: the only {side} path that the script names")
            try:
                every[name] = _port(side, kind, name, host, path, names[name])
            except fold.Misfit as error:
                where = f"{shown(found.path)}: " if found else ""
                fault = fault or Fault("contract", f"{where}{side} '{name}': {error}", _remedy(side, kind))
        fault = fault or _lookup_fault(read, side, every)
        made.append(every)
    return made[0], made[1], notes, fault


def _remedy(side: str, kind: StepType) -> str:
    if kind is StepType.TRAINING:
        root = f"{_CHANNELS}/<channel>" if side == "input" else f"{MODEL} or /opt/ml/output/data"
    else:
        root = f"{INPUT_ROOT if side == 'input' else OUTPUT_ROOT}/..."
    return f"Name a directory as SageMaker mounts it ({root}), in the contract or in 'container_{side}_paths'."


def _port(side: str, kind: StepType, name: str, host: str, path: str | None, also: tuple[str, ...]) -> Port:
    """Raises Misfit for a path that SageMaker mounts nowhere."""
    directory, file = _split(path) if path else ("", "")
    is_file = bool(file)
    if kind is StepType.TRAINING:
        key, directory = _training_port(side, name, directory)
    else:
        key = name
        default = f"{INPUT_ROOT if side == 'input' else OUTPUT_ROOT}/{name}"
        directory = fold.container_path(directory) if directory else default
    local = Path(host).expanduser() if host.strip() else None
    if side == "input" and local is not None and local.is_file():
        file = local.name
    told = f"{directory}/{file}" if file else directory
    return Port(name, key, host, directory, told, also, fixed=kind is StepType.TRAINING, is_file=is_file)


def _split(path: str) -> tuple[str, str]:
    """Directory and file: SageMaker mounts directories only."""
    head, tail = posixpath.split(path.rstrip("/"))
    return (head, tail) if "." in tail else (path.rstrip("/"), "")


def _training_port(side: str, name: str, directory: str) -> tuple[str, str]:
    if side == "output":
        key = _TRAINING_OUTPUTS.get(directory or MODEL)
        if key is None:
            raise fold.Misfit(f"a training step writes to {listed(_TRAINING_OUTPUTS)} alone, got '{directory}'")
        return key, MODEL if key == "model" else "/opt/ml/output/data"
    if not directory:
        return name, f"{_CHANNELS}/{name}"
    if not directory.startswith(f"{_CHANNELS}/"):
        raise fold.Misfit(f"a training step reads its data from {_CHANNELS}/<channel>, got '{directory}'")
    channel = directory.removeprefix(f"{_CHANNELS}/").split("/")[0]
    return channel, f"{_CHANNELS}/{channel}"


def _meant(
    name: str, given: Iterable[str], promised: Mapping[str, str], asked: list[str], notes: list[str], side: str
) -> tuple[str, ...]:
    """The names of script and contract that a logical name of the spec stands for: its own; else the only one that is
    left over; else the likest one; else the only directory that is left over."""
    known = [*promised, *asked]
    if name in known:
        return (name,)
    mine = [each for each in given if each not in known]
    theirs = [each for each in dict.fromkeys(known) if each not in set(given)]
    if len(mine) == len(theirs) == 1:
        notes.append(f"{side} '{name}' of the spec is '{theirs[0]}' of the script: each has no other")
        return (theirs[0],)
    scored = sorted(((likeness(name, each).score, each) for each in theirs), reverse=True)
    if scored and scored[0][0] >= DEFAULT_THRESHOLD and (len(scored) == 1 or scored[1][0] < scored[0][0]):
        notes.append(f"{side} '{name}' of the spec is '{scored[0][1]}' of the script: alike ({scored[0][0]:.2f})")
        return (scored[0][1],)
    directories = [each for each in theirs if not _split(promised.get(each, ""))[1]]
    if len(mine) == len(directories) == 1:
        notes.append(f"{side} '{name}' of the spec is '{directories[0]}' of the script: its only directory")
        return (directories[0],)
    return ()


def _only_path(read: ScriptFacts | None, side: str) -> str | None:
    """The one directory of this side that the script's text names, where it starts itself."""
    if read is None or not read.has_main_block:
        return None
    root = INPUT_ROOT if side == "input" else OUTPUT_ROOT
    found = {each.path.rstrip("/") for each in read.paths if each.complete and each.path.startswith(f"{root}/")}
    return found.pop() if len(found) == 1 else None


def _lookup_fault(read: ScriptFacts | None, side: str, every: dict[str, Port]) -> Fault | None:
    """A name that `main` looks up and nobody gives it."""
    if read is None or read.has_main_block:
        return None
    known = {name for port in every.values() for name in (port.name, *port.also)}
    for each in read.ports:
        if each.kind == side and each.required and each.name not in known:
            message = f"{shown(read.path)}:{each.line}: main looks up {side}_paths['{each.name}']"
            message += f"{did_you_mean(each.name, known)}; the spec has: {listed(sorted(every))}"
            return Fault("missing-input" if side == "input" else "missing-output", message,
                         f"Add '{each.name}' to '{side}_paths'.")  # fmt: skip
    return None
