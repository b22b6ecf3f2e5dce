"""The commands that need no engine: validate, plan, graph, schema; and which word names a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.cli.main import entry

PIPELINE = """\
name: two
image: python
steps:
  make:
    script: make.py
    args: {rows: 3}
    env: {PRICE: "pa$sword"}
    inputs: {DATA: data}
    outputs: {table: }
  use:
    script: use.py
    inputs:
      table: {from: make.table}
    outputs: {report: }
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a pipeline of two steps."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "make.py").write_text("print('make')\n")
    (tmp_path / "use.py").write_text("print('use')\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.csv").write_text("a\n1\n")
    return tmp_path


def test_validate_says_what_is_valid(here, capsys) -> None:
    assert entry(["validate", "pipeline.yaml"]) == 0
    assert capsys.readouterr().out == "pipeline.yaml: valid, 2 steps\n"


def test_validate_reports_every_faulty_file_by_place(here, capsys) -> None:
    (here / "bad.yaml").write_text(PIPELINE.replace("make.table", "mke.table"))
    assert entry(["validate", "bad.yaml", "pipeline.yaml", "absent.yaml"]) == 2
    captured = capsys.readouterr()
    assert "bad.yaml:13:" in captured.out
    assert "did you mean 'make'?" in captured.out
    assert "pipeline.yaml: valid" in captured.out
    assert "absent.yaml" in captured.out
    assert captured.err == "2 of 3 files are not valid\n"


