"""The work loads: the same scripts, data and image for every contender.

A script is called with the directory that it reads, the directory that it writes, and its node's name: without that,
the step cache would take equal nodes for one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.shell import INPUT, OUTPUT

TRIVIAL = """
import shutil
import sys
shutil.copyfile(sys.argv[1] + "/table.csv", sys.argv[2] + "/table.csv")
"""
PANDAS = """
import sys
import pandas as pd
table = pd.read_csv(sys.argv[1] + "/table.csv")
table["sum"] = table["a"] + table["b"]
table["mean"] = table["sum"].rolling(3, min_periods=1).mean().round(6)
table.to_csv(sys.argv[2] + "/table.csv", index=False)
"""
PRODUCE = """
import random
import sys
source = random.Random(7)
with open(sys.argv[2] + "/data.bin", "wb") as target:
    for _ in range({mebibytes}):
        target.write(source.randbytes(1 << 20))
"""
TRANSFORM = """
import sys
table = bytes(range(255, -1, -1))
with open(sys.argv[1] + "/data.bin", "rb") as source, open(sys.argv[2] + "/data.bin", "wb") as target:
    while block := source.read(1 << 20):
        target.write(block.translate(table))
"""
CONSUME = """
import hashlib
import sys
with open(sys.argv[1] + "/data.bin", "rb") as source, open(sys.argv[2] + "/digest", "w") as target:
    target.write(hashlib.file_digest(source, "sha256").hexdigest())
"""
ROWS = 1000


@dataclass(frozen=True)
class Node:
    """`source` is the node whose output it reads; empty: the raw data."""

    name: str
    script: str
    source: str = ""


@dataclass(frozen=True)
class Load:
    """`nodes` in an order in which they can run; `image` is a name of the catalogue."""

    name: str
    title: str
    image: str
    nodes: tuple[Node, ...]

    def levels(self) -> list[list[Node]]:
        """The nodes by how many others are before them."""
        depth: dict[str, int] = {}
        levels: list[list[Node]] = []
        for node in self.nodes:
            depth[node.name] = depth[node.source] + 1 if node.source else 0
            levels += [[] for _ in range(depth[node.name] + 1 - len(levels))]
            levels[depth[node.name]].append(node)
        return levels

    def ends(self) -> list[str]:
        """The nodes that nobody reads: what they wrote is the result."""
        read = {node.source for node in self.nodes}
        return [node.name for node in self.nodes if node.name not in read]

    def lay_out(self, root: Path) -> None:
        """`raw/` and `code/` in `root`, for every contender."""
        (root / "raw").mkdir()
        (root / "raw" / "table.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(ROWS)))
        (root / "code").mkdir()
        for name, text in {node.script: SCRIPTS[node.script] for node in self.nodes}.items():
            (root / "code" / name).write_text(text)

    def pipeline(self, root: Path) -> Path:
        """The runner's file of it, in `root`."""
        steps: dict[str, Any] = {}
        for node in self.nodes:
            source = {"from": f"{node.source}.out"} if node.source else "raw"
            step = {"script": f"code/{node.script}", "args": [INPUT, OUTPUT, node.name]}
            steps[node.name] = {**step, "inputs": {"data": source}, "outputs": ["out"]}
        path = root / "pipeline.json"
        path.write_text(json.dumps({"name": self.name, "image": self.image, "steps": steps}))
        return path


SCRIPTS = {
    "trivial.py": TRIVIAL,
    "frame.py": PANDAS,
    "produce.py": PRODUCE.format(mebibytes=200),
    "transform.py": TRANSFORM,
    "consume.py": CONSUME,
}


def _chain(scripts: Sequence[str], prefix: str = "s") -> tuple[Node, ...]:
    names = [f"{prefix}{number}" for number in range(len(scripts))]
    sources = ["", *names[:-1]]
    return tuple(Node(name, script, source) for name, script, source in zip(names, scripts, sources, strict=True))


def trivial(nodes: int = 5) -> Load:
    return Load("trivial", f"{nodes} trivial nodes", "python", _chain(["trivial.py"] * nodes))


def frames(nodes: int = 5) -> Load:
    return Load("pandas", f"{nodes} pandas nodes", "sklearn", _chain(["frame.py"] * nodes))


def big() -> Load:
    return Load("big", "3 nodes, 200 MB each", "python", _chain(["produce.py", "transform.py", "consume.py"]))


def fan_out(width: int = 50) -> Load:
    leaves = [Node(f"leaf{number}", "trivial.py", "root") for number in range(width)]
    return Load("fan-out", f"fan-out of {width}", "python", (Node("root", "trivial.py"), *leaves))


def many(length: int = 50, chains: int = 10) -> Load:
    """Chains side by side, level by level."""
    found = [_chain(["trivial.py"] * length, f"c{number}-") for number in range(chains)]
    nodes = tuple(node for level in zip(*found, strict=True) for node in level)
    return Load("many", f"{len(nodes)} trivial nodes", "python", nodes)
