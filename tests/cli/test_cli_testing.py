"""`test-script`, `test-compatibility` and `test-pipeline` from words to exit code, on the fake engine."""

from __future__ import annotations

import io
import json
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from runner import PipelineDAG, PipelineTestingSpec, ScriptExecutionSpec
from runner import engine as engine_room
from runner.cli.main import entry
from runner.engine.fake import Canned, FakeEngine, FakeStep, infrastructure
from runner.errors import EngineUnavailable

SCRIPT = "def main(input_paths, output_paths, environ_vars, job_args):\n    pass\n"
STEPS = {
    "steps": {
        "first": {"script": "first.py", "inputs": {"raw": "data"}, "outputs": {"table": "out/first"}},
        "second": {"script": "second.py", "inputs": {"table": "out/first"}, "outputs": {"report": "out/second"}},
    }
}
PIPELINE = """\
name: native
image: python
steps:
  first: {script: scripts/first.py, outputs: [table]}
  second: {script: scripts/second.py, inputs: {table: {from: first.table}}, outputs: [report]}
"""
FAILS = Canned(exit_code=3, stderr=b"no data\n")
LOST = Canned(outcome=infrastructure("the engine went away"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that is the current directory: two scripts, their specs and some data."""
    monkeypatch.chdir(tmp_path)
    for place in ("scripts", "data", "ws"):
        (tmp_path / place).mkdir()
    (tmp_path / "data" / "rows.csv").write_text("id,label\n1,0\n")
    for name, source, target in (("first", "data", "table"), ("second", "out/first", "report")):
        (tmp_path / "scripts" / f"{name}.py").write_text(SCRIPT)
        spec = ScriptExecutionSpec(
            script_name=name,
            step_name=name,
            input_paths={"raw" if name == "first" else "table": source},
            output_paths={target: f"out/{name}"},
        )
        spec.save_to_file("ws/.specs")
    return tmp_path


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    """Lets the command line connect to this engine."""

    def connect(engine: FakeEngine) -> FakeEngine:
        monkeypatch.setattr(engine_room, "connect", lambda: engine)
        return engine

    return connect


def test(*arguments: str) -> int:
    return entry([*arguments, "--workspace-dir", "ws"])


test.__test__ = False  # type: ignore[attr-defined]


def cases(path: Path) -> dict[str, list[str]]:
    """By name: the tags of a case's children."""
    return {str(case.get("name")): [child.tag for child in case] for case in ET.parse(path).iter("testcase")}


def the_file(kind: str) -> str:
    """A pipeline of `first` and `second`, in each form that FILE may have."""
    if kind == "pipeline":
        Path("p.yaml").write_text(PIPELINE)
    elif kind == "dict":
        Path("p.json").write_text(json.dumps(STEPS))
    elif kind == "dag":
        Path("p.json").write_text(json.dumps({"nodes": ["first", "second"], "edges": [["first", "second"]]}))
    else:
        specs = {name: ScriptExecutionSpec.load_from_file(name, "ws/.specs") for name in ("first", "second")}
        dag = PipelineDAG(["first", "second"], [("first", "second")])
        return PipelineTestingSpec(pipeline_name="p", dag=dag, script_specs=specs).save_to_file("ws")
    return "p.yaml" if kind == "pipeline" else "p.json"


KINDS = ["pipeline", "dict", "dag", "saved spec"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_file_is_run_once_and_told_by_step_and_edge(kind, here, use, capsys) -> None:
    engine = use(FakeEngine())
    assert test("test-pipeline", the_file(kind), "--junit", "report.xml") == 0
    text = capsys.readouterr().out
    assert text.startswith("pipeline: PASS, scripts 2/2, data flows 1/1 (")
    assert "first -> second: COMPATIBLE" in text
    assert cases(here / "report.xml") == {"first": [], "second": [], "first->second": []}
    assert [name for what, name in engine.journal if what == "run"] == ["first", "second"]


@pytest.mark.parametrize("kind", KINDS)
def test_json_is_one_document_of_the_same_shape(kind, here, use, capsys) -> None:
    use(FakeEngine({"second": FAILS}))
    assert test("test-pipeline", the_file(kind), "--output-format", "json", "--junit", "report.xml") == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert (document["schema_version"], document["pipeline_success"]) == (1, False)
    assert document["execution_order"] == ["first", "second"]
    assert {name: each["success"] for name, each in document["script_results"].items()} == {
        "first": True,
        "second": False,
    }
    assert document["script_results"]["second"]["exit_code"] == 3
    edge = document["data_flow_results"]["first->second"]
    assert (edge["compatible"], edge["tested"], edge["ports"]) == (False, True, {"table": "table"})
    assert any(error.startswith("second: exit-code:") for error in document["errors"])
    assert cases(here / "report.xml") == {"first": [], "second": ["failure"], "first->second": ["failure"]}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_blocked_is_skipped_in_the_junit_file(kind, here, use, capsys) -> None:
    use(FakeEngine({"first": FAILS}))
    assert test("test-pipeline", the_file(kind), "--junit", "report.xml") == 1
    assert "blocked: first did not pass" in capsys.readouterr().out
    assert cases(here / "report.xml") == {"first": ["failure"], "second": ["skipped"], "first->second": ["skipped"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_the_machine_is_three_and_an_error(kind, here, use) -> None:
    use(FakeEngine({"second": LOST}))
    assert test("test-pipeline", the_file(kind), "--junit", "report.xml") == 3
    assert cases(here / "report.xml") == {"first": [], "second": ["error"], "first->second": ["skipped"]}


def _sleeps(step: FakeStep) -> int:
    step.stopping.wait(60)
    return 143


@pytest.mark.parametrize("kind", KINDS)
def test_the_timeout_ends_a_step(kind, here, use, capsys) -> None:
    use(FakeEngine({"first": _sleeps}))
    began = time.monotonic()
    assert test("test-pipeline", the_file(kind), "--timeout", "0.2") == 1
    assert time.monotonic() - began < 30
    assert "timeout" in capsys.readouterr().out


def test_a_script_by_itself(here, use, capsys) -> None:
    engine = use(FakeEngine())
    assert test("test-script", "first", "--junit", "report.xml") == 0
    assert re.fullmatch(r"first: PASS \(\d+\.\d{3}s\)\n", capsys.readouterr().out)
    assert cases(here / "report.xml") == {"first": []}
    assert ("run", "first") in engine.journal
    use(FakeEngine({"first": FAILS}))
    assert test("test-script", "first", "--output-format", "json", "--junit", "report.xml") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["script_name"], document["success"], document["exit_code"]) == ("first", False, 3)
    assert cases(here / "report.xml") == {"first": ["failure"]}
    use(FakeEngine({"first": LOST}))
    assert test("test-script", "first", "--junit", "report.xml") == 3
    assert cases(here / "report.xml") == {"first": ["error"]}
    use(FakeEngine({"first": _sleeps}))
    assert test("test-script", "first", "--timeout", "0.2") == 1
    assert "timeout" in capsys.readouterr().out


def test_two_scripts_and_the_data_between_them(here, use, capsys) -> None:
    engine = use(FakeEngine())
    assert test("test-compatibility", "first", "second", "--junit", "report.xml") == 0
    assert capsys.readouterr().out.startswith("first -> second: COMPATIBLE")
    assert [name for what, name in engine.journal if what == "run"] == ["first", "second"]
    assert cases(here / "report.xml") == {"first": [], "second": [], "first->second": []}
    use(FakeEngine({"second": FAILS}))
    assert test("test-compatibility", "first", "second", "--output-format", "json", "--junit", "report.xml") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["compatible"], document["tested"]) == (False, True)
    assert document["result_b"]["exit_code"] == 3
    assert cases(here / "report.xml") == {"first": [], "second": ["failure"], "first->second": ["failure"]}
    use(FakeEngine({"second": LOST}))
    assert test("test-compatibility", "first", "second") == 3
    assert "NOT TESTED" in capsys.readouterr().out


def test_an_edge_that_cannot_be_bound_is_wrong_in_the_specs(here, use, capsys) -> None:
    engine = use(FakeEngine())
    ScriptExecutionSpec(
        script_name="second", step_name="second", input_paths={"x": "none", "y": "none"}, output_paths={"o": "out/o"}
    ).save_to_file("ws/.specs")
    assert test("test-compatibility", "first", "second", "--junit", "report.xml") == 2
    assert "can be bound in no way" in capsys.readouterr().out
    assert cases(here / "report.xml")["first->second"] == ["failure"]
    assert not [what for what, _ in engine.journal if what == "run"]


# Errors


@pytest.mark.parametrize("arguments", [["test-script", "frist"], ["test-compatibility", "first", "secnd"]])
def test_a_script_that_is_nowhere_names_the_nearest(arguments, here, capsys) -> None:
    assert test(*arguments, "--junit", "report.xml") == 2
    error = capsys.readouterr().err
    assert "nearest: " in error
    assert "Traceback" not in error
    assert list(cases(here / "report.xml").values()) == [["error"]]


@pytest.mark.parametrize(
    "arguments", [["test-script", "first"], ["test-compatibility", "first", "second"], ["test-pipeline", "p.yaml"]]
)
def test_no_engine_is_three_in_every_format(arguments, here, monkeypatch, capsys) -> None:
    def refuse() -> FakeEngine:
        raise EngineUnavailable("no Docker engine answers", remedy="start it")

    the_file("pipeline")
    monkeypatch.setattr(engine_room, "connect", refuse)
    assert test(*arguments, "--junit", "report.xml") == 3
    assert capsys.readouterr().err == "run-pipeline: no Docker engine answers\nstart it\n"
    assert list(cases(here / "report.xml").values()) == [["error"]]
    for words in (["--output-format", "json"], ["--output-format=json"]):
        assert test(*arguments, *words) == 3
        captured = capsys.readouterr()
        assert json.loads(captured.out)["error"]["message"] == "no Docker engine answers"
        assert captured.err == ""


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
@pytest.mark.parametrize("command", [["test-script", "first"], ["test-pipeline", "p.yaml"]])
def test_a_timeout_that_is_none_is_refused(command, value, here, capsys) -> None:
    assert test(*command, "--timeout", value) == 2
    assert "--timeout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"steps": {"a": {"script": "first.py", "inptus": {}}}}', "'inptus' (did you mean 'inputs'?)"),
        ('{"steps": {"a": {"script": "first.py", "env": {"A": 3}}}}', "steps.a.env.A: expected text, got the number 3"),
        ('{"steps": {"a": {"script": "first.py"}}, "edges": [["a", "b"]]}', "edge 'a' -> 'b': no node 'b'"),
        ('{"steps": {"a": {"script": "first.py"}}, "edges": [["a"]]}', "edges.0: expected [source, target]"),
        ('{"steps": {"a": {"script": "first.py"}}, "edges": 3}', "edges: expected a list"),
        ('{"steps": {"a": {"script": "first.py", "depends_on": 3}}}', "steps.a.depends_on: expected the name of"),
        ('{"nodes": ["a", "b"], "edges": [["a", "b"], ["b", "a"]]}', "cycle: a -> b -> a"),
        ('{"script_specs": {"a": {"script_nam": "x"}}}', "p.json:1:39: script_specs.a.script_nam: unknown key"),
        ("[1]", "p.json:1:1: "),
        ("{", "p.json:1:2: "),
    ],
)  # fmt: skip
def test_a_faulty_file_is_two_with_what_was_expected(text, said, here, capsys) -> None:
    Path("p.json").write_text(text)
    assert test("test-pipeline", "p.json") == 2
    error = capsys.readouterr().err
    assert said in error
    assert "internal" not in error


def test_a_file_that_is_missing(here, capsys) -> None:
    assert test("test-pipeline", "none.json") == 2
    assert "none.json: no such file" in capsys.readouterr().err


def test_a_junit_file_that_cannot_be_written_is_said_before_anything_runs(here, use, capsys) -> None:
    engine = use(FakeEngine())
    Path("file").write_text("")
    assert test("test-script", "first", "--junit", "file/report.xml") == 3
    assert "--junit" in capsys.readouterr().err
    assert ("run", "first") not in engine.journal


# specs


def test_saved_specs_are_listed_and_shown(here, capsys) -> None:
    assert test("specs", "list") == 0
    assert [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["first", "first"],
        ["second", "second"],
    ]
    assert test("specs", "show", "second") == 0
    assert json.loads(capsys.readouterr().out)["input_paths"] == {"table": "out/first"}
    assert test("specs", "show", "secnd") == 2
    assert "no saved spec for 'secnd' in ws/.specs (did you mean 'second'?)" in capsys.readouterr().err


def test_an_edited_spec_is_saved(here, monkeypatch, capsys) -> None:
    """Enter keeps what is shown: only the fourth question, the environment, is answered."""
    monkeypatch.setattr("sys.stdin", io.StringIO('\n\n\n{"LABEL": "y"}\n\n\n'))
    assert test("specs", "edit", "first") == 0
    assert "saved in ws/.specs" in capsys.readouterr().out
    saved = ScriptExecutionSpec.load_from_file("first", "ws/.specs")
    assert (saved.environ_vars, saved.input_paths) == ({"LABEL": "y"}, {"raw": "data"})
