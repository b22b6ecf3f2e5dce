"""The end of a run: a row per step, the counts, where everything lies, and one line with the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from runner.pipeline.events import RunFinished, StepResult, StepState
from runner.report.failure import needs_words, published, shown_path, words
from runner.report.style import PLAIN, Style, look, outcome
from runner.report.text import count, pad, seconds, width

_OUTCOMES = ("passed", "cached", "failed", "error", "stopped", "blocked", "cancelled")
STOPPING = "stopping; Ctrl-C again kills at once"
_STATUS = {
    "passed": ("passed", StepState.PASSED),
    "failed": ("failed", StepState.FAILED),
    "environment": ("the environment failed", StepState.FAILED),
    "interrupted": ("interrupted", StepState.CANCELLED),
    "superseded": ("superseded by a change", StepState.CANCELLED),
    "error": ("internal error", StepState.FAILED),
}


def rows(results: Sequence[StepResult], style: Style = PLAIN) -> list[str]:
    """One aligned line per step, in the order given: mark, name, outcome, time, words."""
    names = max((width(result.step) for result in results), default=0)
    return [row(result, names, style) for result in results]


def row(result: StepResult, names: int, style: Style = PLAIN) -> str:
    """One line of `rows`; `names` is the width of the names' column."""
    time = seconds(result.seconds) if result.started_at or result.seconds else ""
    outcome_ = f"{outcome(result):<9}"
    said = words(result) or published(result)
    faint = result.state is StepState.PASSED
    line = f"{style.mark(look(result))} {pad(result.step, names)}  "
    line += f"{style.paint(outcome_, style.colour(look(result)))} {style.paint(f'{time:>8}', 'dim')}"
    return line + (f"  {style.paint(said, 'dim') if faint else said}" if said else "")


def counts(results: Sequence[StepResult]) -> str:
    """`5 passed, 1 failed, 1 blocked`; outcomes that did not occur are left out."""
    found = Counter(outcome(result) for result in results)
    return ", ".join(f"{found[name]} {name}" for name in _OUTCOMES if found[name])


def verdict_line(finished: RunFinished, style: Style = PLAIN) -> str:
    """`✗ failed in 12.3 s: 5 passed, 1 failed, 1 blocked`: the last line of a run."""
    word, state = _STATUS.get(finished.status, (finished.status, StepState.FAILED))
    said = counts(finished.results) or "no step ran"
    if finished.status == "passed":
        cached = sum(result.cached is not None for result in finished.results)
        said = count(len(finished.results), "step") + (f", {cached} cached" if cached else "")
    return f"{style.mark(state)} {style.paint(word, 'bold')} in {seconds(finished.seconds)}: {said}"


def summary(finished: RunFinished, run_dir: Path | None, style: Style = PLAIN, *, table: bool = True) -> str:
    """The text at the end of a run, no newline at its end. Without `table` only failed steps have a row."""
    shown = [result for result in finished.results if table or needs_words(result)]
    parts = rows(shown, style)
    if parts:
        parts.append("")
    if run_dir is not None:
        parts.append(f"  run in {shown_path(run_dir)}")
    return "\n".join([*parts, verdict_line(finished, style)])
