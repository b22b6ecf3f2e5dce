"""The agent's side of a trace, on this machine's kernel: what it claims of an input, and what it does not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.agent import trace as agent
from runner.agent.trace import Trace, entries_below, script_fault, shorten


def watching(*inputs: Path, places: tuple[Path, ...] = ()) -> Any:
    wanted = {
        "why": "not here",
        "script": False,
        "archive": "",
        "inputs": [[path.name, str(path)] for path in inputs],
        "places": [str(path) for path in (*inputs, *places)],
        "kept": [],
    }
    trace = Trace({"trace": wanted})
    trace.watch()
    return trace


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "sub" / "deep" / "f").write_text("x")
    return root


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (b"s3.11.2\0", ""),
        (b"p3.11.2\0s3.11.2\0", ""),
        (b"p3.11.2\0", "pip alone ran, which is not traced"),
        (b"p3.11.2\0o3.7.17\0", "the script's Python is 3.7.17, older than 3.8"),
        (b"", "its interpreter did not take the tracer in"),
    ],
)
def test_why_nothing_was_traced(records: bytes, why: str) -> None:
    trace = Trace({"trace": {"why": "", "archive": "", "inputs": [], "places": [], "kept": []}})
    try:
        os.write(trace.file, records)
        told = trace.summary()
    finally:
        os.close(trace.file)
    assert (told["traced"], told["why"]) == (not why, why)


def test_a_file_that_no_python_opened_counts_as_read(data: Path) -> None:
    trace = watching(data)
    trace.take()
    assert trace.inputs == {"data": "untouched"}
    subprocess.run(["ls", str(data)], check=True, capture_output=True)
    trace.take()
    assert trace.inputs == {"data": "listed"}
    subprocess.run(["cat", str(data / "sub" / "deep" / "f")], check=True, capture_output=True)
    trace.take()
    assert trace.inputs == {"data": "read"}
    assert trace.of == {}
    os.close(trace.watched)


NO = "its entrypoint is serve, and not Python"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("#!/opt/venv/bin/python", ""),
        ("#! /usr/bin/python3.11 -u", ""),
        ("#!/usr/bin/env python3", ""),
        ("#!/usr/bin/env -S A=b python3 -u", ""),
        ("#!/usr/bin/python3 -uEs", "its interpreter is started with -E, which keeps the tracer out"),
        ("#!/usr/bin/env -S python3 -I", "its interpreter is started with -I, which keeps the tracer out"),
        ("#!/bin/bash", NO),
        ("#!/usr/bin/pythonic", NO),
        ("#!/usr/bin/python2.7", NO),
        ("#!/usr/bin/env", NO),
        ("#!", NO),
        ("import sys", NO),
        ("\x7fELF python", NO),
    ],
)
def test_a_program_is_a_python_script_by_its_first_line(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / "serve").write_text(f"{line}\nprint(1)\n")
    assert script_fault(str(tmp_path / "serve"), NO) == fault
    assert script_fault(str(tmp_path / "nothing"), NO) == NO


@pytest.mark.parametrize("line", ["#!/usr/bin/python3", "#!/bin/sh"])
def test_a_program_that_is_no_python_sees_nothing_of_the_trace(tmp_path: Path, line: str) -> None:
    (tmp_path / "serve").write_text(line)
    wanted = {"why": NO, "script": True, "archive": "eA==", "inputs": [], "places": [], "kept": []}
    trace = Trace({"trace": wanted})
    environment: dict[str, str] = {}
    opened = (trace.file, trace.archive)
    trace.enter(environment, str(tmp_path / "serve"))
    told = trace.summary()["why"]
    if line == "#!/bin/sh":
        assert (environment, told, trace.file, trace.archive) == ({}, NO, None, None)
        for descriptor in opened:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
    else:
        assert set(environment) == {"_RUN_PIPELINE_TRACE", "PYTHONPATH"}
        assert told == "its interpreter did not take the tracer in"
        for descriptor in opened:
            os.close(descriptor)


def test_an_input_inside_another_is_its_own(data: Path) -> None:
    trace = watching(data, data / "sub")
    (data / "sub" / "deep" / "f").read_text()
    trace.take()
    assert trace.inputs == {"data": "untouched", "sub": "read"}
    os.close(trace.watched)


def test_of_a_tree_too_large_to_watch_nothing_is_claimed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "LOOK", 2)
    trace = watching(data, data.parent / "none")
    assert trace.inputs == {"data": "unknown", "none": "unknown"}
    trace.listen({"l": [str(data)]})
    assert trace.inputs["data"] == "unknown"
    trace.listen({"r": [str(data / "sub" / "deep" / "f")]})
    assert trace.inputs["data"] == "read"
    os.close(trace.watched)


def test_events_that_the_kernel_dropped_are_a_doubt(data: Path) -> None:
    trace = watching(data)
    trace.seen(-1, agent.IN_Q_OVERFLOW)
    assert trace.inputs == {"data": "unknown"}
    os.close(trace.watched)


def test_links_are_not_followed_and_the_count_is_kept(data: Path) -> None:
    (data / "loop").symlink_to(data)
    directories, files = entries_below(str(data), (), 10)
    assert directories == [str(data), str(data / "sub"), str(data / "sub" / "deep")]
    assert sorted(files) == [str(data / "loop"), str(data / "sub" / "deep" / "f")]
    assert entries_below(str(data), (), 3) is None


def test_a_report_is_of_bounded_length() -> None:
    told = {"why": "", "writes": [["/" + "w" * 4000] * 2] * 500, "reads": ["r"] * 300}
    lost = shorten(told)
    kept = sum(len(path) for pair in told["writes"] for path in pair)
    assert kept <= agent.LONGEST
    assert lost == 800 - len(told["writes"]) - len(told["reads"])