def test_validate_json_has_line_and_column(here, capsys) -> None:
    (here / "bad.yaml").write_text(PIPELINE.replace("make.table", "mke.table"))
    assert entry(["validate", "--json", "bad.yaml", "pipeline.yaml"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["valid"] is False
    bad, good = document["files"]
    assert (bad["valid"], good["valid"]) == (False, True)
    assert bad["problems"][0]["line"] == 13
    assert good["steps"] == ["make", "use"]


LIMIT = "pipeline.yaml:6:5: steps.make.args: 101 words; SageMaker takes at most 100 (ContainerArguments)"


@pytest.fixture
def too_many_words(here: Path) -> None:
    """The pipeline, above one limit of SageMaker's API."""
    words = "[" + ", ".join(["x"] * 101) + "]"
    (here / "pipeline.yaml").write_text(PIPELINE.replace("{rows: 3}", words))


@pytest.mark.usefixtures("too_many_words")
def test_a_limit_of_the_api_is_a_warning_with_its_place(capsys) -> None:
    assert entry(["validate", "pipeline.yaml"]) == 0
    assert capsys.readouterr().out == f"{LIMIT}\npipeline.yaml: valid, 2 steps, 1 warning; with --strict not valid\n"
    assert entry(["plan", "pipeline.yaml"]) == 0
    assert capsys.readouterr().out.endswith(f"\nwarnings\n   {LIMIT}\n")
    assert entry(["plan", "pipeline.yaml", "--shell"]) == 0
    captured = capsys.readouterr()
    assert "docker run" in captured.out
    assert captured.err == f"{LIMIT}\n"
    assert entry(["validate", "--json", "pipeline.yaml"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["valid"], file["problems"]) == (True, [])
    assert [(found["line"], found["path"]) for found in file["warnings"]] == [(6, "steps.make.args")]
    assert entry(["plan", "--json", "pipeline.yaml"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == file["warnings"]


@pytest.mark.usefixtures("too_many_words")
@pytest.mark.parametrize("words", [["run"], ["run", "--dry-run"], ["plan"], ["validate"]])
def test_with_strict_it_is_an_error_before_anything_starts(words, here, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    assert entry([*words, "--strict", "pipeline.yaml"]) == 2
    captured = capsys.readouterr()
    assert (captured.out + captured.err).splitlines()[0] == LIMIT
    assert "Without --strict it is a warning" in captured.out + captured.err
    assert entry([*words, "--strict", "--json", "pipeline.yaml"]) == 2
    document = json.loads(capsys.readouterr().out)
    (problem,) = document["files"][0]["problems"] if words == ["validate"] else document["error"]["problems"]
    assert (document["schema_version"], problem["line"], problem["path"]) == (1, 6, "steps.make.args")
    assert not (here / "runs").exists()


def test_validate_needs_no_engine(here, monkeypatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    assert entry(["validate", "pipeline.yaml"]) == 0


def test_plan_shows_command_environment_and_mounts(here, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    assert entry(["plan", "pipeline.yaml"]) == 0
    text = capsys.readouterr().out
    assert "two: 2 steps, pipeline.yaml" in text
    assert "command   python3 /opt/ml/processing/input/code/make.py --rows 3" in text
    assert "PRICE" in text and "pa$sword" in text
    assert "make.table" in text
    assert text.index("1  make") < text.index("2  use")


def test_dry_run_is_plan(here, capsys) -> None:
    entry(["plan", "pipeline.yaml", "--only", "make"])
    planned = capsys.readouterr().out
    assert entry(["pipeline.yaml", "-n", "--only", "make"]) == 0
    assert capsys.readouterr().out == planned
    assert not (here / "runs").exists()


def test_plan_json_is_one_document_with_a_version(here, capsys) -> None:
    assert entry(["plan", "--json", "pipeline.yaml"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["order"] == ["make", "use"]


def test_nothing_selected_is_five(here, capsys) -> None:
    assert entry(["plan", "pipeline.yaml", "--only", "make", "--skip", "make"]) == 5
    assert "loosen" in capsys.readouterr().err


def test_an_unknown_step_is_a_usage_error_with_the_nearest(here, capsys) -> None:
    assert entry(["plan", "pipeline.yaml", "--from", "mak"]) == 2
    assert "--from: no step 'mak' (did you mean 'make'?)" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "mermaid", "dot", "json"])
def test_graph_names_every_step(form, here, capsys) -> None:
    assert entry(["graph", "pipeline.yaml", "--format", form]) == 0
    text = capsys.readouterr().out
    assert "make" in text
    assert "use" in text


def test_schema_is_a_json_schema(capsys) -> None:
    assert entry(["schema"]) == 0
    assert "steps" in json.loads(capsys.readouterr().out)["properties"]


@pytest.mark.parametrize("options", [["-n"], ["--dry-run", "--skip", "use"]])
def test_options_may_come_before_the_file(options, here, capsys) -> None:
    assert entry([*options, "pipeline.yaml"]) == 0
    assert "1  make" in capsys.readouterr().out


def test_a_file_with_another_ending_is_run_when_it_exists(here, capsys) -> None:
    (here / "pipeline.conf").write_text(PIPELINE)
    assert entry(["pipeline.conf", "-n"]) in (0, 2)  # whether its syntax is known is the loader's to say
    assert "no command" not in capsys.readouterr().err


def test_a_missing_file_is_an_error_about_the_file(here, capsys) -> None:
    assert entry(["absent.yaml"]) == 2
    err = capsys.readouterr().err
    assert "absent.yaml" in err
    assert "no command" not in err


def test_a_file_named_like_a_command_is_reached_by_run(here, capsys) -> None:
    (here / "doctor").write_text(PIPELINE)
    entry(["run", "doctor", "-n"])
    captured = capsys.readouterr()
    assert "doctor" in captured.out + captured.err
    assert "engine" not in captured.out


def test_a_command_behind_an_option_is_named_as_such(here, capsys) -> None:
    assert entry(["--json", "plan", "pipeline.yaml"]) == 2
    assert "run-pipeline plan" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_plan_shell_is_bash_with_docker_commands(here, capsys) -> None:
    assert entry(["plan", "pipeline.yaml", "--shell"]) == 0
    text = capsys.readouterr().out
    assert "docker run" in text
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_plan_shell_and_json_exclude_each_other(here, capsys) -> None:
    assert entry(["plan", "pipeline.yaml", "--shell", "--json"]) == 2
    assert "choose one" in json.loads(capsys.readouterr().out)["error"]["message"]
