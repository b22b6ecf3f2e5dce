"""What a person needs about a step that failed: why, the end of its output, where the rest is, what to type next.

The board, the lines, `show` and the JUnit file all use this one text.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from runner.data.diagnoses import Kind
from runner.data.files import printable
from runner.engine import trees
from runner.engine.base import Verdict
from runner.pipeline.events import StepResult, StepState
from runner.pipeline.layout import RunLayout
from runner.report.origin import source
from runner.report.style import PLAIN, Style, look, outcome
from runner.report.tail import LINES, Excerpt, excerpts
from runner.report.text import clean, count, listed, one_line, seconds, size, wrap

INDENT = "  "
_LABEL = 9
"""Columns of a label."""

_BY_VERDICT = {
    Verdict.OOM: "killed for memory",
    Verdict.TIMEOUT: "stopped after its time-out",
    Verdict.CANCELLED: "stopped with the run",
    Verdict.INVALID_INPUT: "an input is not what the step expects",
    Verdict.MISSING_OUTPUT: "an output is missing or empty",
    Verdict.INVALID_OUTPUT: "an output is not valid",
    Verdict.TRANSFORM: "the server did not do what a transform needs",
    Verdict.INFRASTRUCTURE: "the engine or the machine failed",
}


def words(result: StepResult) -> str:
    """Why a step ended as it did, in a few words on one line; empty for one that passed or has not ended."""
    if result.state not in (StepState.FAILED, StepState.BLOCKED, StepState.CANCELLED):
        return ""
    if result.state is StepState.BLOCKED and result.blocked_by:
        # Why they did not pass is told with them: it may be the machine's fault, or that they were stopped.
        return f"{listed(result.blocked_by, 3)} did not pass"
    if result.reason:
        return one_line(result.reason)
    if result.state is StepState.CANCELLED:
        return "the run was stopped first"
    if result.signal:
        return f"ended by {result.signal}"
    if result.verdict in _BY_VERDICT:
        return _BY_VERDICT[result.verdict]
    return f"exit {result.exit_code}" if result.exit_code is not None else "no reason was given"


def needs_words(result: StepResult) -> bool:
    """Whether a step is described in full: it failed, and not because the user stopped the run."""
    return result.state is StepState.FAILED and result.verdict is not Verdict.CANCELLED


def remarks(result: StepResult, told: Collection[str] = ()) -> list[str]:
    """The warnings of a step that is not described in full, as `notes` has them."""
    return [] if needs_words(result) else notes(result, told)


def notes(result: StepResult, told: Collection[str] = ()) -> list[str]:
    """The warnings of a step, one line each, each once, but for those that a notice told before (`told`; one that is
    about several steps has their names behind it)."""
    lines = dict.fromkeys(one_line(warning) for warning in result.warnings)
    return [line for line in lines if not any(_tells(notice, line) for notice in told)]


def _tells(notice: str, line: str) -> bool:
    return notice == line or notice.startswith(f"{line} (steps ")


def headline(result: StepResult, style: Style = PLAIN) -> str:
    """`✗ train failed after 1.2 s: exit 3`."""
    text = f"{result.step} {outcome(result)}"
    if result.state is StepState.FAILED and result.seconds:
        text += f" after {seconds(result.seconds)}"
    reason = words(result)
    return f"{style.mark(look(result))} {style.paint(text, 'bold')}" + (f": {reason}" if reason else "")


def describe(
    result: StepResult,
    run_dir: Path,
    style: Style = PLAIN,
    *,
    lines: int = LINES,
    head: bool = True,
    told: Collection[str] = (),
    columns: int = 0,
) -> str:
    """The whole text of a step that did not pass, many lines, no newline at its end; `head`: with its headline; `told`:
    the notices before it, which it does not repeat; `columns`: of a terminal, to break the diagnosis between words (0:
    it stays on one line).

    Reads at most 64 KiB of each stream below `run_dir`; a stream that cannot be read is said, not raised.
    """
    parts = [headline(result, style)] if head else []
    parts += [*_why(result, columns), *_message(result, told)]
    if result.state is StepState.FAILED:
        parts += _output(result, run_dir, style, lines)
        parts += [f"{INDENT}{label:<9} {value}" for label, value in _next(result, run_dir)]
    return "\n".join(parts)


def _why(result: StepResult, columns: int) -> list[str]:
    """The diagnosis: why, where, and what to do about it."""
    found = result.diagnosis
    if found is None:
        return []
    rows = [("why", one_line(found.sentence))] if says_more(result) else []
    rows += [("", clean(detail)) for detail in found.details]
    if found.place is not None:
        file = shown_path(Path(found.place.file)) if found.place.host else found.place.file
        rows.append(("at", one_line(f"{file}:{found.place.line}")))
    if found.fix:
        rows.append(("fix", one_line(found.fix)))
    return [line for label, value in rows for line in _row(label, value, columns)]


def _row(label: str, value: str, columns: int) -> list[str]:
    room = columns - len(INDENT) - _LABEL - 1
    first, *rest = (wrap(value, room) if room > _LABEL else value).split("\n")
    return [f"{INDENT}{label:<{_LABEL}} {first}".rstrip(), *(f"{INDENT}{'':<{_LABEL}} {line}" for line in rest)]


def says_more(result: StepResult) -> bool:
    """Whether there is a diagnosis whose sentence is more than the verdict's own words."""
    found = result.diagnosis
    if found is None or result.verdict in (Verdict.OOM, Verdict.TIMEOUT):
        return False
    return found.kind is not Kind.EXIT_CODE or bool(found.evidence)


