"""Standard output that survives a reader who leaves, and is never broken by a character."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` would be a quarter of what `--help` costs
if TYPE_CHECKING:
    from typing import IO, Any

    from runner.report.style import Style


def say(text: str, *, end: str = "\n") -> None:
    """Write a report to stdout. When the reader has left (`| head`), the rest goes nowhere and the command goes on.

    Raises Unwritable, once, when stdout takes no more (a full disk).
    """
    stream = stdout()
    stream.write(text + end)
    stream.flush()


def note(text: str) -> None:
    """Write a line for the person to stderr. When that cannot be written there is nowhere left to say so."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        mute(2)


def say_json(document: object) -> None:
    """Write the one JSON document that `--json` promises."""
    from runner.report.document import dump

    say(dump(document))


def say_bytes(data: bytes, descriptor: int = 1) -> None:
    """Write bytes unchanged to stdout, or to stderr (2). Raises Unwritable, as `say` does."""
    stream = sys.stdout if descriptor == 1 else sys.stderr
    binary = getattr(stream, "buffer", None)
    try:
        if binary is None:  # a text-only stand-in, as in a notebook
            stream.write(data.decode("utf-8", "backslashreplace"))
        else:
            stream.flush()
            binary.write(data)
            binary.flush()
    except OSError as error:
        _lost(descriptor, error)


class Patient:
    """A text stream that goes quiet, instead of raising, once its reader has left.

    A reader who leaves is no fault of the command: a run goes on, and its exit code stays the truth about its steps.
    Any other failure to write is a fault of the environment: it is raised once, as Unwritable.
    """

    def __init__(self, stream: IO[str], descriptor: int = 1) -> None:
        self._stream = stream
        self._descriptor = descriptor

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            _lost(self._descriptor, error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            _lost(self._descriptor, error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def stdout() -> IO[str]:
    """The process's stdout as a `Patient` stream that escapes what its encoding cannot hold."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # a file name of any bytes may be printed
    patient: Any = Patient(sys.stdout)
    stream: IO[str] = patient
    return stream


def _lost(descriptor: int, error: OSError) -> None:
    """Write no more to a stream that failed. Raises Unwritable, unless its reader left."""
    mute(descriptor)
    if not isinstance(error, BrokenPipeError):
        from runner.cli.unwritable import Unwritable

        raise Unwritable(descriptor, error.strerror or str(error)) from error


def mute(descriptor: int) -> None:
    """Point a descriptor at nothing, so that neither later writes nor the interpreter's last flush fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, descriptor)
    finally:
        os.close(null)


def wants_color(choice: str, stream: IO[str]) -> bool:
    """`--color` wins over NO_COLOR, NO_COLOR over FORCE_COLOR, and these over what the stream is."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def style_of_stdout(choice: str) -> Style:
    """What reports on stdout may look like, by `--color` and by what stdout is."""
    from runner.report.style import Style

    return Style.of(sys.stdout, color=wants_color(choice, sys.stdout))
