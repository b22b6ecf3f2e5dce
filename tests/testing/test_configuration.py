"""`RuntimeTestingConfiguration`: every field changes what a test does. On the fake engine."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from testing.workspaces import COPY, chain, put

from runner import (
    EnhancedScriptExecutionSpec,
    PipelineDAG,
    PipelineTestingSpec,
    RuntimeTester,
    RuntimeTestingConfiguration,
    ScriptExecutionSpec,
)
from runner.engine.fake import Canned, FakeEngine
from runner.errors import SpecError


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        put(tmp_path / f"scripts/{name}.py", COPY)
    put(tmp_path / "in/table.csv", "id\n1\n")
    return tmp_path


def spec(name: str, **more: Any) -> ScriptExecutionSpec:
    given = {"script_name": name, "input_paths": {"data_input": "in"}, "output_paths": {"data_output": f"out/{name}"}}
    return ScriptExecutionSpec.model_validate({**given, **more})


def pipeline(**more: Any) -> PipelineTestingSpec:
    return PipelineTestingSpec(
        dag=chain(["first", "second"]), script_specs=[spec("first"), spec("second")], test_workspace_root="w", **more
    )


def a_tester(engine: FakeEngine | None = None, **settings: Any) -> RuntimeTester:
    given = settings if "pipeline_spec" in settings else {"workspace_dir": "w", **settings}
    return RuntimeTester(RuntimeTestingConfiguration(**given), engine=engine or FakeEngine())


def runs() -> list[str]:
    return [path.name for path in Path("w/runs").iterdir()]


def test_one_of_the_two_places_is_needed():
    with pytest.raises(ValidationError, match="at least one of 'pipeline_spec' and 'workspace_dir'"):
        RuntimeTestingConfiguration()
    assert RuntimeTestingConfiguration(pipeline_spec=pipeline()).root == "w"
    assert RuntimeTestingConfiguration(pipeline_spec=pipeline(), workspace_dir="x").root == "x"


@pytest.mark.parametrize("seconds", [0, -1])
def test_timeout_is_positive(seconds):
    with pytest.raises(ValidationError, match="timeout_seconds"):
        RuntimeTestingConfiguration(workspace_dir="w", timeout_seconds=seconds)


def test_unknown_field_and_level():
    with pytest.raises(ValidationError, match=r"unknown key 'timeout_second' \(did you mean 'timeout_seconds'\?\)"):
        RuntimeTestingConfiguration(workspace_dir="w", timeout_second=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="log_level"):
        RuntimeTestingConfiguration(workspace_dir="w", log_level="LOUD")  # type: ignore[arg-type]


def test_dict_and_back():
    config = RuntimeTestingConfiguration(pipeline_spec=pipeline(pipeline_name="p"), timeout_seconds=9)
    plain = json.loads(json.dumps(config.to_dict()))
    again = RuntimeTestingConfiguration.from_dict(plain)
    assert again.to_dict() == config.to_dict()
    assert again.pipeline_spec is not None and again.pipeline_spec.dag.edges == [("first", "second")]
    with pytest.raises(ValueError, match="did you mean 'log_level'"):
        RuntimeTestingConfiguration.from_dict({"workspace_dir": "w", "loglevel": "INFO"})


def test_pipeline_file_with_an_unknown_key_names_the_line(project):
    put(project / "p_pipeline_test_spec.json", '{"script_specs":\n {"a": {"script_name": "a", "inptu_paths": {}}}}')
    with pytest.raises(SpecError, match=r"p_pipeline_test_spec\.json:2:.*did you mean 'input_paths'"):
        PipelineTestingSpec.load_from_file("p", project)


def test_timeout_seconds_unless_the_spec_has_its_own():
    for own, wanted in ((None, 7.0), (3, 3.0)):
        engine = FakeEngine()
        assert a_tester(engine, timeout_seconds=7).test_script_with_spec(spec("first", timeout=own)).success
        assert engine.launches["first"].job.limits.timeout == wanted


def told(caplog: pytest.LogCaptureFixture, **settings: Any) -> set[str]:
    caplog.set_level(logging.NOTSET)
    caplog.clear()
    tested = a_tester(**settings)
    assert tested.test_script("first", {"input_paths": {"data_input": "in"}}).success
    tested.builder.save_script_spec(spec("first"))
    return {record.levelname for record in caplog.records if record.name.startswith("runner.testing")}


def test_enable_logging(caplog):
    assert told(caplog, enable_logging=True) == {"INFO"}
    assert told(caplog, enable_logging=False) == set()


def test_log_level(caplog):
    assert told(caplog, log_level="DEBUG") == {"DEBUG", "INFO"}
    assert told(caplog, log_level="WARNING") == set()


@pytest.mark.parametrize(("cleanup", "keep"), [(True, False), (True, True), (False, False), (False, True)])
def test_cleanup_and_outputs_of_a_passed_test(cleanup, keep):
    result = a_tester(cleanup_after_test=cleanup, preserve_outputs=keep).test_script_with_spec(spec("first"))
    assert result.outputs == {"data_output": "out/first"}
    assert Path("out/first/fake.txt").is_file(), "what the spec asks for is delivered in any case"
    left = [path.relative_to("w/runs") for path in Path("w/runs").glob("2*/steps/first/outputs/*/*")]
    assert bool(left) == (keep or not cleanup)
    if cleanup and not keep:
        assert runs() == [], "nor is there a `latest` that leads nowhere"
        assert (result.run_dir, result.stdout_path) == (None, None)
        assert list(Path("w").glob(".test-*")) == []
    else:
        assert Path(result.stdout_path or "").is_file()


@pytest.mark.parametrize("cleanup", [True, False])
def test_logs_of_a_failed_test_stay(cleanup):
    engine = FakeEngine({"first": Canned(exit_code=3, stderr=b"why\n")})
    result = a_tester(engine, cleanup_after_test=cleanup).test_script_with_spec(spec("first"))
    assert not result.success
    assert Path(result.stderr_path or "").read_text() == "why\n"
    assert (Path(result.run_dir or "") / "steps/first/reproduce.sh").is_file()
    assert bool(list(Path("w/runs").glob("2*/steps/first/attempt"))) == (not cleanup)


def test_what_reproduce_needs_stays_as_long_as_its_run():
    failing = FakeEngine({"first": Canned(exit_code=3)})
    result = a_tester(failing).test_script_with_spec(spec("first"))
    [made] = Path("w").glob(".test-*")
    assert (made / "calls/first/call.json").is_file()
    assert str(made) in (Path(result.run_dir or "") / "steps/first/reproduce.sh").read_text()
    assert a_tester().test_script_with_spec(spec("first")).success
    assert made.exists()
    for path in sorted(Path(result.run_dir or "").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    Path(result.run_dir or "").rmdir()
    assert a_tester().test_script_with_spec(spec("first")).success
    assert not made.exists()


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("test_individual_scripts", "scripts"),
        ("test_data_compatibility", "data_compatibility"),
        ("test_pipeline_flow", "pipeline_flow"),
    ],
)
def test_parts_of_a_test(field, part):
    every = {"scripts", "data_compatibility", "pipeline_flow"}
    off = dict.fromkeys(("test_individual_scripts", "test_data_compatibility", "test_pipeline_flow"), False)
    whole = a_tester(pipeline_spec=pipeline()).test()
    assert (whole.keys(), whole["success"]) == (every | {"success"}, True)
    alone = a_tester(pipeline_spec=pipeline(), **{**off, field: True}).test()
    assert alone.keys() == {part, "success"}
    without = a_tester(pipeline_spec=pipeline(), **{field: False}).test()
    assert without.keys() == (every - {part}) | {"success"}
    engine = FakeEngine({"second": Canned(exit_code=1)})
    assert not a_tester(engine, pipeline_spec=pipeline(), **{**off, field: True}).test()["success"]


def test_nothing_to_test():
    off = dict.fromkeys(("test_individual_scripts", "test_data_compatibility", "test_pipeline_flow"), False)
    with pytest.raises(ValueError, match="nothing to test"):
        a_tester(pipeline_spec=pipeline(), **off).test()
    with pytest.raises(ValueError, match="no pipeline_spec"):
        a_tester().test()


def two(aliases: bool, output: str, port: str) -> PipelineTestingSpec:
    """Two steps with two ports each, of which one pair must be found by name."""
    a = spec("first", output_paths={output: "o1", "unlike": "o2"})
    b = spec("second", input_paths={port: "i1", "another": "i2"})
    if aliases:
        b = EnhancedScriptExecutionSpec.from_script_execution_spec(b, {port: [output]})
    put(Path("i2/x.csv"), "id\n1\n")
    return PipelineTestingSpec(dag=chain(["first", "second"]), script_specs=[a, b], test_workspace_root="w")


def bound(spec: PipelineTestingSpec, **settings: Any) -> dict[str, str]:
    put(Path("scripts/first.py"), 'if __name__ == "__main__":\n    pass\n')
    put(Path("scripts/second.py"), 'if __name__ == "__main__":\n    pass\n')
    result = a_tester(**settings).test_pipeline_flow_with_spec(spec)
    return result["data_flow_results"]["first->second"].ports


def test_enable_enhanced_features():
    """Of two specs by themselves, whose aliases count only with it."""
    specs = two(True, "cleaned", "zzz").script_specs
    put(Path("scripts/first.py"), 'if __name__ == "__main__":\n    pass\n')
    put(Path("scripts/second.py"), 'if __name__ == "__main__":\n    pass\n')
    pair = (specs["first"], specs["second"])
    with_it = a_tester(enable_enhanced_features=True).test_data_compatibility_with_specs(*pair)
    assert with_it.ports == {"cleaned": "zzz"}
    without = a_tester().test_data_compatibility_with_specs(*pair)
    assert without.ports == {}
    assert not without.compatible and "can be bound" in without.compatibility_issues[0]


def test_enable_logical_matching():
    found = two(False, "trained_model", "model_trained")
    assert bound(found, enable_logical_matching=True) == {"trained_model": "model_trained"}
    assert bound(found) == {}


def test_enhanced_specs_turn_both_on():
    config = RuntimeTestingConfiguration(pipeline_spec=two(True, "a", "b"))
    assert (config.enable_enhanced_features, config.enable_logical_matching) == (True, True)
    config = RuntimeTestingConfiguration(pipeline_spec=two(False, "a", "b"))
    assert (config.enable_enhanced_features, config.enable_logical_matching) == (False, False)


def test_use_workspace_aware(project):
    put(project / "mine/scripts/first.py", COPY)
    put(project / "mine/in/mine.csv", "id\n1\n")
    seen: list[list[str]] = []

    def look(step: Any) -> None:
        seen.append([path.name for path in step.inputs["data_input"].iterdir()])
        (step.outputs["data_output"] / "x").write_text("x")

    aware = pipeline(workspace_aware_root="mine")
    for use in (False, True):
        tested = a_tester(FakeEngine({"first": look}), pipeline_spec=aware, use_workspace_aware=use)
        assert tested.test_script_with_spec(spec("first")).success
        assert tested._find_script_path("first") == str(project / ("mine/" if use else "") / "scripts/first.py")
    assert seen == [["table.csv"], ["mine.csv"]]
    assert Path("out/first/x").is_file() and Path("mine/out/first/x").is_file()
    with pytest.raises(ValidationError, match="use_workspace_aware needs a pipeline_spec with a workspace_aware_root"):
        RuntimeTestingConfiguration(pipeline_spec=pipeline(), use_workspace_aware=True)


def test_a_lone_output_goes_to_the_only_directory():
    """The other input is a file, as the contract says: no step writes one."""
    put(Path("contracts/second_contract.py"), (
        "from base import ScriptContract\nSECOND = ScriptContract(entry_point='second.py', expected_input_paths={"
        "'rows': '/opt/ml/processing/input/rows', 'settings': '/opt/ml/processing/input/config/settings.json'},"
        " expected_output_paths={'o': '/opt/ml/processing/output'})\n"))  # fmt: skip
    put(Path("settings/settings.json"), "{}")
    put(Path("scripts/second.py"), 'if __name__ == "__main__":\n    pass\n')
    b = spec("second", input_paths={"rows": "in", "settings": "settings"}, output_paths={"o": "o"})
    result = a_tester().test_data_compatibility_with_specs(spec("first"), b)
    assert result.compatible, str(result)
    assert result.ports == {"data_output": "rows"}
    assert result.notes == ("output 'data_output' is bound to input 'rows': the only one that is a directory",)
    named = spec("first", output_paths={"settings": "o1"})
    put(Path("scripts/first.py"), 'if __name__ == "__main__":\n    pass\n')
    assert a_tester().test_data_compatibility_with_specs(named, b).ports == {"settings": "settings"}, "a name wins"


def test_script_path_is_used_without_a_script_of_the_name():
    put(Path("elsewhere/other.py"), COPY)
    given = {"script_path": "elsewhere/other.py", "input_paths": {"data_input": "in"}}
    assert a_tester().test_script("no_such_name", given).success
    with pytest.raises(FileNotFoundError):
        a_tester().test_script("no_such_name")


def test_wrong_threshold():
    with pytest.raises(ValueError, match="semantic_threshold is above 0 and at most 1, got 2"):
        RuntimeTester("w", semantic_threshold=2)


def test_nodes_without_a_spec():
    lacking = PipelineTestingSpec(dag=PipelineDAG(["first", "lost"]), script_specs={"first": spec("first")})
    with pytest.raises(ValueError, match=r"no spec for: lost\n.*update_script_spec\('lost'"):
        a_tester().test_pipeline_flow_with_spec(lacking)
