"""The text of a failed step, and which lines of its output it shows."""

from __future__ import annotations

import dataclasses
import os
import tracemalloc
from pathlib import Path

import pytest
from report.samples import PACKAGE, RUN_ID, TRACEBACK, TRAIN, demo_run, failed, write_streams

from runner.data.diagnoses import Diagnosis, Kind, Place
from runner.engine.base import HostOutcome, Verdict
from runner.pipeline.events import StepResult, StepState
from runner.report.failure import describe, words
from runner.report.style import Style
from runner.report.tail import excerpts, read_tail


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs" / RUN_ID


GOLDEN = f"""\
✗ train failed after 1:01: exit 3
  message   too many classes

  stdout
  │ [0] loss 0.9
  │ [1] loss 0.8

  stderr
  │ a warning
  │ Traceback (most recent call last):
  │   File "/opt/ml/code/train.py", line 22, in main
  │     raise ValueError("label column 'target' has 3 classes")
  │ ValueError: label column 'target' has 3 classes

  files     runs/{RUN_ID}/steps/train
  logs      run-pipeline logs {RUN_ID} train
  debug     run-pipeline debug train --run {RUN_ID}"""


def test_the_whole_text(tmp_path: Path) -> None:
    run_dir, _ = demo_run(tmp_path / "runs")
    assert describe(TRAIN, run_dir) == GOLDEN


def test_the_whole_text_in_ascii_and_in_colour(tmp_path: Path) -> None:
    run_dir, _ = demo_run(tmp_path / "runs")
    plain = describe(TRAIN, run_dir, Style(unicode=False))
    assert plain == GOLDEN.replace("✗", "x").replace("│", "|")
    assert "\x1b[31m✗\x1b[0m" in describe(TRAIN, run_dir, Style(color=True))


def test_commands_name_another_directory_of_runs(tmp_path: Path) -> None:
    run_dir, _ = demo_run(tmp_path / "my runs")
    told = describe(TRAIN, run_dir)
    assert f"run-pipeline debug train --run {RUN_ID} --runs-dir 'my runs'" in told


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (failed("exit 137: killed for memory at its limit of 512 MiB", Verdict.OOM), "at its limit of 512 MiB"),
        (failed("wrote nothing to output 'x'", Verdict.MISSING_OUTPUT), "wrote nothing to output 'x'"),
        (failed("", Verdict.TIMEOUT), "stopped after its time-out"),
        (failed("", Verdict.EXIT, exit_code=3), "exit 3"),
        (failed("", Verdict.EXIT, exit_code=139, signal="SIGSEGV"), "ended by SIGSEGV"),
        (failed("two\nlines \x1b[31m"), "two lines"),
        (PACKAGE, "train did not pass"),
        (StepResult(step="a", state=StepState.CANCELLED, verdict=None, reason=""), "the run was stopped first"),
    ],
)
def test_words(result: StepResult, expected: str) -> None:
    assert words(result).endswith(expected)
    assert "\n" not in words(result)
    assert "\x1b" not in words(result)


@pytest.mark.parametrize("state", [StepState.WAITING, StepState.READY, StepState.RUNNING])
def test_a_step_that_has_not_ended_needs_no_reason(state: StepState) -> None:
    assert words(StepResult(step="a", state=state, verdict=None, reason="")) == ""


def test_silence_and_absence_are_said(run_dir: Path) -> None:
    assert "It never ran: there is no output." in describe(failed(), run_dir)
    write_streams(run_dir, "train", b"\n \n", b"")
    assert "It wrote nothing to stdout or stderr." in describe(failed(), run_dir)


def test_streams_that_cannot_be_read_are_said(run_dir: Path) -> None:
    write_streams(run_dir, "train")
    stdout = run_dir / "steps" / "train" / "stdout"
    stdout.unlink()
    stdout.mkdir()
    assert "Its output cannot be read: Is a directory" in describe(failed(), run_dir)


def test_infrastructure_sends_to_the_doctor(run_dir: Path) -> None:
    told = describe(failed("the engine went away", Verdict.INFRASTRUCTURE), run_dir)
    assert "train error after 1.0 s: the engine went away" in told
    assert told.endswith("run-pipeline doctor")
    assert "debug" not in told


