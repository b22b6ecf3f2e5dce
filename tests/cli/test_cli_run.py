"""`run` from words to exit code, on the fake engine; and `runs`, `show`, `logs` of what it left."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from runner import engine as engine_room
from runner.cli.main import entry
from runner.engine import images
from runner.engine.base import Outcome, Verdict
from runner.engine.fake import Canned, FakeEngine, infrastructure
from runner.engine.pull import PullError, PullFailure
from runner.errors import EngineUnavailable, ImageUnavailable
from runner.report.lines import Lines

PIPELINE = """\
name: three
image: python
steps:
  make: {script: s.py, outputs: [table]}
  use: {script: s.py, inputs: {table: {from: make.table}}, outputs: [report]}
  other: {script: s.py, outputs: [thing]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "RUN_PIPELINE_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "s.py").write_text("print('hello')\n")
    return tmp_path


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    """Lets the command line connect to this engine."""

    def connect(engine: FakeEngine) -> FakeEngine:
        monkeypatch.setattr(engine_room, "connect", lambda: engine)
        return engine

    return connect


FAILS = {"make": Canned(exit_code=3, stdout=b"before\n", stderr=b"no data\n")}


def test_all_passed_is_zero(here, use, capsys) -> None:
    use(FakeEngine())
    assert entry(["pipeline.yaml"]) == 0
    captured = capsys.readouterr()
    assert "passed in" in captured.out
    assert captured.err == ""
    assert (here / "runs/latest/run.json").is_file()


def test_a_failed_step_is_one_and_tells_what_to_type_next(here, use, capsys) -> None:
    use(FakeEngine(FAILS))
    assert entry(["run", "pipeline.yaml", "-k"]) == 1
    text = capsys.readouterr().out
    assert "no data" in text
    assert "run-pipeline logs" in text
    assert "run-pipeline debug make" in text
    assert "2 " not in text.splitlines()[0] or "3 steps" in text


def test_keep_going_runs_what_does_not_need_the_failed_step(here, use, capsys) -> None:
    engine = use(FakeEngine(FAILS))
    entry(["run", "pipeline.yaml", "-j", "1", "--json", "--keep-going"])
    states = {step["step"]: step["state"] for step in json.loads(capsys.readouterr().out)["steps"]}
    assert states == {"make": "failed", "use": "blocked", "other": "passed"}
    assert ("run", "other") in engine.journal


def test_an_infrastructure_fault_is_three(here, use) -> None:
    use(FakeEngine({"make": Canned(outcome=infrastructure("the engine went away"))}))
    assert entry(["pipeline.yaml"]) == 3


def test_no_engine_is_three_with_the_cure(here, monkeypatch, capsys) -> None:
    def refuse() -> FakeEngine:
        raise EngineUnavailable("no Docker engine answers", remedy="start it")

    monkeypatch.setattr(engine_room, "connect", refuse)
    assert entry(["pipeline.yaml"]) == 3
    assert capsys.readouterr().err == "run-pipeline: no Docker engine answers\nstart it\n"


def test_nothing_selected_is_five_before_any_engine_is_asked(here, monkeypatch) -> None:
    monkeypatch.setattr(engine_room, "connect", lambda: pytest.fail("asked"))
    assert entry(["pipeline.yaml", "--only", "make", "--skip", "make"]) == 5


def test_a_missing_image_is_built_with_progress_on_stderr(here, use, monkeypatch, capsys) -> None:
    engine = use(FakeEngine(missing=["python"]))

    def ensure(reference, log):
        log(f"building {reference}")
        engine._missing = frozenset()

    monkeypatch.setattr(images, "ensure", ensure)
    assert entry(["pipeline.yaml", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["status"] == "passed"
    assert captured.err.startswith("building python\n")


def test_an_image_that_cannot_be_built_is_three(here, use, monkeypatch, capsys) -> None:
    use(FakeEngine(missing=["python"]))

    def ensure(reference, log):
        raise ImageUnavailable("no base", remedy="pull one")

    monkeypatch.setattr(images, "ensure", ensure)
    assert entry(["pipeline.yaml"]) == 3
    assert "pull one" in capsys.readouterr().err


def test_for_an_image_of_sagemakers_the_nearest_is_built(here, use, monkeypatch, capsys) -> None:
    uri = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    (here / "pipeline.yaml").write_text(PIPELINE.replace("image: python", f"image: {uri}"))
    engine = use(FakeEngine(missing=[uri, "sklearn"]))
    asked = []

    def ensure(reference, log):
        asked.append(reference)
        engine._missing = frozenset([uri])

    monkeypatch.setattr(images, "ensure", ensure)
    assert entry(["pipeline.yaml", "--json"]) == 0
    captured = capsys.readouterr()
    assert asked == ["sklearn"]
    (step, *_) = json.loads(captured.out)["steps"]
    assert step["image"] == "sklearn"
    assert "'sklearn' stands for it" in step["warnings"][0]
    assert captured.err.count("'sklearn' stands for it: scikit-learn 1.4.2 instead of 1.2-1") == 1


def test_an_image_of_sagemakers_that_nothing_stands_for_is_told_with_its_line(here, use, monkeypatch, capsys) -> None:
    uri = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310"
    (here / "pipeline.yaml").write_text(PIPELINE.replace("image: python", f"image: {uri}"))
    use(FakeEngine(missing=[uri]))

    def ensure(reference, log):
        raise PullError(reference, PullFailure.UNREACHABLE, "no such host")

    monkeypatch.setattr(images, "ensure", ensure)
    assert entry(["pipeline.yaml"]) == 3
    error = capsys.readouterr().err
    line = 1 + (here / "pipeline.yaml").read_text().split("\n").index(f"image: {uri}")
    assert f"pipeline.yaml:{line}: steps.make.image: image '{uri}' cannot be pulled" in error
    assert "no image of this tool has pytorch 2.1; its images are python, sklearn, xgboost" in error
    assert f"\nimages:\n  {uri}: python\n" in error
    assert not (here / "runs").exists()


def test_json_is_one_document_and_progress_goes_to_stderr(here, use, capsys) -> None:
    use(FakeEngine(FAILS))
    assert entry(["pipeline.yaml", "--json"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["schema_version"], document["exit_code"], document["status"]) == (1, 1, "failed")
    assert "make" in captured.err


def test_quiet_shows_only_failures_and_the_last_line(here, use, capsys) -> None:
    use(FakeEngine())
    entry(["pipeline.yaml", "-q"])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_verbose_shows_what_the_steps_write(here, use, capsys) -> None:
    use(FakeEngine(default=Canned(stdout=b"hello from inside\n", files={})))
    entry(["pipeline.yaml", "-v", "--only", "make"])
    assert "hello from inside" in capsys.readouterr().out


def test_junit_has_a_case_per_step(here, use) -> None:
    use(FakeEngine(FAILS))
    assert entry(["pipeline.yaml", "-k", "--junit", "out/report.xml"]) == 1
    cases = ET.parse("out/report.xml").getroot().iter("testcase")
    assert {case.get("name") for case in cases} == {"make", "use", "other"}


def the_only_error(path: str) -> ET.Element:
    (case,) = ET.parse(path).getroot().iter("testcase")
    (error,) = case.iter("error")
    return error


def test_junit_of_a_run_without_an_engine_is_an_error(here, monkeypatch) -> None:
    def refuse() -> FakeEngine:
        raise EngineUnavailable("no Docker engine answers", remedy="start it")

    monkeypatch.setattr(engine_room, "connect", refuse)
    (here / "report.xml").write_text("the last run's")
    assert entry(["pipeline.yaml", "--junit", "report.xml"]) == 3
    assert the_only_error("report.xml").get("message") == "no Docker engine answers"


def test_junit_of_an_invalid_file_is_an_error(here, capsys) -> None:
    (here / "pipeline.yaml").write_text(PIPELINE.replace("make.table", "mak.table"))
    assert entry(["pipeline.yaml", "--junit", "report.xml"]) == 2
    assert the_only_error("report.xml").get("message") in capsys.readouterr().err


def test_junit_of_a_signal_before_the_first_step_is_an_error(here, use, monkeypatch) -> None:
    use(FakeEngine(missing=["python"]))
    monkeypatch.setattr(images, "ensure", lambda reference, log: signal.raise_signal(signal.SIGTERM))
    assert entry(["pipeline.yaml", "--junit", "report.xml"]) == 143
    assert the_only_error("report.xml").get("message") == "stopped by SIGTERM"


def test_junit_of_an_interrupted_run_is_not_green(here, use) -> None:
    def script(step):
        os.kill(os.getpid(), signal.SIGINT)
        assert step.stopping.wait(20)
        return 0

    use(FakeEngine({"make": script}))
    assert entry(["pipeline.yaml", "-j", "1", "--junit", "report.xml"]) == 130
    found = {case.get("name"): [child.tag for child in case] for case in ET.parse("report.xml").iter("testcase")}
    assert "error" in found["make"]
    assert "skipped" in found["use"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["pipeline.yaml", "-q", "-v"], ["--quiet", "--verbose"]),
        (["pipeline.yaml", "-n", "--junit", "r.xml"], ["--dry-run", "--junit"]),
        (["pipeline.yaml", "-n", "-k"], ["--keep-going"]),
        (["pipeline.yaml", "-n", "-j", "2"], ["--jobs"]),
        (["pipeline.yaml", "-nq"], ["--quiet"]),
        (["pipeline.yaml", "-nv"], ["--verbose"]),
        (["pipeline.yaml", "-n", "--no-trace"], ["--dry-run", "--no-trace"]),
        (["logs", "latest", "make", "--stdout", "--stderr"], ["--stdout", "--stderr"]),
        (["debug", "make", "--command", ""], ["--command"]),
        (["debug", "make", "--command", "  "], ["--command"]),
    ],
)
def test_options_that_would_have_no_effect_are_refused(arguments, named, here, use, capsys) -> None:
    use(FakeEngine())
    entry(["pipeline.yaml"])
    capsys.readouterr()
    assert entry(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(name in captured.err for name in named)
    assert not Path("r.xml").exists()


@pytest.mark.parametrize(("words", "traced"), [([], True), (["--no-trace"], False)])
def test_scripts_are_watched_unless_no_trace_is_said(words, traced, here, use) -> None:
    engine = use(FakeEngine())
    assert entry(["pipeline.yaml", *words]) == 0
    assert {launch.trace for launch in engine.launches.values()} == {traced}


def test_what_a_trace_finds_is_told_of_a_step_that_passed(here, use, capsys) -> None:
    trace = {"traced": True, "why": "", "writes": [["/opt/ml/lost", "/opt/ml/lost"]], "inputs": {"table": "untouched"}}
    outcome = Outcome(
        verdict=Verdict.PASSED,
        exit_code=0,
        signal=None,
        reason="exit 0",
        started_at=None,
        finished_at=None,
        seconds=0.1,
        trace=trace,
    )
    written = {"/opt/ml/processing/output/report/r": b"1"}
    use(FakeEngine({"use": Canned(files=written, outcome=outcome)}))
    assert entry(["pipeline.yaml", "--junit", "r.xml"]) == 0
    found = [
        "input 'table' was never read",
        "SageMaker throws away what is written outside of the outputs: /opt/ml/lost",
    ]
    told = capsys.readouterr().out
    assert all(f"note: {sentence}" in told for sentence in found)
    step = Path("runs/latest/steps/use")
    assert json.loads((step / "trace.json").read_text()) == {"schema_version": 1, **trace, "findings": found}
    assert json.loads((step / "result.json").read_text())["warnings"] == found
    assert not (step.parent / "make" / "trace.json").exists()
    properties = {each.get("name"): each.get("value") for each in ET.parse("r.xml").iter("property")}
    assert [properties[f"warning.{number}"] for number in (1, 2)] == found
    assert entry(["show"]) == 0
    assert f"note: use: {found[0]}" in capsys.readouterr().out
    use(FakeEngine({"use": Canned(files=written, outcome=outcome)}))
    assert entry(["pipeline.yaml", "-q"]) == 0
    assert "note" not in capsys.readouterr().out


def test_jobs_bound_what_runs_at_once(here, use) -> None:
    running, most, lock = set(), [], threading.Lock()

    def script(step):
        with lock:
            running.add(step.name)
            most.append(len(running))
        time.sleep(0.05)
        with lock:
            running.discard(step.name)
        for place in step.outputs.values():
            (place / "x").write_text("x")

    use(FakeEngine(default=script))
    assert entry(["pipeline.yaml", "-j", "1"]) == 0
    assert max(most) == 1


def test_no_colour_unless_asked(here, use, capsys) -> None:
    use(FakeEngine())
    entry(["pipeline.yaml"])
    assert "\x1b[" not in capsys.readouterr().out
    entry(["pipeline.yaml", "--color", "always"])
    assert "\x1b[" in capsys.readouterr().out


def test_runs_dir_comes_from_the_environment(here, use, monkeypatch) -> None:
    monkeypatch.setenv("RUN_PIPELINE_RUNS_DIR", str(here / "elsewhere"))
    use(FakeEngine())
    assert entry(["pipeline.yaml"]) == 0
    assert (here / "elsewhere/latest").exists()
    assert not (here / "runs").exists()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_signal_stops_the_run_and_names_itself_in_the_exit_code(signum, code, as_json, here, use, capsys) -> None:
    def script(step):
        os.kill(os.getpid(), signum)
        assert step.stopping.wait(20)
        return 0

    engine = use(FakeEngine({"make": script}))
    assert entry(["pipeline.yaml", "--only", "make", *(["--json"] if as_json else [])]) == code
    assert engine.leftovers() == []
    if as_json:
        document = json.loads(capsys.readouterr().out)
        assert (document["status"], document["exit_code"]) == ("interrupted", code)


def test_the_first_signal_says_what_a_second_one_would_do(here, use, capsys, monkeypatch) -> None:
    said, tell = threading.Event(), Lines.stopping

    def stopping(self) -> None:
        tell(self)
        said.set()

    def script(step):
        os.kill(os.getpid(), signal.SIGINT)
        assert step.stopping.wait(20)
        assert said.wait(20)
        return 0

    monkeypatch.setattr(Lines, "stopping", stopping)
    use(FakeEngine({"make": script}))
    assert entry(["pipeline.yaml", "--only", "make"]) == 130
    assert capsys.readouterr().out.count("stopping; Ctrl-C again kills at once") == 1


def test_a_second_signal_ends_a_script_that_ignores_the_first(here, use) -> None:
    def script(step):
        os.kill(os.getpid(), signal.SIGINT)
        step.stopping.wait(20)
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            step.stdout(b".")
            time.sleep(0.01)

    use(FakeEngine({"make": script}))
    assert entry(["pipeline.yaml", "--only", "make"]) == 130


def test_history(here, use, capsys) -> None:
    use(FakeEngine(FAILS))
    entry(["pipeline.yaml", "--json", "-k"])
    ran = json.loads(capsys.readouterr().out)
    assert entry(["runs"]) == 0
    listed = capsys.readouterr().out
    assert ran["run_id"] in listed
    assert "1 passed, 1 failed, 1 blocked" in listed
    assert entry(["show"]) == 0
    shown = capsys.readouterr().out
    assert "failed in" in shown
    assert "no data" in shown
    assert entry(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["run_id"] == ran["run_id"]
    assert entry(["show", "--json", ran["run_id"][:10]]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {key: again[key] for key in ran if key in again and key != "seconds"} == {
        key: ran[key] for key in ran if key != "seconds"
    }


def test_logs_are_byte_exact_on_their_own_streams(here, use, capfdbinary) -> None:
    use(FakeEngine({"make": Canned(exit_code=3, stdout=b"\xff\x00out\r\n", stderr=b"err")}))
    entry(["pipeline.yaml", "-q"])
    capfdbinary.readouterr()
    assert entry(["logs", "latest", "make"]) == 0
    assert capfdbinary.readouterr() == (b"\xff\x00out\r\n", b"err")
    assert entry(["logs", "latest", "make", "--stderr"]) == 0
    assert capfdbinary.readouterr() == (b"err", b"")


def test_logs_of_an_unknown_step_suggest_the_nearest(here, use, capsys) -> None:
    use(FakeEngine())
    entry(["pipeline.yaml", "-q"])
    capsys.readouterr()
    assert entry(["logs", "latest", "mak"]) == 2
    assert "did you mean 'make'?" in capsys.readouterr().err


def test_logs_of_a_blocked_step_say_why_there_are_none(here, use, capsys) -> None:
    use(FakeEngine(FAILS))
    entry(["pipeline.yaml", "-q"])
    capsys.readouterr()
    assert entry(["logs", "latest", "use"]) == 2
    assert "wrote no logs: it is blocked: make did not pass\n" in capsys.readouterr().err


def test_debug_without_a_terminal_keeps_its_options(here, use, capsys, monkeypatch) -> None:
    use(FakeEngine(FAILS))
    assert entry(["pipeline.yaml", "-q", "--runs-dir", "my runs"]) == 1
    run_id = (here / "my runs/latest").readlink().name
    capsys.readouterr()
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert entry(["debug", "make", "--run", run_id, "--runs-dir", "my runs"]) == 2
    line = capsys.readouterr().err.splitlines()[-1].partition(": ")[2]
    assert shlex.split(line) == [
        "run-pipeline", "debug", "make", "--run", run_id, "--command", "ls -lR /opt/ml", "--runs-dir", "my runs",
    ]  # fmt: skip


@pytest.mark.parametrize("command", [["show"], ["logs", "latest", "make"]])
def test_no_runs_is_said_with_what_to_do(command, here, capsys) -> None:
    assert entry(command) == 2
    assert capsys.readouterr().err == "run-pipeline: no runs in runs\nstart one with `run-pipeline FILE`\n"


def test_an_empty_list_of_runs_is_no_error(here, capsys) -> None:
    assert entry(["runs"]) == 0
    assert capsys.readouterr().out == "no runs in runs\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_signal_while_an_image_is_built_ends_it(as_json, here, use, monkeypatch, capsys) -> None:
    use(FakeEngine(missing=["python"]))
    monkeypatch.setattr(images, "ensure", lambda reference, log: signal.raise_signal(signal.SIGTERM))
    assert entry(["pipeline.yaml", *(["--json"] if as_json else [])]) == 143
    captured = capsys.readouterr()
    if as_json:
        assert json.loads(captured.out)["error"]["kind"] == "Interrupted"
    else:
        assert captured.err == "run-pipeline: stopped by SIGTERM\n"
    assert not (here / "runs").exists()


def test_a_junit_file_that_cannot_be_written_is_said_before_anything_runs(here, use, capsys) -> None:
    engine = use(FakeEngine())
    (here / "file").write_text("")
    assert entry(["pipeline.yaml", "--junit", "file/report.xml"]) == 3
    assert "--junit" in capsys.readouterr().err
    assert ("run", "make") not in engine.journal


def test_a_runs_dir_that_is_a_file_is_a_clear_error(here, use, capsys) -> None:
    use(FakeEngine())
    (here / "file").write_text("")
    assert entry(["pipeline.yaml", "--runs-dir", "file"]) == 2
    assert "--runs-dir" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["-j", "0"], ["--jobs", "many"], ["--color", "blue"], ["--only"]])
def test_wrong_values_name_the_option(wrong, here, use, capsys) -> None:
    use(FakeEngine())
    assert entry(["pipeline.yaml", *wrong]) == 2
    err = capsys.readouterr().err
    assert wrong[0] in err
    assert "--help'." in err


def test_a_fault_of_this_tool_in_mid_run_is_four_and_saved_beside_the_runs(here, use, monkeypatch, capsys) -> None:
    from runner.pipeline.execute import Driver

    use(FakeEngine())
    monkeypatch.setattr(Driver, "drive", lambda self: 1 / 0)
    assert entry(["pipeline.yaml", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert "ZeroDivisionError" in document["error"]["message"]
    (saved,) = (here / "runs").glob("internal-error-*.txt")
    assert str(saved.name) in document["error"]["remedy"]
    assert "in drive" in saved.read_text() or "lambda" in saved.read_text()
    assert entry(["runs"]) == 0
