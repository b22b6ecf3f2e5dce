"""The fault of a standard stream that takes no more: a full disk, a terminal that hung up."""

from __future__ import annotations

from runner.errors import WorkspaceError

_NAMES = {1: "stdout", 2: "stderr"}


class Unwritable(WorkspaceError):
    """A standard stream cannot be written. Nothing goes to it any more, so the message must go elsewhere."""

    def __init__(self, descriptor: int, why: str) -> None:
        super().__init__(f"cannot write to {_NAMES[descriptor]}: {why}")
