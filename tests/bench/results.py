"""What was measured, kept as files: `results.json` with every single measurement, and `table.md`, made from it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.bench import NotAvailableError
from bench.contenders import DOCKER, HOST, MODES
from bench.figures import Figure, Spread
from bench.local_mode import LOCAL
from bench.race import Race

PLACE = Path(__file__).with_name("results")
SCHEMA = 2
AGAINST = (DOCKER, HOST, LOCAL)


@dataclass
class Results:
    """`machine`: words about it, by what they are about. `failures`: what could not be measured, though it should."""

    quick: bool
    machine: dict[str, str]
    races: dict[str, Race] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "quick": self.quick,
            "machine": self.machine,
            "races": [race.to_json() for race in self.races.values()],
            "figures": [figure.to_json() for figure in self.figures],
            "failures": self.failures,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        if document.get("schema") != SCHEMA:
            raise ValueError(f"results of schema {document.get('schema')!r}; this benchmark reads {SCHEMA}")
        races = {each["name"]: Race(**each) for each in document["races"]}
        figures = [Figure.from_json(each) for each in document["figures"]]
        return cls(document["quick"], document["machine"], races, figures, document["failures"])

    @classmethod
    def load(cls, place: Path = PLACE) -> Self:
        return cls.from_json(json.loads((place / "results.json").read_text()))

    def summary(self) -> str:
        met, missed = (sum(figure.met is wanted for figure in self.figures) for wanted in (True, False))
        parts = [f"{met} met", f"{missed} not met"]
        if without := sum(bool(figure.missing) for figure in self.figures):
            parts.append(f"{without} not available")
        if self.failures:
            parts.append(f"{len(self.failures)} could not be measured")
        return ", ".join(parts)


def machine() -> dict[str, str]:
    """What the figures depend on; the load is that of the last minute, before anything was measured."""
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
    )
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux") if Path("/etc/os-release").exists() else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": system or platform.system(),
        "docker": asked.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def described(machine: Mapping[str, str]) -> str:
    return (
        f"{machine['cores']} cores, {machine['memory']}, {machine['system']}, Docker {machine['docker']}, "
        f"Python {machine['python']}, load {machine['load']} at the start"
    )


def race_rows(race: Race) -> list[list[str]]:
    """A heading and a row for each contender: seconds, and how many times as long as the plain ways."""
    rows = [[race.title, "seconds", *(f"/ {name}" for name in AGAINST)]]
    for name in race.names():
        found = race.seconds(name)
        seconds = f"{found.median:.2f} ({found.least:.2f} to {found.most:.2f})"
        rows.append([name, seconds, *(_against(race, name, other) for other in AGAINST)])
    rows += [[name, f"could not be measured: {reason}", "", "", ""] for name, reason in race.missing.items()]
    return rows


def _against(race: Race, name: str, other: str) -> str:
    try:
        found: Spread = race.ratio(name, other)
    except NotAvailableError:
        return "-"
    return "1" if name == other else found.ratio()


def markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(line.replace("|  |", "| |") for line in lines)


def promise_rows(figures: Sequence[Figure]) -> list[list[str]]:
    rows = [["promise", "goal", "measured", ""]]
    for figure in figures:
        verdict = figure.verdict if figure.met else f"**{figure.verdict.lower()}**" if figure.verdict else ""
        rows.append([figure.promise, figure.goal.replace("<=", "at most"), figure.measured, verdict])
    return rows


def document(results: Results) -> str:
    """`table.md`: every race and every promise."""
    parts = ["# What `make bench` measured", "", f"On {described(results.machine)}."]
    if results.quick:
        parts.append("Rough: few rounds (`--quick`).")
    parts += [
        "Each ratio is taken within a round, in which all contenders ran one after the other; shown are the median",
        "and, in brackets, the smallest and the largest of the rounds.",
        f"Modes of run-pipeline: {MODES}.",
        "",
        "## Promises",
        "",
        markdown(promise_rows(results.figures)),
    ]
    for race in results.races.values():
        parts += ["", f"## {race.title}", "", markdown(race_rows(race))]
    if results.failures:
        parts += ["", "## Could not be measured", "", *(f"- {failure}" for failure in results.failures)]
    return "\n".join([*parts, ""])
