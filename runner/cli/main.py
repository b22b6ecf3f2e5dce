"""The entry point. What can be answered without click, which takes longer to import than Python to start, is."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing `typing` or `collections` would cost more than the answer
if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETE_VARIABLE = "_RUN_PIPELINE_COMPLETE"
"""Set by the script that `run-pipeline completion` prints; its value says what the shell asks for."""


def entry(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own); returns the exit code of the table in `errors`."""
    from runner.cli.signals import listener

    listener.listen()
    _fill_closed()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _answer(arguments, own=argv is None)
    except (Exception, KeyboardInterrupt) as error:
        listener.hold()
        from runner.cli.failure import report_failure

        return report_failure(error, arguments, None)
    finally:
        listener.leave(for_good=argv is None)


def _fill_closed() -> None:
    """Give a standard stream that was closed (`>&-`) its descriptor back, else the next file to be opened has it.

    It can be read only: to write to it fails, as it should, and is told like any other stream that takes no more.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))


def _answer(arguments: list[str], *, own: bool) -> int:
    """`own`: they are this process's own arguments, so that all of it may be handed to the keeper."""
    if COMPLETE_VARIABLE not in os.environ:
        answered = _answer_at_once(arguments)
        if answered is None and own:
            from runner.cli.delegate import delegate

            answered = delegate(arguments)
        if answered is not None:
            return answered
    from runner.cli.signals import listener

    listener.hold()  # an import that is broken off could not be repeated to tell of it
    from runner.cli.program import program

    listener.release()
    return program.execute(arguments)


def _answer_at_once(arguments: Sequence[str]) -> int | None:
    """`--version`, `--help` and the bare name, without click; None when the arguments ask for something else."""
    from runner.cli.table import HELP_NAMES, VERSION_NAME, overview

    first = arguments[0] if arguments else ""
    if first == VERSION_NAME:
        from runner import __version__

        return _print(f"run-pipeline {__version__}\n", 0)
    if first in HELP_NAMES:
        return _print(overview(), 0)
    if not arguments:
        sys.stderr.write(overview())
        return 2
    return None


def _print(text: str, code: int) -> int:
    from runner.cli.output import say

    say(text, end="")
    return code


if __name__ == "__main__":
    sys.exit(entry())
