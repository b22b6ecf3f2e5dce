"""The program that runs inside the container, as text: see `agent.py`."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def agent_source() -> str:
    """The agent, to be given to the image's interpreter with `-c`: no file of ours has to be mounted."""
    return (Path(__file__).parent / "agent.py").read_text(encoding="utf-8")


@cache
def hook_source() -> str:
    """The start-up hook of a staged interpreter; the agent writes it inside the container and removes it."""
    return (Path(__file__).parent / "hook.py").read_text(encoding="utf-8")
