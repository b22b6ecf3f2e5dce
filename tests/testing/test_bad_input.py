"""What is wrong with the input of a test is told at once, whole, in plain words; nothing is overwritten."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import (
    PipelineDAG,
    PipelineTestingSpec,
    PipelineTestingSpecBuilder,
    RuntimeTester,
    ScriptExecutionSpec,
)
from runner.cli.main import entry
from runner.engine.fake import Canned, FakeEngine
from runner.errors import ImageUnavailable, SpecError, UsageError

MAIN = "def main(input_paths, output_paths, environ_vars, job_args):\n    pass\n"
OUT = "/opt/ml/processing/output"
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/ml/processing/input/main-call/call_main.py", line 39, in <module>
    run()
  File "/opt/ml/processing/input/code/train.py", line 2, in main
    {line}
  File "/opt/venv/lib/python3.11/site-packages/pandas/{file}", line 1, in {function}
    raise
{error}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two scripts, and data for the first."""
    monkeypatch.chdir(tmp_path)
    for name in ("prepare", "train"):
        script(name)
    Path("raw").mkdir()
    Path("raw/a.csv").write_text("id,label\n1,0\n")
    return tmp_path


def script(name: str, text: str = MAIN) -> None:
    Path("scripts").mkdir(exist_ok=True)
    Path("scripts", f"{name}.py").write_text(text)


def fresh(**scripts: Canned) -> RuntimeTester:
    return RuntimeTester(".", engine=FakeEngine(scripts))


def builder() -> PipelineTestingSpecBuilder:
    return PipelineTestingSpecBuilder(".")


def spec(name: str, **fields: Any) -> ScriptExecutionSpec:
    return ScriptExecutionSpec(script_name=name, step_name=name, **fields)


PREPARE: dict[str, Any] = {"input_paths": {"raw": "raw"}, "output_paths": {"table": ""}}
TRAIN: dict[str, Any] = {"input_paths": {"table": "made/by/prepare"}, "output_paths": {"model": ""}}


# scripts