def _message(result: StepResult, told: Collection[str]) -> list[str]:
    first, *rest = clean(result.exit_message or "").strip().splitlines() or [""]
    said = [f"{INDENT}{'message':<9} {first}", *(f"{INDENT}{'':<9} {line}" for line in rest)] if first else []
    cure = result.diagnosis.fix if result.diagnosis is not None and result.diagnosis.kind is Kind.IMPORT else ""
    untold = [note for note in notes(result, told) if not cure or not note.endswith(cure)]
    return said + [f"{INDENT}{'note':<9} {note}" for note in untold]


def _output(result: StepResult, run_dir: Path, style: Style, lines: int) -> list[str]:
    if not result.directory:
        return []
    layout = RunLayout(run_dir).step(result.step)
    if result.failed_host:  # what the other instances wrote is in the whole log
        layout = layout.host(result.failed_host)
    try:
        found = excerpts(layout.stdout, layout.stderr, lines)
    except FileNotFoundError:
        return ["", f"{INDENT}It never ran: there is no output.", ""]
    except OSError as error:
        return ["", f"{INDENT}Its output cannot be read: {error.strerror}: {error.filename}", ""]
    if not found:
        return ["", f"{INDENT}It wrote nothing to stdout or stderr.", ""]
    whose = f" of {result.failed_host}" if result.failed_host else ""
    return ["", *(line for excerpt in found for line in [*_block(excerpt, whose, style), ""])]


def _block(excerpt: Excerpt, whose: str, style: Style) -> list[str]:
    bar = style.paint(style.sign("│"), "dim")
    return [
        f"{INDENT}{style.paint(excerpt.title + whose, 'dim')}",
        *(f"{INDENT}{bar} {line}".rstrip() for line in excerpt.lines),
    ]


def _next(result: StepResult, run_dir: Path) -> list[tuple[str, str]]:
    layout = RunLayout(run_dir).step(result.step)
    rows = []
    if result.directory:
        rows.append(("files", shown_path(layout.root)))
        attempts = [layout.attempt, *(layout.host(host.host).attempt for host in result.hosts)]
        partial = [attempt for attempt in attempts if trees.holds_something(attempt)]
        if partial and result.verdict is not Verdict.INFRASTRUCTURE:
            place = partial[0] if len(partial) == 1 else layout.host("*").attempt
            rows.append(("partial", f"{shown_path(place)}  (outputs that were not published)"))
        rows.append(("logs", command("logs", run_dir, run_dir.name, result.step)))
    if result.verdict is Verdict.INFRASTRUCTURE:
        return [*rows, ("doctor", "run-pipeline doctor")]
    return [*rows, ("debug", command("debug", run_dir, result.step, "--run", run_dir.name))]


def command(name: str, run_dir: Path, *arguments: str) -> str:
    """A command to copy and paste; names the directory of runs when it is not `runs` here."""
    words = ["run-pipeline", name, *arguments]
    if run_dir.parent.resolve() != Path("runs").resolve():
        words += ["--runs-dir", shown_path(run_dir.parent)]
    return shlex.join(words)


def shown_path(path: Path) -> str:
    """Relative to the working directory when it lies below it, else absolute; on one line."""
    here = Path.cwd()
    absolute = path.absolute()
    return printable(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def published(result: StepResult) -> str:
    """`14 files, 1.2 MiB` over all outputs of a step; empty when it published none. Of a cached step also the run."""
    facts = result.outputs.values()
    files = sum(_number(fact.get("files")) for fact in facts)
    said = f"{count(files, 'file')}, {size(sum(_number(fact.get('bytes')) for fact in facts))}" if files else ""
    return ", ".join(filter(None, [source(result), said]))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
