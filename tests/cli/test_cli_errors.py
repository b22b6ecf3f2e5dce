"""Every exception ends as a message with a remedy and the exit code of the table, with and without `--json`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import click
import pytest

from runner import errors
from runner.cli import program as program_module
from runner.cli.failure import as_known, asks_for_json
from runner.cli.main import entry
from runner.cli.options import command, json_option, runs_dir_option

PROBLEM = errors.Problem("p.yaml", 14, 5, "steps.A", "no step 'B'")

TABLE = [
    (errors.UsageError("wrong", remedy="do it right"), 2),
    (errors.SpecError([PROBLEM], remedy="fix the file"), 2),
    (errors.NothingSelectedError("nothing", remedy="select something"), 5),
    (errors.EnvironmentFault("fault", remedy="cure"), 3),
    (errors.EngineUnavailable("no engine", remedy="start it"), 3),
    (errors.EngineLost("engine lost", remedy="start it again"), 3),
    (errors.ImageUnavailable("no image", remedy="build it"), 3),
    (errors.WorkspaceError("disk full", remedy="make room"), 3),
    (errors.Interrupted(signal.SIGINT), 130),
    (errors.Interrupted(signal.SIGTERM), 143),
    (errors.Interrupted(signal.SIGHUP), 129),
    (errors.InternalError("broken"), 4),
    (click.UsageError("bad option"), 2),
    (click.Abort(), 130),
    (KeyboardInterrupt(), 130),
    (BrokenPipeError(32, "the engine's socket"), 4),
    (ZeroDivisionError("division by zero"), 4),
]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):
    """Puts a command `fail` into the program that raises what it is given."""

    def use(error: BaseException) -> None:
        @command("run-pipeline fail")
        @json_option
        @runs_dir_option
        def fail(as_json: bool, runs_dir: Path) -> None:
            raise error

        monkeypatch.setattr(program_module.program, "get_command", lambda ctx, name: fail if name == "fail" else None)

    return use


@pytest.mark.parametrize(("error", "code"), TABLE, ids=lambda value: type(value).__name__)
def test_exit_code_and_message(error, code, raising, capsys, tmp_path) -> None:
    raising(error)
    assert entry(["fail", "--runs-dir", str(tmp_path)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    if isinstance(error, errors.RunnerError):
        assert error.message in captured.err
        assert error.remedy in captured.err


@pytest.mark.parametrize(("error", "code"), TABLE, ids=lambda value: type(value).__name__)
def test_json_has_exactly_one_document_on_stdout(error, code, raising, capsys, tmp_path) -> None:
    raising(error)
    assert entry(["fail", "--json", "--runs-dir", str(tmp_path)]) == code
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert document["schema_version"] == 1
    assert document["error"]["exit_code"] == code
    assert document["error"]["message"]


def test_problems_of_a_file_begin_with_their_place(raising, capsys) -> None:
    raising(errors.SpecError([PROBLEM]))
    entry(["fail"])
    assert capsys.readouterr().err == "p.yaml:14:5: steps.A: no step 'B'\n"


def test_problems_in_json_have_line_and_column(raising, capsys) -> None:
    raising(errors.SpecError([PROBLEM]))
    entry(["fail", "--json"])
    assert json.loads(capsys.readouterr().out)["error"]["problems"] == [
        {"file": "p.yaml", "line": 14, "column": 5, "path": "steps.A", "message": "no step 'B'"}
    ]


def test_traceback_of_an_internal_error_is_saved_beside_the_runs(raising, capsys, tmp_path) -> None:
    raising(ZeroDivisionError("division by zero"))
    assert entry(["fail", "--runs-dir", str(tmp_path)]) == 4
    (saved,) = tmp_path.iterdir()
    assert str(saved) in capsys.readouterr().err
    text = saved.read_text()
    assert "Traceback (most recent call last)" in text
    assert "ZeroDivisionError: division by zero" in text
    assert text.startswith("run-pipeline ")


def test_traceback_goes_to_the_temp_directory_when_there_are_no_runs(raising, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    raising(ZeroDivisionError())
    assert entry(["fail", "--runs-dir", str(tmp_path / "absent")]) == 4
    (saved,) = tmp_path.iterdir()
    assert str(saved) in capsys.readouterr().err


def test_traceback_is_printed_when_it_can_be_saved_nowhere(raising, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    raising(ZeroDivisionError("division by zero"))
    assert entry(["fail", "--runs-dir", str(tmp_path / "absent")]) == 4
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "saved nowhere" in err


def test_an_unknown_command_suggests_the_nearest(capsys) -> None:
    assert entry(["plann"]) == 2
    assert "no command and no file 'plann' (did you mean 'plan'?)" in capsys.readouterr().err


def test_an_unknown_command_like_nothing_lists_the_commands(capsys) -> None:
    assert entry(["zzzzqq"]) == 2
    assert "(commands are run, watch, plan, validate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["pipeline.yaml", "specs.json"], "'some' is a directory; did you mean 'some/pipeline.yaml'?"),
        (["only.yml", "code.py"], "'some' is a directory; did you mean 'some/only.yml'?"),
        (["a.yaml", "b.yaml"], "'some' is a directory; name a pipeline file (one of some/a.yaml, some/b.yaml)"),
        ([], "'some' is a directory; name a pipeline file (it holds none)"),
    ],
)
def test_a_directory_is_called_one_and_its_file_named(files, said, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some").mkdir()
    for name in files:
        Path("some", name).touch()
    assert entry(["some"]) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_option_suggests_the_nearest(capsys) -> None:
    assert entry(["graph", "p.yaml", "--frmat", "dot"]) == 2
    err = capsys.readouterr().err
    assert "--frmat" in err
    assert "--format" in err
    assert "Try 'run-pipeline graph --help'." in err


def test_a_usage_error_is_json_too(capsys) -> None:
    assert entry(["validate", "--json", "--nonsense"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "UsageError"


def test_json_is_not_read_behind_a_double_dash() -> None:
    assert asks_for_json(["plan", "--json", "--", "x"])
    assert not asks_for_json(["plan", "--", "--json"])


def test_an_internal_error_of_our_own_saves_a_traceback_as_well(tmp_path: Path) -> None:
    assert str(tmp_path) in as_known(errors.InternalError("impossible"), tmp_path).remedy
