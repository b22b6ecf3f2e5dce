"""SageMaker's instance types as a table: `instances.json`, which also says where its figures come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.spec.names import listed, nearest


@dataclass(frozen=True, slots=True)
class InstanceType:
    name: str
    cpus: int
    memory: int
    """Bytes."""
    gpus: int
    neurons: int
    """Neuron devices: Inferentia or Trainium."""
    accelerator: str
    """What the GPUs or Neuron devices are, as `NVIDIA T4`; empty when there are none."""
    jobs: tuple[str, ...]
    """The step types for which SageMaker has it, as `training`."""


@cache
def table() -> Mapping[str, InstanceType]:
    """Every instance type by name."""
    text = Path(__file__).with_name("instances.json").read_text(encoding="utf-8")
    return {name: _type(name, row) for name, row in json.loads(text)["types"].items()}


def find(name: str | None) -> InstanceType | None:
    """None for no name. Raises KeyError for one that `fault` refuses."""
    return None if name is None else table()[name]


def fault(name: str, job: str) -> str:
    """What is wrong with an instance type for a step of type `job`; empty when nothing is."""
    found = table().get(name)
    if found is None:
        return f"'{name}' is no instance type that SageMaker has for {job} steps{_meant(name, job)}"
    return "" if job in found.jobs else _not_for(found, job)


def _not_for(found: InstanceType, job: str) -> str:
    takes = [
        other.name for other in table().values() if job in other.jobs and _family(other.name) == _family(found.name)
    ]
    instead = f"; of its family it has {listed(takes)}" if takes else ""
    return f"SageMaker has '{found.name}' for {' and '.join(found.jobs)}, not for {job}{instead}"


def _meant(name: str, job: str) -> str:
    """A hint that goes on after the message: a family's sizes, EC2's name of a type, or what is spelt like it."""
    full = f"ml.{name.lower().removeprefix('ml.')}"
    sizes = [other.name for other in table().values() if other.name.startswith(f"{full}.") and job in other.jobs]
    if sizes:
        return f"; of that family it has {listed(sizes)}"
    best = full if full in table() else nearest(name, table())
    if best is None:
        return ""
    other = table()[best]
    return f" (did you mean '{best}'?)" + ("" if job in other.jobs else f"; {_not_for(other, job)}")


def _family(name: str) -> str:
    """`p4` of `ml.p4d.24xlarge`: a letter and a generation."""
    return name.split(".")[1][:2]


def _type(name: str, row: Mapping[str, Any]) -> InstanceType:
    return InstanceType(
        name=name,
        cpus=row["cpus"],
        memory=int(row["memory_gib"] * (1 << 30)),
        gpus=row.get("gpus", 0),
        neurons=row.get("neurons", 0),
        accelerator=row.get("accelerator", ""),
        jobs=tuple(row["for"]),
    )
