"""What a test found out: about one script, one edge, one pipeline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


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
    memory, timeout, network, exit-code, missing-input, blocked, ..."""
    exit_code: int | None = None
    traceback: str | None = None
    """The last one of the script's stderr."""
    remedy: str | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    run_dir: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    """By logical name: the directory where a person finds what was written."""
    files_read: tuple[str, ...] = ()
    files_written: tuple[str, ...] = ()
    """Container paths, as the trace saw them."""
    data_sources: dict[str, str] = field(default_factory=dict)
    """By input: `user`, `producer`, `sample` or `synthetic`."""
    notes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the machine, or who stopped the run, is at fault, so that nothing is said of the script."""
        return self.kind in ("infrastructure", "cancelled")

    def to_dict(self) -> dict[str, Any]:
        """Every field under its own name."""
        return asdict(self)

    def __str__(self) -> str:
        head = f"{self.script_name}: {'PASS' if self.success else 'FAIL'} ({self.execution_time:.3f}s)"
        synthetic = [name for name, source in self.data_sources.items() if source == "synthetic"]
        lines = [head]
        if not self.success:
            lines += _indented(self.error_message or "no reason is known")
            lines += _labelled("remedy", self.remedy)
        if not self.has_main_function:
            lines.append("  has no main()")
        if synthetic:
            lines.append(f"  synthetic data: {', '.join(synthetic)}")
        lines += [f"  note: {note}" for note in self.notes]
        lines += _labelled("log", self.stderr_path if not self.success else None)
        return "\n".join(lines)


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
        word = "COMPATIBLE" if self.compatible else "INCOMPATIBLE" if self.tested else "NOT TESTED"
        formats = f" ({self.data_format_a or '?'} -> {self.data_format_b or '?'})"
        lines = [f"{self.script_a} -> {self.script_b}: {word}{formats if self.ports else ''}"]
        lines += [line for issue in self.compatibility_issues for line in _indented(issue)]
        lines += [f"  risk: {risk}" for risk in self.risks]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


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
        parts = [*self.script_results.values(), *self.data_flow_results.values()]
        return "\n".join([*lines, *(line for part in parts for line in _indented(str(part)))])


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.splitlines()]


def _labelled(label: str, text: str | None) -> list[str]:
    return [f"  {label}: {text}"] if text else []
