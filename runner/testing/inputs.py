"""Where each input's data comes from: the producer, the user, a sample, or made up from what the spec expects."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.spec.document import shown
from runner.spec.expects import Expects
from runner.spec.scalar import described
from runner.testing.faults import Fault
from runner.testing.specs import SpecFault
from runner.testing.subjects import Subject
from runner.testing.wiring import Wired


@dataclass
class Data:
    """By node and input."""

    folders: dict[tuple[str, str], Path] = field(default_factory=dict)
    """Data that was made for the test, in place of the spec's path."""
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    """Nodes that lack data, each with all that it lacks."""


def provide(
    subjects: Mapping[str, Subject],
    wired: Wired,
    folder: Path,
    sample: Mapping[str, Any] | None = None,
    fallback: Mapping[str, Any] | None = None,
) -> Data:
    """Decide for every input: its producer; the spec's own data; `sample`, the caller's columns; what the spec expects;
    `fallback`, columns that nobody asked for."""
    found = Data()
    for node, subject in subjects.items():
        sources: dict[str, str] = {}
        lacking: list[str] = []
        for port in subject.inputs.values():
            if port.name in wired.bound[node]:
                sources[port.name] = "producer"
            elif _is_there(port.host):
                sources[port.name] = "user"
            elif sample is not None:
                found.folders[node, port.name] = write_sample(folder / node / port.name, sample)
                sources[port.name] = "user"
            elif (expects := subject.expects.get(port.name)) is not None:
                try:
                    found.folders[node, port.name] = _made_up(expects, folder / node / port.name)
                    sources[port.name] = "synthetic"
                except UsageError as error:
                    lacking.append(f"'{port.name}' ({_where(port.host)}; cannot be made up: {error.message})")
            elif fallback is not None:
                found.folders[node, port.name] = write_sample(folder / node / port.name, fallback)
                sources[port.name] = "synthetic"
            else:
                lacking.append(f"'{port.name}' ({_where(port.host)})")
        found.sources[node] = sources
        if lacking:
            found.faults[node] = Fault(
                "missing-input",
                f"no data and no producer for {'input' if len(lacking) == 1 else 'inputs'} {', '.join(lacking)}",
                "Put the data there, name another path in 'input_paths', or say in 'expects' what it looks like.",
            )
    return found


def _is_there(host: str) -> bool:
    path = Path(host).expanduser() if host.strip() else None
    if path is None or not path.exists():
        return False
    return path.is_file() or any(each.is_file() for each in path.rglob("*"))


def _where(host: str) -> str:
    if not host.strip():
        return "no path is given"
    if "://" in host:
        return f"{host}: put a copy on this machine"
    path = Path(host).expanduser()
    return f"{shown(path)}: {'empty' if path.exists() else 'no such file or directory'}"


def _made_up(expects: Expects, folder: Path) -> Path:
    """Raises UsageError where `expects` does not say enough."""
    from runner.data.synthetic import generate

    folder.mkdir(parents=True, exist_ok=True)
    generate(expects, folder)
    return folder


def checked_sample(sample: Any) -> dict[str, list[Any]]:
    """Columns of values, all of one length. Raises SpecFault for anything else."""
    remedy = "Give columns: {'id': [1, 2], 'label': ['a', 'b']}."
    if not isinstance(sample, Mapping) or not sample:
        raise SpecFault(
            f"sample_data: expected a mapping from column to values, got {described(sample)}", remedy=remedy
        )
    columns: dict[str, list[Any]] = {}
    for name, values in sample.items():
        if not isinstance(values, list | tuple):
            raise SpecFault(f"sample_data.{name}: expected a list of values, got {described(values)}", remedy=remedy)
        columns[str(name)] = list(values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        raise SpecFault(f"sample_data: the columns differ in length: {told}", remedy=remedy)
    return columns


def write_sample(folder: Path, sample: Mapping[str, Any]) -> Path:
    """The sample, checked before, as `data.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(sample)
        writer.writerows(zip(*sample.values(), strict=True))
    return folder