def test_partial_outputs_are_pointed_at(run_dir: Path) -> None:
    write_streams(run_dir, "train", b"x\n")
    attempt = run_dir / "steps" / "train" / "attempt" / "model"
    attempt.mkdir(parents=True)
    assert "partial" not in describe(failed(), run_dir)
    (attempt / "part").touch()
    assert f"partial   runs/{RUN_ID}/steps/train/attempt" in describe(failed(), run_dir)


def test_blocked_has_no_output_and_no_commands(run_dir: Path) -> None:
    assert describe(PACKAGE, run_dir) == "─ package blocked: train did not pass"


def shown(run_dir: Path, stdout: bytes, stderr: bytes) -> dict[str, list[str]]:
    write_streams(run_dir, "train", stdout, stderr)
    folder = run_dir / "steps" / "train"
    found = {excerpt.stream: list(excerpt.lines) for excerpt in excerpts(folder / "stdout", folder / "stderr")}
    assert sum(map(len, found.values())) <= 40
    return found


def numbered(count: int, word: str = "line") -> bytes:
    return b"".join(f"{word} {number}\n".encode() for number in range(count))


def test_last_forty_lines_of_one_stream(run_dir: Path) -> None:
    assert shown(run_dir, numbered(1000), b"") == {"stdout": [f"line {n}" for n in range(960, 1000)]}


def test_the_stream_with_the_traceback_comes_last_and_whole(run_dir: Path) -> None:
    found = shown(run_dir, numbered(100) + TRACEBACK.encode(), numbered(100, "noise"))
    assert list(found) == ["stderr", "stdout"]
    assert found["stdout"][-4:] == TRACEBACK.splitlines()
    assert found["stderr"][-1] == "noise 99"
    assert len(found["stderr"]) == 8


def test_without_a_traceback_both_streams_share(run_dir: Path) -> None:
    found = shown(run_dir, numbered(100), b"error: no such column\n")
    assert len(found["stdout"]) == 39
    assert found["stderr"] == ["error: no such column"]


def test_a_traceback_far_from_the_end_is_still_shown(run_dir: Path) -> None:
    found = shown(run_dir, b"", TRACEBACK.encode() + numbered(200, "teardown"))["stderr"]
    assert found[:4] == TRACEBACK.splitlines()
    assert found[4] == "... 195 more lines ..."
    assert found[-1] == "teardown 199"


def test_a_deep_traceback_is_cut_in_its_middle(run_dir: Path) -> None:
    frames = b"".join(f'  File "a.py", line {n}, in f\n    f()\n'.encode() for n in range(100))
    trace = b"Traceback (most recent call last):\n" + frames + b"RecursionError: too deep\n"
    found = shown(run_dir, numbered(50), trace)["stderr"]
    assert found[0] == "Traceback (most recent call last):"
    assert found[-1] == "RecursionError: too deep"
    assert any("more lines" in line for line in found)


def test_a_huge_file_is_not_read(run_dir: Path) -> None:
    write_streams(run_dir, "train")
    stdout = run_dir / "steps" / "train" / "stdout"
    os.truncate(stdout, 100 << 20)  # sparse
    with stdout.open("ab") as file:
        file.write(b"\n" + numbered(50))
    tracemalloc.start()
    told = describe(failed(), run_dir)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "stdout, the last 40 lines, 100 MiB in all" in told
    assert "line 49" in told
    assert peak < 4 << 20


def test_one_huge_line_is_cut(run_dir: Path) -> None:
    write_streams(run_dir, "train", b"x" * (10 << 20) + b" the end")
    excerpt = read_tail(run_dir / "steps" / "train" / "stdout", "stdout")
    assert len(excerpt.lines) == 1
    assert len(excerpt.lines[0]) < 600
    assert excerpt.lines[0].endswith("the end")
    assert not excerpt.complete


def test_output_is_cleaned(run_dir: Path) -> None:
    found = shown(run_dir, b"\x1b[2Jgone\x07\n 10%\r100%\n\xff\n", b"")
    assert found == {"stdout": ["gone", "100%", "\ufffd"]}


