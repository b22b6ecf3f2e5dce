"""Where each input's data comes from: the producer, the user, a sample, or made up from what the spec expects."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.spec.document import shown
from runner.spec.expects import Expects
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
    subjects: Mapping[str, Subject], wired: Wired, folder: Path, sample: Mapping[str, Any] | None = None
) -> Data:
    """Decide for every input. `sample` (columns of values) is given to those of a node without producers."""
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
                sources[port.name] = "sample"
            elif (expects := subject.expects.get(port.name)) is not None:
                try:
                    found.folders[node, port.name] = _made_up(expects, folder / node / port.name)
                    sources[port.name] = "synthetic"
                except UsageError as error:
                    lacking.append(f"'{port.name}' ({_where(port.host)}; cannot be made up: {error.message})")
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


def write_sample(folder: Path, sample: Mapping[str, Any]) -> Path:
    """The sample as `data.csv`, or, where it is no table of equally long columns, as `data.json`. Raises SpecFault."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {name: values for name, values in sample.items() if isinstance(values, list | tuple)}
    lengths = {len(values) for values in columns.values()}
    if len(columns) == len(sample) and len(lengths) == 1:
        with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        return folder
    try:
        (folder / "data.json").write_text(json.dumps(dict(sample)), encoding="utf-8")
    except TypeError as error:
        raise SpecFault(f"sample_data cannot be written: {error}", remedy="Give columns: name -> list.") from None
    return folder
