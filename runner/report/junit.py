"""A JUnit XML file for CI: a suite per pipeline, a case per step.

`failure`: the script or its outputs are at fault. `error`: the environment is, or the step never got to its end.
`skipped`: it was blocked or cancelled. A run that could not begin has one case, an `error` with the reason. The dialect
is the one that Jenkins, GitLab and pytest agree on.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from runner.data.files import write_atomic
from runner.engine.base import Verdict
from runner.errors import RunnerError, WorkspaceError
from runner.pipeline.events import Event, RunFinished, RunStarted, StepFinished, StepResult, StepStarted, StepState
from runner.pipeline.layout import RunLayout
from runner.report.failure import describe, says_more, words
from runner.report.style import outcome
from runner.report.tail import Excerpt, read_tail
from runner.report.text import clean, one_line

# Everything outside the `Char` production of XML 1.0: https://www.w3.org/TR/xml/#charsets
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitFile:
    """A reporter that writes `path` when it is closed, whatever came before: an interrupted run has its file too.

    Raises WorkspaceError, at once when the directory cannot be made and from `close` when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._started: RunStarted | None = None
        self._finished: RunFinished | None = None
        self._running: dict[str, str] = {}
        self._results: dict[str, StepResult] = {}
        self._written = False
        try:
            path.absolute().parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from error

    def handle(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._started = event
        elif isinstance(event, StepStarted):
            self._running[event.step] = event.at
        elif isinstance(event, StepFinished):
            self._results[event.result.step] = event.result
        elif isinstance(event, RunFinished):
            self._finished = event
            self._results |= {result.step: result for result in event.results}

    def close(self) -> None:
        """Write the file, once; nothing when no run started."""
        if self._started is None or self._written:
            return
        results = [self._results.get(step) or self._unfinished(step) for step in self._started.steps]
        seconds = self._finished.seconds if self._finished else sum(result.seconds for result in results)
        text = document(self._started, results, seconds)
        try:
            write_file(self.path, text)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._written = True

    def fail(self, error: BaseException, name: str) -> None:
        """Write a file whose one case, called `name`, says why no run began; nothing when a run wrote its own."""
        if self._started is not None or self._written:
            return
        try:
            write_file(self.path, error_document(error, name))
        except OSError as fault:
            raise _unwritable(self.path, fault) from fault
        self._written = True

    def _unfinished(self, step: str) -> StepResult:
        if step in self._running:
            return StepResult(
                step=step, state=StepState.FAILED, verdict=Verdict.INFRASTRUCTURE,
                reason="the run ended before the step did", started_at=self._running[step],
            )  # fmt: skip
        return StepResult(step=step, state=StepState.CANCELLED, verdict=None, reason="the run ended first")


def kind(result: StepResult) -> str:
    """`passed`, `failure`, `error` or `skipped`."""
    # A step that was stopped has no verdict: as `skipped` it would leave an interrupted run all green.
    named = {"passed": "passed", "cached": "passed", "failed": "failure", "error": "error", "stopped": "error"}
    return named.get(outcome(result), "skipped")


def document(started: RunStarted, results: list[StepResult], seconds: float) -> bytes:
    """The XML in UTF-8. Reads the end of each step's streams below the run directory."""
    facts = {"run": started.run_id, "run_dir": str(started.run_dir), "file": str(started.file)}
    cases = [_case(started, result) for result in results]
    kinds = [kind(result) for result in results]
    return _xml(_totals(started.pipeline, kinds, seconds), cases, started.at.removesuffix("Z"), facts)


def error_document(error: BaseException, name: str) -> bytes:
    """The XML of a run that could not begin."""
    known = error if isinstance(error, RunnerError) else None
    message = known.message if known else f"{type(error).__name__}: {error}"
    case = ET.Element("testcase", {"classname": "run-pipeline", "name": legal(name), "time": "0.000"})
    fault = ET.SubElement(case, "error", {"message": legal(message), "type": type(error).__name__})
    fault.text = legal("\n".join(filter(None, [message, known.remedy if known else ""])))
    return _xml(_totals(name, ["error"], 0.0), [case])


def _totals(name: str, kinds: list[str], seconds: float) -> dict[str, str]:
    return {
        "name": legal(name),
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{seconds:.3f}",
    }


def _xml(
    totals: dict[str, str], cases: list[ET.Element], stamp: str = "", facts: dict[str, str] | None = None
) -> bytes:
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(root, "testsuite", totals | ({"timestamp": stamp} if stamp else {}))
    _properties(suite, facts or {})
    suite.extend(cases)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(started: RunStarted, result: StepResult) -> ET.Element:
    name = {"classname": legal(started.pipeline), "name": legal(result.step), "time": f"{result.seconds:.3f}"}
    case = ET.Element("testcase", name)
    _properties(case, _facts(result))
    if kind(result) == "skipped":
        ET.SubElement(case, "skipped", {"message": legal(f"{outcome(result)}: {words(result)}")})
    elif kind(result) != "passed":
        fault = ET.SubElement(case, kind(result), {"message": legal(_headline(result)), "type": str(result.verdict)})
        fault.text = legal(describe(result, started.run_dir))
    _streams(case, started.run_dir, result)
    return case


def _headline(result: StepResult) -> str:
    """The one line that CI servers show."""
    found = result.diagnosis if says_more(result) else None
    return f"{words(result)}: {one_line(found.sentence)}" if found is not None else words(result)


def _facts(result: StepResult) -> dict[str, str]:
    facts = {
        "verdict": str(result.verdict or ""),
        "exit_code": "" if result.exit_code is None else str(result.exit_code),
        "signal": result.signal or "",
        "image": result.image,
        "image_id": result.image_id,
        "exit_message": clean(result.exit_message or ""),
    }
    if (found := result.diagnosis) is not None:
        facts |= {"diagnosis.kind": str(found.kind), "diagnosis": one_line(found.sentence), "fix": one_line(found.fix)}
    if result.cached is not None:
        facts |= {"cached.run": result.cached.run, "cached.step": result.cached.step, "cached.at": result.cached.at}
    facts |= {f"warning.{number}": one_line(text) for number, text in enumerate(result.warnings, start=1)}
    facts |= {f"output.{name}.digest": str(fact.get("digest") or "") for name, fact in result.outputs.items()}
    return {name: value for name, value in facts.items() if value}


def _properties(parent: ET.Element, facts: dict[str, str]) -> None:
    if facts:
        properties = ET.SubElement(parent, "properties")
        for name, value in facts.items():
            ET.SubElement(properties, "property", {"name": legal(name), "value": legal(value)})


def _streams(case: ET.Element, run_dir: Path, result: StepResult) -> None:
    if not result.directory:
        return
    layout = RunLayout(run_dir).step(result.step)
    for stream, path in (("system-out", layout.stdout), ("system-err", layout.stderr)):
        try:
            tail = read_tail(path, path.name)
        except FileNotFoundError:
            continue  # it never ran
        except OSError as error:
            ET.SubElement(case, stream).text = legal(f"(cannot be read: {error.strerror}: {path})")
            continue
        if tail.lines:
            ET.SubElement(case, stream).text = legal(_said(tail))


def _said(tail: Excerpt) -> str:
    """The end of a stream; when it is not all of it, its first line says so."""
    head = [] if tail.complete else [f"({tail.title}; all of it is in {tail.path})"]
    return "\n".join([*head, *tail.lines]) + "\n"


def legal(text: str) -> str:
    """The text without the characters that no XML may hold."""
    return _ILLEGAL.sub("", text)


def write_file(path: Path, data: bytes) -> None:
    """Write a report: readers see the old file or the new one, never a part. A device or pipe is written as it is.

    Raises OSError.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
    else:
        write_atomic(path.resolve(), data)  # a link stays a link


def _unwritable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"cannot write the JUnit file {path}: {error.strerror}", remedy="Give --junit a path that you may write."
    )
