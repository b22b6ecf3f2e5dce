"""What a test found out: about one script, one edge, one pipeline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runner.spec.document import shown

_NEVER_STARTED = ("blocked", "cancelled", "unbound")
"""Kinds that say nothing of the script itself."""


@dataclass(frozen=True, slots=True)
class ScriptTestResult:
    """The end of one script in its container. `str()` is for people, `to_dict()` for programs."""

    script_name: str
    success: bool
    error_message: str | None = None
    """Begins with the kind of failure, as `import: ...`; None after a success."""
    execution_time: float = 0.0
    """Seconds from the script's start to its end."""
    has_main_function: bool = False
    """Read from the source, whether or not the script ran."""
    step_name: str | None = None
    verdict: str | None = None
    """As in the README's table (`passed`, `exit`, `oom`, ...); None when the script was not run."""
    kind: str | None = None
    """Kind of failure: import, syntax, signature, arguments, missing-file, missing-column, type, encoding, permission,
    memory, time-out, network, exit-code, as in a diagnosis; of one that was not run also missing-script, missing-input,
    environment, contract, output-path, spec, unbound, blocked, cancelled; else the verdict, as missing-output."""
    exit_code: int | None = None
    traceback: str | None = None
    """The last one of the script's stderr."""
    place: str | None = None
    """`FILE:LINE`: the innermost line of the user's own code in that traceback."""
    details: tuple[str, ...] = ()
    """What else a person may want to know of the failure, a line each."""
    remedy: str | None = None
    """What to change."""
    stdout_path: str | None = None
    stderr_path: str | None = None
    run_dir: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    """By logical name: the directory where a person finds what was written."""
    files_read: tuple[str, ...] = ()
    files_written: tuple[str, ...] = ()
    """Container paths, as the trace saw them."""
    data_sources: dict[str, str] = field(default_factory=dict)
    """By input: `user`, `producer` or `synthetic`."""
    notes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the machine, or who stopped the run, is at fault, so that nothing is said of the script."""
        return self.kind in ("infrastructure", "cancelled")

    def to_dict(self) -> dict[str, Any]:
        """Every field under its own name."""
        return asdict(self)

    def __str__(self) -> str:
        head = self.headline()
        if self.kind in _NEVER_STARTED:
            return f"{head}: {self.error_message}"
        synthetic = [name for name, source in self.data_sources.items() if source == "synthetic"]
        lines = [head]
        if not self.success:
            lines += [*self.why(), *_labelled("log", _shown(self.stderr_path))]
        if synthetic:
            lines.append(f"  synthetic data: {', '.join(synthetic)}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def headline(self) -> str:
        """`train: PASS (1.204s)`, `train: FAIL (not run)`, `train: NOT RUN`."""
        if self.kind in _NEVER_STARTED:
            return f"{self._name}: NOT RUN"
        ran = self.verdict is not None or self.success or self.execution_time > 0
        time = f"{self.execution_time:.3f}s" if ran else "not run"
        return f"{self._name}: {'PASS' if self.success else 'FAIL'} ({time})"

    @property
    def _name(self) -> str:
        """The script's, and the step's where that is another."""
        step = f" ({self.step_name})" if self.step_name not in (None, self.script_name) else ""
        return f"{self.script_name}{step}"

    def why(self) -> list[str]:
        """The failure, and what to do about it, a line each."""
        lines = [*_indented(self.error_message or "no reason is known"), *(f"    {detail}" for detail in self.details)]
        return [*lines, *_labelled("at", self.place), *_labelled("remedy", self.remedy)]


@dataclass(frozen=True, slots=True)
class DataCompatibilityResult:
    """Whether what one script wrote is what the next one can read: the second ran on the output of the first."""

    script_a: str
    script_b: str
    compatible: bool
    compatibility_issues: list[str] = field(default_factory=list)
    data_format_a: str | None = None
    """What the producer wrote, as `CSV` or `CSV, JSON`."""
    data_format_b: str | None = None
    """What the consumer opened of it, or what its `expects` asks for; None when neither is known."""
    ports: dict[str, str] = field(default_factory=dict)
    """Output of the producer -> input of the consumer."""
    tested: bool = True
    """False when the consumer did not run, so that nothing is known of it."""
    result_a: ScriptTestResult | None = None
    result_b: ScriptTestResult | None = None
    risks: tuple[str, ...] = ()
    """What did not break today, but may."""
    differences: tuple[dict[str, Any], ...] = ()
    """Of the data that the consumer's spec has for the input, and of what the producer wrote: `impact` (breaking, risky
    or safe), `file`, `column` and `message` of each."""
    notes: tuple[str, ...] = ()
    """How the edge was bound, where neither its ports nor equal names say so."""
    schemas: tuple[dict[str, Any], ...] = ()
    """The producer's files: path, format, columns and rows of each."""
    files_read: tuple[str, ...] = ()
    """Those of them that the consumer opened."""

    def to_dict(self) -> dict[str, Any]:
        """Every field under its own name."""
        return asdict(self)

    def __str__(self) -> str:
        ends = (self.result_a, self.result_b)
        failed = next((each for each in ends if each is not None and not each.success), None)
        lines = [self.headline()]
        for number, issue in enumerate(self.compatibility_issues):
            lines += _indented(issue)
            if number == 0 and failed is not None:
                lines += [*(f"    {detail}" for detail in failed.details), *_labelled("at", failed.place)]
        lines += _labelled("log", _shown(failed.stderr_path) if failed is not None else None)
        return "\n".join([*lines, *self.remarks()])

    def headline(self) -> str:
        """`prepare -> train: COMPATIBLE (CSV -> CSV)`."""
        word = "COMPATIBLE" if self.compatible else "INCOMPATIBLE" if self.tested else "NOT TESTED"
        formats = f" ({self.data_format_a or '?'} -> {self.data_format_b or '?'})"
        return f"{self.script_a} -> {self.script_b}: {word}{formats if self.ports and self.tested else ''}"

    def remarks(self) -> list[str]:
        """Risks and notes, a line each."""
        return [*(f"  risk: {risk}" for risk in self.risks), *(f"  note: {note}" for note in self.notes)]


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """A pipeline's flow. `to_dict()` has the shape of the documents."""

    pipeline_success: bool
    script_results: dict[str, ScriptTestResult]
    """By node."""
    data_flow_results: dict[str, DataCompatibilityResult]
    """By `a->b`."""
    errors: list[str]
    execution_order: list[str]
    run_id: str | None = None
    run_dir: str | None = None
    seconds: float = 0.0
    exit_code: int = 1
    """As in the README's table."""

    def to_flow(self) -> dict[str, Any]:
        """The documents' shape: `pipeline_success`, `script_results`, `data_flow_results`, `errors`, `execution_order`;
        and `result`: this object."""
        return {
            "pipeline_success": self.pipeline_success,
            "script_results": dict(self.script_results),
            "data_flow_results": dict(self.data_flow_results),
            "errors": list(self.errors),
            "execution_order": list(self.execution_order),
            "result": self,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data all the way down, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        passed = sum(result.success for result in self.script_results.values())
        flows = sum(result.compatible for result in self.data_flow_results.values())
        head = "PASS" if self.pipeline_success else "FAIL"
        lines = [f"pipeline: {head}, scripts {passed}/{len(self.script_results)}"]
        lines[0] += f", data flows {flows}/{len(self.data_flow_results)} ({self.seconds:.3f}s)"
        for result in self.script_results.values():
            unbound = f"{result.headline()}: not every edge can be bound"
            lines += _indented(unbound if result.kind == "unbound" else str(result))
        for edge in self.data_flow_results.values():
            lines += _indented("\n".join([edge.headline(), *self._untold(edge), *edge.remarks()]))
        return "\n".join(lines)

    def _untold(self, edge: DataCompatibilityResult) -> list[str]:
        """What is wrong with an edge, but for what its scripts have told already."""
        ends = (edge.result_a, edge.result_b)
        told = any(end is not None and not end.success and end.kind not in _NEVER_STARTED for end in ends)
        blocked = any(end is not None and end.kind in ("blocked", "cancelled") for end in ends)
        if told or blocked:
            return []
        return [line for issue in edge.compatibility_issues for line in _indented(issue)]


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.splitlines()]


def _shown(path: str | None) -> str | None:
    return shown(Path(path)) if path is not None else None


def _labelled(label: str, text: str | None) -> list[str]:
    return [f"  {label}: {text}"] if text else []
