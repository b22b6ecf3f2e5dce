"""No verdict is better than what happened: what looks like a pass and is none. On the fake engine where it can."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner import (
    EnhancedScriptExecutionSpec,
    PipelineTestingSpec,
    RuntimeTester,
    RuntimeTestingConfiguration,
    ScriptExecutionSpec,
)
from runner.cli.main import entry
from runner.engine.fake import Canned, FakeEngine
from runner.testing.scratch import scratch

WRITES = """
from pathlib import Path

def main(input_paths, output_paths, environ_vars, job_args):
    Path(output_paths["out"], "data.csv").write_text("id\\n1\\n")
"""
OUT = "/opt/ml/processing/output/out"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "data.csv").write_text("id\n1\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(WRITES)
    return tmp_path


def fake(**more: Any) -> RuntimeTester:
    wrote = Canned(files={f"{OUT}/data.csv": b"id\n1\n"})
    return RuntimeTester("ws", engine=FakeEngine({"a": wrote, "b": wrote}), **more)


def spec(name: str, **more: Any) -> ScriptExecutionSpec:
    return ScriptExecutionSpec(script_name=name, step_name=name, **more)


def test_an_edge_that_carries_no_data_is_not_compatible() -> None:
    result = fake().test_data_compatibility_with_specs(
        spec("a", input_paths={"raw": "raw"}, output_paths={"out": ""}), spec("b", output_paths={"out": ""})
    )
    assert (result.compatible, result.tested, result.ports) == (False, False, {})
    assert "no output of 'a' reaches an input of 'b'" in result.compatibility_issues[0]


def test_a_data_flow_is_an_edge_also_beside_a_dag_that_lacks_it() -> None:
    whole = PipelineTestingSpec(
        dag={"nodes": ["a", "b"], "edges": []},
        script_specs=[
            spec("a", input_paths={"raw": "raw"}, output_paths={"out": ""}),
            spec("b", input_paths={"in": "raw"}, output_paths={"out": ""}),
        ],
        data_flow_specs=[{"from_step": "a", "to_step": "b", "output": "out", "input": "in"}],  # type: ignore[list-item]
    )
    result = fake().pipeline_result(whole)
    assert result.pipeline_success, str(result)
    assert result.data_flow_results["a->b"].ports == {"out": "in"}
    assert result.script_results["b"].data_sources == {"in": "producer"}


def test_a_coroutine_function_is_refused(project: Path) -> None:
    (project / "a.py").write_text(WRITES.replace("def main", "async def main"))
    result = fake().test_script_with_spec(spec("a", output_paths={"out": ""}))
    assert (result.success, result.kind, result.verdict) == (False, "signature", None)
    assert "a.py:4: main is a coroutine function" in (result.error_message or "")


@pytest.mark.docker
def test_a_generator_has_not_run(project: Path) -> None:
    (project / "a.py").write_text(WRITES + "    yield 1\n")
    result = RuntimeTester("ws").test_script_with_spec(spec("a", output_paths={"out": ""}))
    assert (result.success, result.exit_code) == (False, 1)
    assert "main() only made a generator: nothing of it has run" in (result.error_message or "")


def test_an_entrypoint_without_effect_is_refused() -> None:
    result = fake().test_script_with_spec(spec("a", entrypoint=["false"]))
    assert (result.success, result.kind) == (False, "spec")
    assert "entrypoint would have no effect" in (result.error_message or "")


def test_made_up_data_is_marked_and_comes_after_what_the_spec_expects() -> None:
    consumer = spec("b", input_paths={"in": "none"}, output_paths={"out": ""})
    producer = {"input_paths": {"raw": "none"}, "output_paths": {"out": "x"}}
    spec("a", **producer).save_to_file("ws/.specs")
    consumer.save_to_file("ws/.specs")
    result = fake().test_data_compatibility("a", "b")
    assert result.result_a is not None
    assert result.result_a.data_sources == {"raw": "synthetic"}
    given = fake().test_data_compatibility("a", "b", {"id": [1, 2]})
    assert given.result_a is not None
    assert given.result_a.data_sources == {"raw": "user"}


@pytest.mark.parametrize("sample", [[1, 2], {}, {"a": 1}, {"a": [1], "b": [1, 2]}], ids=str)
def test_a_sample_that_is_no_table_is_refused(sample: Any) -> None:
    with pytest.raises(ValueError, match="sample_data"):
        fake().test_data_compatibility("a", "b", sample)


def test_a_project_that_is_not_there_is_refused() -> None:
    whole = PipelineTestingSpec(script_specs=[spec("a")], workspace_aware_root="no/such")
    with pytest.raises(ValueError, match="workspace_aware_root: no directory 'no/such'"):
        RuntimeTestingConfiguration(pipeline_spec=whole, use_workspace_aware=True)


def test_an_output_below_a_file_is_told_before_anything_runs() -> None:
    result = fake().test_script_with_spec(spec("a", output_paths={"out": "a.py/deep"}))
    assert (result.kind, result.verdict) == ("output-path", None)
    assert result.error_message == "output-path: output 'out' is to go to a.py/deep, and a.py is a file"


@pytest.mark.parametrize("name", ["", "a b"])
def test_a_name_that_cannot_be_one_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["test-script", name], ["test-compatibility", name, "a"], ["specs", "edit", name]):
        assert entry(words) == 2, words
        assert "internal error" not in capsys.readouterr().err


def test_aliases_are_a_list() -> None:
    with pytest.raises(ValueError, match="expected a list of names, got the text 'abc'"):
        EnhancedScriptExecutionSpec.from_script_execution_spec(
            spec("a", input_paths={"raw": "raw"}),
            input_aliases={"raw": "abc"},
        )


def test_a_pipeline_name_that_is_a_path_is_not_saved() -> None:
    with pytest.raises(ValueError, match="cannot be the name of a file"):
        PipelineTestingSpec(script_specs=[spec("a")], pipeline_name="../out").save_to_file("specs")
    assert not Path("out_pipeline_test_spec.json").exists()


def test_what_a_killed_tester_left_is_removed_and_of_a_living_one_nothing() -> None:
    dead = Path("ws/.test-dead")
    dead.mkdir(parents=True)
    os.utime(dead, (1, 1))
    with scratch(Path("ws")) as mine:
        os.utime(mine.folder, (1, 1))
        with scratch(Path("ws")):
            assert not dead.exists()
            assert mine.folder.exists()


@pytest.mark.docker
def test_a_secret_that_a_producer_wrote_is_masked_in_what_is_said_of_its_consumer(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "k3y" * 12 + "x"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE00000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    (project / "p.py").write_text(
        "import os\nkey = os.environ['AWS_SECRET_ACCESS_KEY']\n"
        "open('/opt/ml/processing/output/out/t.csv', 'w').write(f'id,{key}\\n1,2\\n')\n"
    )
    (project / "c.py").write_text(
        "import pandas as pd\nprint(pd.read_csv('/opt/ml/processing/input/in/t.csv')['label'])\n"
    )
    steps = {
        "p": {"script": "p.py", "credentials": "environment", "outputs": ["out"]},
        "c": {"script": "c.py", "inputs": {"in": {"from": "p.out"}}},
    }
    (project / "secret.json").write_text(json.dumps({"image": "sklearn", "steps": steps}))
    assert entry(["test-pipeline", "secret.json", "--workspace-dir", "ws", "--output-format", "json"]) == 1
    told = capsys.readouterr()
    assert "missing-column" in told.out
    assert secret not in told.out + told.err
    outputs = Path("ws/runs/latest/steps/p/outputs").resolve()
    for file in Path("ws/runs").rglob("*"):
        if file.is_file() and not file.resolve().is_relative_to(outputs):
            assert secret.encode() not in file.read_bytes(), file