def test_a_missing_script_says_where_it_was_looked_for_and_what_is_near(project: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        fresh().test_script("prepar")
    assert str(caught.value) == (
        "no script for node 'prepar': looked for 'prepar.py', 'scripts/prepar.py'; nearest: scripts/prepare.py (0.92)"
    )
    result = fresh().test_script_with_spec(spec("prepare", script_path="scripts/prepre.py", **PREPARE))
    assert result.kind == "missing-script"
    assert "looked for 'scripts/prepre.py'; nearest: scripts/prepare.py" in (result.error_message or "")


def test_a_name_may_have_its_ending_and_is_no_path(project: Path) -> None:
    fresh().builder.save_script_spec(spec("prepare", **PREPARE))
    assert fresh().test_script("prepare.py").success
    with pytest.raises(ValueError, match=r"'scripts/prepare\.py' is a path: scripts are tested by their names"):
        fresh().test_script("scripts/prepare.py")


BROKEN = {
    "syntax": (
        "def main(:\n",
        "scripts/prepare.py:1:10: not valid Python: invalid syntax\n    def main(:\n" + " " * 13 + "^",
    ),
    "no entry": ("x = 1\n", "scripts/prepare.py: neither a function 'main' nor an `if __name__ == '__main__':` block"),
    "too few": ("def main(a, b):\n    pass\n", "found main(a, b)"),
    "too many": (
        "def main(input_paths, output_paths, environ_vars, job_args, more):\n    pass\n",
        "scripts/prepare.py:1: main also needs 'more', which nothing gives it: expected main(input_paths, "
        "output_paths, environ_vars, job_args), found main(input_paths, output_paths, environ_vars, job_args, more)",
    ),
    "swapped": (
        "def main(output_paths, input_paths, environ_vars, job_args):\n    pass\n",
        "main takes 'output_paths' where it is given 'input_paths'",
    ),
    "not text": (b"x = '\xff'\n", "scripts/prepare.py"),
    "NUL": (b"x = 1\0\n", "scripts/prepare.py:1:6: not valid Python: source code string cannot contain null bytes"),
    "lookup": (
        "def main(input_paths, output_paths, environ_vars, job_args):\n    open(input_paths['rwa'])\n",
        "scripts/prepare.py:2: main looks up input_paths['rwa'] (did you mean",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_script_that_cannot_run_is_told_before_anything_runs(name: str, project: Path) -> None:
    text, told = BROKEN[name]
    Path("scripts/prepare.py").write_bytes(text.encode() if isinstance(text, str) else text)
    inputs = {"raw": "raw", "other": "raw"} if name == "lookup" else {"raw": "raw"}
    result = fresh().test_script_with_spec(spec("prepare", input_paths=inputs, output_paths={"table": ""}))
    assert (result.success, result.verdict) == (False, None)
    assert told in (result.error_message or "")
    assert result.remedy
    assert not Path("runs").exists(), "nothing ran"


# inputs and edges


def test_all_missing_inputs_are_told_at_once_with_their_paths(project: Path) -> None:
    Path("empty").mkdir()
    inputs = {"a": "nowhere/a", "b": "empty", "c": "raw"}
    result = fresh().test_script_with_spec(spec("prepare", input_paths=inputs, output_paths={"o": ""}))
    assert result.error_message == (
        "missing-input: no data and no producer for inputs 'a' (nowhere/a: no such file or directory), "
        "'b' (empty: empty)"
    )
    assert not Path("runs").exists()


def test_an_edge_that_nothing_binds_shows_both_sides(project: Path) -> None:
    producer = spec("prepare", input_paths={"raw": "raw"}, output_paths={"alpha": "", "beta": ""})
    consumer = spec("train", input_paths={"gamma": "no/g", "delta": "no/d"}, output_paths={"model": ""})
    result = fresh().test_data_compatibility_with_specs(producer, consumer)
    assert (result.compatible, result.tested) == (False, False)
    assert "outputs of 'prepare': 'alpha', 'beta'" in result.compatibility_issues[0]
    assert "inputs of 'train' without data: 'gamma', 'delta'" in result.compatibility_issues[0]
    assert result.compatibility_issues[1].startswith("remedy: Give both the same host path")


def test_a_port_that_there_is_not_is_told_once_with_the_nearest(project: Path) -> None:
    flow = {"from_step": "prepare", "to_step": "train", "output": "tabel", "input": "table"}
    whole = PipelineTestingSpec(
        script_specs=[spec("prepare", **PREPARE), spec("train", **TRAIN)],  # type: ignore[arg-type]
        data_flow_specs=[flow],  # type: ignore[list-item]
    )
    result = fresh().pipeline_result(whole)
    assert result.errors[0] == "'prepare' has no output 'tabel' (did you mean 'table'?); it has: 'table'"
    assert str(result).count("has no output 'tabel'") == 1
    assert "remedy: Name an output and an input that the steps have" in str(result)
    assert result.exit_code == 2


def test_what_is_not_on_this_machine_is_named_as_it_was_written(project: Path) -> None:
    inputs = {"raw": "s3://bucket/key"}
    result = fresh().test_script_with_spec(spec("prepare", input_paths=inputs, output_paths={"o": ""}))
    assert "for input 'raw' (s3://bucket/key: put a copy on this machine)" in (result.error_message or "")


def test_a_file_in_the_way_of_an_output_is_told_before_anything_runs(project: Path) -> None:
    Path("taken").write_text("x")
    result = fresh().test_script_with_spec(spec("prepare", input_paths={"raw": "raw"}, output_paths={"o": "taken"}))
    assert result.error_message == "output-path: output 'o' is to go to taken, which is a file"
    assert result.remedy == "Name a directory in 'output_paths'."
    assert Path("taken").read_text() == "x"
    assert not Path("runs").exists()


def test_main_takes_no_list_of_words(project: Path) -> None:
    result = fresh().test_script_with_spec(spec("prepare", **PREPARE, job_args=["--fast"]))
    assert result.error_message == "arguments: main is called with job_args by name, and the spec has a list of words"


def test_an_image_that_there_is_not_is_named_with_its_step_and_no_made_up_file(project: Path, monkeypatch) -> None:
    def no_image(*_: object) -> None:
        raise ImageUnavailable("image 'x:1' cannot be pulled", remedy="load it")

    monkeypatch.setattr("runner.engine.images.ensure", no_image)
    made = RuntimeTester(".", engine=FakeEngine(missing=["x:1"]))
    with pytest.raises(ImageUnavailable) as caught:
        made.test_script_with_spec(spec("prepare", **PREPARE, image="x:1"))
    assert (caught.value.message, caught.value.remedy) == (
        "the spec of 'prepare': image 'x:1' cannot be pulled",
        "load it",
    )


# specs


CORRUPT = {
    "cut": b'{"script_name": "prepare", ',
    "no mapping": b"[1, 2]",
    "unknown key": b'{"script_name": "prepare", "input_pahts": {}}',
    "number": b'{"script_name": "prepare", "environ_vars": {"A": 1}}',
    "no text": b"\xff\xfe\x00",
    "empty": b"",
}
CALLS: dict[str, Callable[[PipelineTestingSpecBuilder], object]] = {
    "build_from_dag": lambda made: made.build_from_dag({"nodes": ["prepare"], "edges": []}),
    "build_from_dag without check": lambda made: made.build_from_dag({"nodes": ["prepare"]}, validate=False),
    "spec_for": lambda made: made.spec_for("prepare"),
    "saved_spec": lambda made: made.saved_spec("prepare"),
    "update": lambda made: made.update_script_spec("prepare", user_notes="x"),
    "update_interactive": lambda made: made.update_script_spec_interactive("prepare"),
    "save": lambda made: made.save_script_spec(spec("prepare", **PREPARE)),
    "by name": lambda made: made.get_script_spec_by_name("prepare"),
    "from steps": lambda made: made.create_pipeline_spec_from_dag("p", {"steps": {"prepare": {}}}),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", CORRUPT)
def test_a_corrupt_spec_is_told_and_stays_byte_for_byte(kind: str, call: str, project: Path) -> None:
    made = builder()
    file = made.specs_dir / "prepare_runtime_test_spec.json"
    file.write_bytes(CORRUPT[kind])
    with pytest.raises(SpecError) as caught:
        CALLS[call](made)
    assert str(caught.value).startswith(".specs/prepare_runtime_test_spec.json:")
    assert caught.value.remedy == "It stays as it is. Mend it; or remove it, and the spec is made anew."
    assert file.read_bytes() == CORRUPT[kind]
    assert [path.name for path in made.specs_dir.iterdir()] == [file.name]


def test_calls_that_read_no_spec_leave_a_corrupt_one_alone(project: Path) -> None:
    made = builder()
    file = made.specs_dir / "prepare_runtime_test_spec.json"
    file.write_bytes(CORRUPT["cut"])
    assert made.list_saved_specs() == ["prepare"]
    assert made.resolve_script_execution_spec_from_node("prepare").script_name == "prepare"
    assert made.match_step_to_spec("Prepare", ["prepare"]) == "prepare"
    assert made.validate_spec(spec("prepare", input_paths={"raw": "raw"}, output_paths={"o": "o"}))["valid"]
    assert file.read_bytes() == CORRUPT["cut"]


def test_a_cycle_is_printed(project: Path) -> None:
    cyclic = {"nodes": ["a", "b", "c"], "edges": [["a", "b"], ["b", "c"], ["c", "a"]]}
    for call in (builder().build_from_dag, fresh().test_pipeline_flow):
        with pytest.raises(UsageError, match="cycle: a -> b -> c -> a"):
            call(cyclic)


def test_nodes_without_specs_are_named_with_the_call_that_mends_each(project: Path) -> None:
    dag = PipelineDAG(["prepare", "train", "serve"], [("prepare", "train"), ("train", "serve")])
    whole = PipelineTestingSpec(dag=dag, script_specs={"prepare": spec("prepare", **PREPARE)})
    with pytest.raises(ValueError, match="no spec for: train, serve") as caught:
        fresh().test_pipeline_flow_with_spec(whole)
    for node in ("train", "serve"):
        assert f"builder.update_script_spec('{node}', input_paths={{...}}, output_paths={{...}})" in str(caught.value)


def test_nodes_without_scripts_are_named_with_the_call_that_mends_each(project: Path) -> None:
    with pytest.raises(ValueError, match="not every one of the 3 nodes") as caught:
        builder().build_from_dag({"nodes": ["Prepare", "Trian", "Serve"], "edges": []})
    message = str(caught.value)
    assert "no script for node 'Trian': looked for 'trian.py', 'scripts/trian.py'; nearest: scripts/train.py" in message
    assert "builder.update_script_spec('Serve', script_path='...')" in message
    assert "'Prepare'" not in message
    assert builder().list_saved_specs() == [], "a default that is saved would win over the script's contract later"
    script("serve")
    own = builder().specs_dir / "prepare_runtime_test_spec.json"
    own.write_text('{"script_name": "prepare", "input_paths": {"raw": "raw"}, "output_paths": {"o": "o"}}')
    before = own.read_bytes()
    builder().build_from_dag({"nodes": ["Serve", "prepare"], "edges": []})
    assert own.read_bytes() == before, "what a person wrote stays as it is"
    assert builder().list_saved_specs() == ["prepare", "serve"]


def test_a_contract_for_another_script_is_told_with_both_names(project: Path) -> None:
    Path("contracts").mkdir()
    Path("contracts/prepare_contract.py").write_text("PREPARE_CONTRACT = ScriptContract(entry_point='clean.py')\n")
    result = fresh().test_script_with_spec(spec("prepare", **PREPARE))
    assert [note for note in result.notes if "clean.py" in note and "prepare.py" in note], result.notes


@pytest.mark.parametrize("value", [1, 0.5, None, True, ["a"], {"a": "b"}])
def test_an_environment_value_is_text(value: object, project: Path) -> None:
    with pytest.raises(ValueError, match=r"environ_vars\.A"):
        spec("prepare", environ_vars={"A": value})
    saved = builder().save_script_spec(spec("prepare", **PREPARE))
    before = Path(saved).read_bytes()
    for call in (
        lambda: builder().update_script_spec("prepare", environ_vars={"A": value}),
        lambda: fresh().test_script("prepare", {"environ_vars": {"A": value}}),
        lambda: fresh().test_script_with_spec(spec("prepare", **PREPARE), {"environ_vars": {"A": value}}),
        lambda: fresh().test_pipeline_flow({"steps": {"p": {"script": "prepare.py", "environ_vars": {"A": value}}}}),
    ):
        with pytest.raises(ValueError, match=r"environ_vars\.A: expected text, got ") as caught:
            call()
        assert isinstance(caught.value, UsageError)
        assert "pydantic" not in str(caught.value)
    assert Path(saved).read_bytes() == before


MISSHAPEN: list[tuple[Any, str]] = [
    (None, "a pipeline is a mapping"),
    ([1], "a pipeline is a mapping"),
    ({}, "nothing to test: expected 'steps', or 'nodes' and 'edges'"),
    ({"nodes": [], "edges": []}, "the pipeline has no steps: there is nothing to test"),
    ({"nodes": "ab"}, "nodes: expected a list of names, got 'ab'"),
    ({"nodes": ["a"], "edges": [["a"]]}, r"edges\.0: expected \[source, target\] or .*, got \['a'\]"),
    ({"nodes": ["a"], "edges": [{"source": "a"}]}, r"edges\.0: expected \[source, target\]"),
    ({"nodes": ["a"], "edges": 5}, "edges: expected a list of edges, got the number 5"),
    ({"nodes": ["a"], "edges": [["a", "b"]]}, "edge 'a' -> 'b': no node 'b'"),
    ({"nodes": ["a", "a"]}, "node 'a' is given twice"),
    ({"steps": []}, "steps: expected a mapping from node"),
    ({"steps": {"p": "prepare.py"}}, r"steps\.p: expected a mapping, as .*; got 'prepare.py'"),
    ({"steps": {"p": {"scrpt": "x.py"}}}, r"unknown key 'scrpt' \(did you mean 'script'\?\)"),
    ({"steps": {"p": {"script": "prepare.py", "depends_on": 5}}}, r"steps\.p\.depends_on: expected the name of a step"),
    ({"steps": {"p": {"script": "prepare.py", "env": {"A": 1}}}}, r"steps\.p\.env\.A: expected text, got the number 1"),
    ({"stesp": {}}, r"stesp: unknown key \(did you mean 'steps'\?\)"),
]


@pytest.mark.parametrize(("config", "told"), MISSHAPEN, ids=[told for _, told in MISSHAPEN])
def test_what_is_no_pipeline_is_refused_with_its_place(config: Any, told: str, project: Path) -> None:
    with pytest.raises(UsageError, match=told):
        fresh().test_pipeline_flow(config)


# data


def failing(line: str, file: str, function: str, error: str) -> Canned:
    words = TRACEBACK.format(line=line, file=file, function=function, error=error)
    return Canned(exit_code=1, stderr=words.encode())


def pair(prepared: dict[str, bytes], consumer: Canned) -> Any:
    made = fresh(prepare=Canned(files={f"{OUT}/table/{name}": data for name, data in prepared.items()}), train=consumer)
    return made.test_data_compatibility_with_specs(spec("prepare", **PREPARE), spec("train", **TRAIN))


def test_half_a_parquet_is_a_risk_of_the_edge_and_the_reason_of_the_failure(project: Path) -> None:
    import pandas as pd

    pd.DataFrame({"id": range(100)}).to_parquet("whole.parquet")
    half = Path("whole.parquet").read_bytes()[:-300]
    error = "pyarrow.lib.ArrowInvalid: Parquet magic bytes not found in footer."
    result = pair({"t.parquet": half}, failing("pd.read_parquet(path)", "io/parquet.py", "read_parquet", error))
    assert result.result_b.kind == "encoding"
    assert "half-written: parquet ends with the mark PAR1" in result.compatibility_issues[0]
    assert result.compatibility_issues[1].startswith("remedy: let 'prepare' close the file")
    assert any("half-written" in risk for risk in result.risks)
    assert fresh()._find_valid_output_files(project / "nowhere") == []


def test_an_empty_csv_that_nobody_minds_is_a_risk(project: Path) -> None:
    result = pair({"t.csv": b""}, Canned(files={f"{OUT}/model/m.txt": b"m"}))
    assert result.compatible
    assert any("'t.csv': is empty" in risk for risk in result.risks)


def test_a_hundred_thousand_columns_cost_little_and_fill_no_screen(project: Path) -> None:
    names = [f"column_{index}" for index in range(100_000)]
    table = ",".join(names) + "\n" + 3 * (",".join("7" for _ in names) + "\n")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    error = "KeyError: 'colunm_99999'"
    result = pair({"t.csv": table.encode()}, failing("table['colunm_99999']", "core/frame.py", "__getitem__", error))
    seconds = time.monotonic() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert result.result_b.kind == "missing-column"
    assert result.schemas[0]["column_count"] == 100_000
    assert len(result.schemas[0]["columns"]) == 200
    assert len(str(result)) < 5_000
    assert len(json.dumps(result.to_dict())) < 200_000
    assert seconds < 60
    assert grown < 500, f"{grown:.0f} MiB"


# the command line


def cli(*arguments: str) -> int:
    return entry([*arguments, "--workspace-dir", "."])


WRONG: dict[str, tuple[str, str]] = {
    "cycle.json": (
        '{"nodes": ["prepare", "train"],\n "edges": [["prepare", "train"], ["train", "prepare"]]}',
        "cycle.json:2:2: edges: cycle: prepare -> train -> prepare\nRemove one edge of the cycle.",
    ),
    "environment.json": (
        '{"steps": {"p": {"script": "prepare.py",\n  "env": {"A": 1}}}}',
        "environment.json:2:16: steps.p.env.A: expected text, got the number 1",
    ),
    "specs.json": (
        '{"script_specs": {"a": {"script_name": "a",\n  "environ_vars": {"A": 1}}}}',
        "specs.json:2:25: script_specs.a.environ_vars.A: expected text, got the number 1",
    ),
    "edge.json": (
        '{"nodes": ["a"],\n "edges": [["a"]]}',
        "edge.json:2:12: edges.0: expected [source, target] or {'source': ..., 'target': ...}, got ['a']",
    ),
    "cut.json": ('{"nodes": ["a"', "cut.json:1:15: not valid JSON"),
    "none.json": ('{"nodes": [], "edges": []}', "run-pipeline: the pipeline has no steps"),
    "lacking.json": (
        '{"script_specs": {"prepare": {"script_name": "prepare"}}, "dag": {"nodes": ["prepare", "x"], "edges": []}}',
        "run-pipeline: no spec for: x",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_pipeline_file_ends_with_2_and_one_clear_text(name: str, project: Path, capsys) -> None:
    text, told = WRONG[name]
    Path(name).write_text(text)
    assert cli("test-pipeline", name) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(told)
    assert "Traceback" not in captured.err
    assert cli("test-pipeline", name, "--output-format", "json") == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert captured.err == ""
    assert error["exit_code"] == 2
    assert error["message"].startswith(told.partition("\n")[0].removeprefix("run-pipeline: "))
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["test-script", "prepar"], "no script for node 'prepar'"),
        (["test-script", "scripts/prepare.py"], "'scripts/prepare.py' is a path"),
        (["test-compatibility", "prepare", "trian"], "no script for node 'trian'"),
        (["test-compatibility", "prepare", "prepare"], "both specs are of step 'prepare'"),
        (["test-pipeline", "nowhere.json"], "nowhere.json: no such file"),
        (["test-pipeline", "scripts"], "scripts: is a directory"),
        (["test-script", "prepare", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["specs", "show", "nowhere"], "no saved spec for 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_with_2_and_one_clear_text(arguments: list[str], told: str, project: Path, capsys) -> None:
    assert cli(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err.splitlines()[0]
    assert "Traceback" not in captured.err
    if arguments[0] == "specs":
        return
    for form in (["--output-format", "json"], ["--output-format=json"]):
        assert cli(*arguments, *form) == 2
        captured = capsys.readouterr()
        assert (captured.err, told in json.loads(captured.out)["error"]["message"]) == ("", True)


def test_a_corrupt_spec_ends_with_2_and_stays(project: Path, capsys) -> None:
    file = builder().specs_dir / "prepare_runtime_test_spec.json"
    file.write_bytes(CORRUPT["cut"])
    for arguments in (
        ["test-script", "prepare"], ["test-compatibility", "prepare", "train"], ["specs", "show", "prepare"],
        ["specs", "list"], ["specs", "edit", "prepare"],
    ):  # fmt: skip
        assert cli(*arguments) == 2, arguments
        captured = capsys.readouterr()
        assert captured.err.startswith(".specs/prepare_runtime_test_spec.json:1:28: not valid JSON"), arguments
        assert "It stays as it is." in captured.err
        assert file.read_bytes() == CORRUPT["cut"]


def test_a_script_that_cannot_run_ends_with_1_and_one_document(project: Path, capsys) -> None:
    script("prepare", "def main(:\n")
    builder().save_script_spec(spec("prepare", **PREPARE))
    assert cli("test-script", "prepare", "--color", "never") == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("prepare: FAIL (not run)\n  syntax: scripts/prepare.py:1:10: not valid Python")
    assert cli("test-script", "prepare", "--output-format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["success"], document["kind"]) == (False, "syntax")