def test_partial_outputs_nested_deeper_than_pythons_stack(run_dir: Path) -> None:
    import os

    from runner.engine.trees import remove

    deep = run_dir / "steps" / "train" / "attempt"
    deep.mkdir(parents=True, exist_ok=True)
    at = os.open(deep, os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        assert "partial" not in describe(failed(), run_dir)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        assert "partial" in describe(failed(), run_dir)
    finally:
        os.close(at)
        remove(deep)


def test_of_several_instances_the_one_that_failed_is_shown(tmp_path: Path) -> None:
    run_dir, _ = demo_run(tmp_path / "runs")
    hosts = tuple(
        HostOutcome(
            host=name, container_id="c", verdict=Verdict.EXIT, exit_code=3, signal=None, reason="exit 3", seconds=1
        )
        for name in ("algo-1", "algo-2")
    )
    for host in hosts:
        (run_dir / "steps/train/hosts" / host.host / "attempt/out").mkdir(parents=True)
    (run_dir / "steps/train/hosts/algo-2/attempt/out/file").write_text("x")
    (run_dir / "steps/train/hosts/algo-2/stdout").write_text("what algo-2 wrote\n")
    (run_dir / "steps/train/hosts/algo-2/stderr").write_text("")
    result = dataclasses.replace(TRAIN, hosts=hosts, failed_host="algo-2")
    text = describe(result, run_dir)
    assert f"  partial   runs/{RUN_ID}/steps/train/hosts/algo-2/attempt  (outputs that were not published)" in text
    assert "  stdout of algo-2\n  │ what algo-2 wrote\n" in text
    assert "loss" not in text
    (run_dir / "steps/train/hosts/algo-1/attempt/out/file").write_text("x")
    assert f"  partial   runs/{RUN_ID}/steps/train/hosts/*/attempt  (" in describe(result, run_dir)


DIAGNOSIS = Diagnosis(
    kind=Kind.MISSING_COLUMN,
    sentence="the consumer needs column 'label'\x1b[2J",
    details=("  marked ^", "two\x07"),
    fix="let 'prep' write it",
    place=Place("/opt/ml/code/train.py", 22, host=False),
    evidence=("KeyError: 'label'",),
)


def test_why_stands_near_the_top(tmp_path: Path) -> None:
    run_dir, _ = demo_run(tmp_path / "runs")
    here = Place(str(tmp_path / "scripts" / "train.py"), 22, host=True)
    told = describe(dataclasses.replace(TRAIN, diagnosis=dataclasses.replace(DIAGNOSIS, place=here)), run_dir)
    assert told.startswith(
        "✗ train failed after 1:01: exit 3\n"
        "  why       the consumer needs column 'label'\n"
        "              marked ^\n"
        "            two\n"
        "  at        scripts/train.py:22\n"
        "  fix       let 'prep' write it\n"
        "  message   too many classes\n"
    )
    assert "  at        /opt/ml/code/train.py:22\n" in describe(
        dataclasses.replace(TRAIN, diagnosis=DIAGNOSIS), run_dir
    )


def test_what_the_verdict_says_is_not_said_again(run_dir: Path) -> None:
    killed = dataclasses.replace(DIAGNOSIS, kind=Kind.MEMORY, details=(), place=None, fix="use less")
    told = describe(failed("exit 137: killed for memory", Verdict.OOM, diagnosis=killed), run_dir)
    assert "  why" not in told
    assert "  fix       use less\n" in told
    silent = Diagnosis(kind=Kind.EXIT_CODE, sentence="exit 7, and its stderr says nothing")
    assert "  why" not in describe(failed("exit 7", diagnosis=silent), run_dir)


def test_a_lack_that_was_told_before_the_run_is_not_told_twice(run_dir: Path) -> None:
    fix = "use image 'xgboost', or add it to requirements.txt"
    warnings = (f"module 'xgboost' (a.py:1) is not in image 'x': {fix}", "another")
    missing = dataclasses.replace(DIAGNOSIS, kind=Kind.IMPORT, fix=fix)
    told = describe(failed(diagnosis=missing, warnings=warnings), run_dir)
    assert told.count(fix) == 1
    assert "  note      another\n" in told


def test_on_a_terminal_the_reason_is_broken_between_words(run_dir: Path) -> None:
    told = describe(failed(diagnosis=dataclasses.replace(DIAGNOSIS, details=())), run_dir, columns=40)
    assert "  why       the consumer needs column\n            'label'\n" in told
    assert "  at        /opt/ml/code/train.py:22\n" in told
    assert "  why       the consumer needs column 'label'\n" in describe(failed(diagnosis=DIAGNOSIS), run_dir)
