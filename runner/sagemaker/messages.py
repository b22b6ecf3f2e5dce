"""What a script says about its own end, in `/opt/ml/output/message` or `/opt/ml/output/failure`."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

MESSAGE_BYTES = 1024
"""ExitMessage and FailureReason hold 1 KB (SageMaker's API)."""
FAILURE_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class ExitMessage:
    text: str
    fault: str = ""
    """Where the file is not UTF-8: then the processing job fails whatever the script's exit status was. `text` shows
    what could be read, with U+FFFD for the rest."""

    @property
    def valid(self) -> bool:
        return not self.fault


def exit_message(raw: bytes) -> ExitMessage:
    """A processing job's ExitMessage from the bytes of its message file (more than 1024 of them, if there are more).

    Only the first 1024 bytes count; a character that the limit cuts in two is dropped, and is not an encoding fault.
    """
    head = raw[:MESSAGE_BYTES]
    cut = len(raw) > MESSAGE_BYTES
    try:
        return ExitMessage(codecs.getincrementaldecoder("utf-8")().decode(head, final=not cut))
    except UnicodeDecodeError as error:
        fault = f"byte {error.start + 1} (0x{head[error.start]:02x}) is not UTF-8"
        return ExitMessage(head.decode("utf-8", "replace"), fault)


def failure_reason(raw: bytes) -> ExitMessage:
    """A training job's FailureReason from the bytes of its failure file: never invalid, bad bytes become U+FFFD."""
    head = raw[: 4 * FAILURE_CHARACTERS]  # a character takes four bytes at most
    return ExitMessage(head.decode("utf-8", "replace")[:FAILURE_CHARACTERS])
