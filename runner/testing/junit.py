"""A JUnit XML file of a test: a case per script and per edge."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from runner.data.files import os_fault
from runner.report.junit import legal, write_file
from runner.testing.results import DataCompatibilityResult, ScriptTestResult


def write(path: Path, name: str, scripts: Sequence[ScriptTestResult], edges: Sequence[DataCompatibilityResult]) -> None:
    """Raises WorkspaceError when the file cannot be written."""
    cases = [*(_script(name, each) for each in scripts), *(_edge(name, each) for each in edges)]
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")}
    totals = {
        "name": legal(name), "tests": str(len(cases)), "failures": str(counts["failure"]),
        "errors": str(counts["error"]), "skipped": str(counts["skipped"]),
        "time": f"{sum(each.execution_time for each in scripts):.3f}",
    }  # fmt: skip
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(root, "testsuite", totals)
    suite.extend(cases)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        ET.indent(root)
        write_file(path, ET.tostring(root, encoding="utf-8", xml_declaration=True))
    except OSError as error:
        raise os_fault(error, path, "cannot write the JUnit file") from error


def _script(suite: str, result: ScriptTestResult) -> ET.Element:
    name = result.step_name or result.script_name
    case = ET.Element("testcase", {"classname": legal(f"{suite}.scripts"), "name": legal(name),
                                   "time": f"{result.execution_time:.3f}"})  # fmt: skip
    if result.kind == "blocked":
        ET.SubElement(case, "skipped", {"message": legal(result.error_message or "")})
    elif not result.success:
        kind = "error" if result.is_error else "failure"
        found = ET.SubElement(case, kind, {"message": legal(result.error_message or ""), "type": result.kind or ""})
        found.text = legal("\n\n".join(part for part in (str(result), result.traceback) if part))
    return case


def _edge(suite: str, result: DataCompatibilityResult) -> ET.Element:
    ends = [each.step_name if each else None for each in (result.result_a, result.result_b)]
    name = f"{ends[0] or result.script_a}->{ends[1] or result.script_b}"
    case = ET.Element("testcase", {"classname": legal(f"{suite}.edges"), "name": legal(name), "time": "0"})
    issue = result.compatibility_issues[0] if result.compatibility_issues else ""
    unbound = result.result_b is not None and result.result_b.kind == "unbound"
    if not result.tested and not unbound:
        ET.SubElement(case, "skipped", {"message": legal(issue)})
    elif not result.compatible:
        found = ET.SubElement(
            case, "failure", {"message": legal(issue), "type": "unbound" if unbound else "incompatible"}
        )
        found.text = legal(str(result))
    return case
