"""The program that runs inside the container, as text: see `agent.py`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PARTS = ("kernel", "data", "script", "agent")
"""In the order of their needs: each uses names of those before it."""
_BETWEEN_PARTS = re.compile(r"^from runner\.agent\.\w+ import (?:\([^)]*\)|.*)\n", re.MULTILINE)


@cache
def agent_source() -> str:
    """The agent as one text, to be given to the image's interpreter with `-c`: no file of ours has to be mounted."""
    return _joined(_PARTS)


@cache
def hook_source() -> str:
    """The start-up hook of a staged interpreter; the agent writes it inside the container and removes it."""
    return _read("hook")


@cache
def batch_source() -> str:
    """The client that a transform step's data is posted with, for `-c` as well."""
    return _joined(("records", "batch"))


def _joined(parts: tuple[str, ...]) -> str:
    return "".join(_BETWEEN_PARTS.sub("", _read(part)) for part in parts)


def _read(part: str) -> str:
    return (Path(__file__).parent / f"{part}.py").read_text(encoding="utf-8")
