"""Why a step failed, in a sentence that names the cure: from its verdict, its log, its job, and what it was given.

1. A kind is claimed only on evidence. Where that is not enough it is `exit-code`, and the sentence repeats the
   exception's own words.
2. The exception that ended the script is read. One that it wraps is read in its place where the script wrapped it on
   purpose (`raise ... from`, or a `raise` in its handler) and the outer one says nothing by itself.
3. What costs something (schemas, lists of files) is asked for only where an exception calls for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.data.diagnoses import Diagnosis, Kind, Place
from runner.data.diagnosis import calls, columns, files, machine, values
from runner.data.diagnosis.model import Failure, Finding, place_of, shortened
from runner.data.raised import Frame, Raised, own_frame
from runner.data.tracebacks import dumped_frames, last_exception, lines_of
from runner.engine.base import Verdict

__all__ = ["Diagnosis", "Failure", "Kind", "Place", "diagnose"]

_TAIL = 64 << 10
"""Bytes of a log in which words without a traceback are looked for."""
_FOLLOWED = 10
"""So many exceptions of a chain are looked at."""


def diagnose(failure: Failure) -> Diagnosis:
    """The diagnosis of a step that did not pass. Raises what the functions in `failure` raise."""
    raised = last_exception(failure.log) if failure.exit_code != 0 else None
    finding = machine.killed(failure)
    if finding is not None:
        return _of_a_kill(failure, finding)
    return _without_exception(failure) if raised is None else _of_an_exception(failure, raised)


def _of_a_kill(failure: Failure, finding: Finding) -> Diagnosis:
    """The verdict says it; where the script was at that time, only faulthandler can tell."""
    frames = dumped_frames(failure.log)
    frame = own_frame(frames[::-1], failure.code_places)
    return _made(failure, finding, frame, (failure.reason,))


def _without_exception(failure: Failure) -> Diagnosis:
    text = "\n".join(lines_of(failure.log[-_TAIL:]))
    fatal = [line for line in text.splitlines() if line.startswith("Fatal Python error:")]
    last = next((line.strip() for line in fatal[-1:] or reversed(text.splitlines()) if line.strip()), "")
    finding = (
        calls.wrong_arguments(failure, text)
        or calls.no_module_to_run(failure, last)
        or files.cannot_start(failure, last)
        or _crashed(failure, text)
    )
    frames = dumped_frames(failure.log)
    evidence = tuple(filter(None, [shortened(last)]))
    if finding is None:
        reason = failure.reason or f"exit {failure.exit_code}"
        said = f"; the last line of its stderr is: {shortened(last)}" if last else ", and its stderr says nothing"
        finding = Finding(Kind.EXIT_CODE, reason if last and last in reason else f"{reason}{said}")
    return _made(failure, finding, own_frame(frames[::-1], failure.code_places), evidence)


def _crashed(failure: Failure, text: str) -> Finding | None:
    if "std::bad_alloc" in text:
        limit = failure.job.limits.memory
        return machine.no_memory(failure, Raised(type="MemoryError", message="std::bad_alloc")) if limit else None
    return None


def _of_an_exception(failure: Failure, raised: Raised) -> Diagnosis:
    first: Diagnosis | None = None
    for each in _told(raised):
        frame = _frame(failure, each)
        place = place_of(frame, failure.job) if frame is not None else None
        finding = _read(failure, each, place, frame.source if frame else "")
        if finding is not None:
            sentence = finding.sentence + _then(each, raised) + _logged(failure)
            told = Finding(finding.kind, sentence, finding.fix, finding.details)
            return _made(failure, told, frame or _frame(failure, raised), _evidence(each, raised, frame))
        if first is None:
            words = Finding(Kind.EXIT_CODE, shortened(each.line) + _logged(failure), "", _more(each))
            first = _made(failure, words, frame, _evidence(each, raised, frame))
    assert first is not None  # noqa: S101  the exception itself is told first
    return first


def _told(raised: Raised) -> Iterator[Raised]:
    """The exception, then those that it may stand for."""
    now: Raised | None = raised
    for _ in range(_FOLLOWED):
        if now is None:
            return
        yield now
        yield from now.members
        wraps = bool(now.frames) and now.frames[-1].source.startswith("raise")
        now = now.cause or (now.context if wraps else None)


def _read(failure: Failure, raised: Raised, place: Place | None, source: str) -> Finding | None:
    return (
        calls.not_importable(failure, raised)
        or calls.wrong_syntax(raised)
        or calls.no_variable(failure, raised, source)
        or columns.missing_column(failure, raised, place, source)
        or machine.no_memory(failure, raised)
        or files.no_space(failure, raised)
        or files.not_permitted(failure, raised)
        or machine.no_network(failure, raised, source)
        or calls.wrong_signature(raised)
        or values.wrong_bytes(failure, raised, source)
        or files.missing_file(failure, raised)
        or values.wrong_type(failure, raised, source)
    )


def _frame(failure: Failure, raised: Raised) -> Frame | None:
    """The innermost line of the user's, in the child process if it was raised there."""
    places = failure.code_places
    remote = own_frame(raised.remote.frames, places) if raised.remote is not None else None
    if raised.name in ("SyntaxError", "IndentationError", "TabError") and raised.frames:
        return raised.frames[-1]
    own = remote or own_frame(raised.frames, places)
    if own is None and raised.cause is not None:  # a library that wraps its own: the frames of the user's are there
        own = own_frame(raised.cause.frames, places)
    return own


def _then(told: Raised, raised: Raised) -> str:
    if told is raised or told.line == raised.line:
        return ""
    if told in raised.members:
        return f" (one of {len(raised.members)} exceptions of an {raised.name})"
    return f" (the script then raised {shortened(raised.line, 120)})"


def _logged(failure: Failure) -> str:
    """An exception that ends Python gives exit 1: with another status the script went on after it."""
    if failure.verdict is Verdict.TRANSFORM:
        return " (the last exception in its log)"
    return f" (logged before it exited {failure.exit_code})" if failure.exit_code not in (1, None) else ""


def _more(raised: Raised) -> tuple[str, ...]:
    """The rest of a message, and what a group holds."""
    rest = [shortened(line) for line in raised.message.splitlines()[1:6] if line.strip()]
    return (*rest, *(shortened(member.line) for member in raised.members))


def _evidence(told: Raised, raised: Raised, frame: Frame | None) -> tuple[str, ...]:
    lines = [shortened(told.line), shortened(raised.line) if raised is not told else "", frame.source if frame else ""]
    return tuple(dict.fromkeys(filter(None, lines)))


def _made(failure: Failure, finding: Finding, frame: Frame | None, evidence: tuple[str, ...]) -> Diagnosis:
    return Diagnosis(
        kind=finding.kind,
        sentence=finding.sentence,
        details=finding.details,
        fix=finding.fix,
        place=place_of(frame, failure.job) if frame is not None else None,
        evidence=tuple(filter(None, evidence)),
    )
