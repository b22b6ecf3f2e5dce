"""What people may write, and the one shape that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from runner.spec import Edge, edges, order
from runner.spec.fields import StepType
from runner.spec.models import InputSpec, OutputSpec, Pipeline, PipelineSpec, Resources, StepSpec
from runner.spec.mounts import input_path, output_path

Load = Callable[..., Pipeline]

FULL = """\
name: breast-cancer
image: xgboost
images: {123.dkr.ecr.eu-west-1.amazonaws.com/xgb:3.0-5: xgboost}
env: {SHARED: 010, DATE: 2024-01-31}
steps:
  Prepare:
    script: a.py
    args: {job_type: training}
    env: {LABEL: target}
    inputs:
      DATA: data/raw
    outputs:
      processed: /opt/ml/processing/done/
      extra:
      more: {path: /opt/ml/processing/more, allow_empty: true}
  Train:
    type: training
    source_dir: src
    script: main.py
    hyperparameters: {eta: 0.10, verbose: True, layers: [1, 2.50], opt: {name: adam}, empty: ''}
    timeout: 1.5h
    stop_grace: 5
    network: bridge
    resources: {cpus: 1.5, memory: 2g, shm_size: 67108864, pids: 100}
    inputs:
      train: {from: Prepare.processed}
    outputs: {output: {allow_empty: true}}
  Report:
    entrypoint: [python3, -m, http.server, 8000]
    args: [--rate, 0.10, yes, true, "a b", '$HOME']
    inputs:
      model: {from: Train.model, path: /opt/ml/processing/model}
      rows: {source: data/raw/rows.csv}
    depends_on: Prepare
"""


def test_every_form_becomes_one_shape(load_text: Load, project: Path) -> None:
    pipeline = load_text(FULL)
    assert pipeline.file == project / "pipeline.yaml"
    assert pipeline.source_text == FULL.encode()
    spec = pipeline.spec
    assert spec.env == {"SHARED": "010", "DATE": "2024-01-31"}
    prepare, train, report = spec.steps.values()
    assert prepare.args == ("--job_type", "training")
    assert prepare.inputs == {"DATA": InputSpec(source="data/raw")}
    assert prepare.outputs == {
        "processed": OutputSpec(path="/opt/ml/processing/done"),
        "extra": OutputSpec(),
        "more": OutputSpec(path="/opt/ml/processing/more", allow_empty=True),
    }
    assert train.type is StepType.TRAINING
    assert train.hyperparameters == {
        "eta": "0.10",
        "verbose": "True",
        "layers": "[1, 2.50]",
        "opt": '{"name": "adam"}',
        "empty": "",
    }
    assert (train.timeout, train.stop_grace, train.network) == (5400.0, 5.0, "bridge")
    assert train.resources == Resources(cpus=1.5, memory="2g", shm_size=67108864, pids=100)
    assert train.inputs["train"].from_ == "Prepare.processed"
    assert train.output_names == ("model", "output")
    assert report.entrypoint == ("python3", "-m", "http.server", "8000")
    assert report.args == ("--rate", "0.10", "yes", "true", "a b", "$HOME")
    assert report.depends_on == ("Prepare",)


def test_edges_and_order(load_text: Load) -> None:
    spec = load_text(FULL).spec
    assert edges(spec) == (
        Edge("Prepare", "processed", "Train", "train"),
        Edge("Train", "model", "Report", "model"),
        Edge("Prepare", None, "Report", None),
    )
    assert order(spec) == ("Prepare", "Train", "Report")


def test_container_paths(load_text: Load) -> None:
    steps = load_text(FULL).spec.steps
    assert input_path(steps["Prepare"], "DATA") == "/opt/ml/processing/input/DATA"
    assert input_path(steps["Report"], "model") == "/opt/ml/processing/model"
    assert input_path(steps["Train"], "train") == "/opt/ml/input/data/train"
    assert output_path(steps["Prepare"], "processed") == "/opt/ml/processing/done"
    assert output_path(steps["Prepare"], "extra") == "/opt/ml/processing/output/extra"
    assert output_path(steps["Train"], "model") == "/opt/ml/model"
    assert output_path(steps["Train"], "output") == "/opt/ml/output/data"


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("{a: 1, b: , c: [x, 2.0], d: []}", ("--a", "1", "--b", "--c", "x", "2.0", "--d")),
        ("{a: true, b: False, c: yes, d: ''}", ("--a", "true", "--b", "False", "--c", "yes", "--d", "")),
        ("{-n: 5, --long-name: x}", ("-n", "5", "--long-name", "x")),
        ("[1.0, 0x10, on, 2020-01-01]", ("1.0", "0x10", "on", "2020-01-01")),
        ("[]", None),
        ("{}", None),
        ("", None),
    ],
)
def test_args(load_text: Load, written: str, argv: tuple[str, ...] | None) -> None:
    text = f"image: python\nsteps:\n  s:\n    script: a.py\n    args: {written}\n"
    assert load_text(text).spec.steps["s"].args == argv


def test_a_key_with_nothing_after_it_counts_as_not_written(load_text: Load) -> None:
    keys = [field.alias or name for name, field in StepSpec.model_fields.items() if name not in ("script", "image")]
    body = "".join(f"    {key}:\n" for key in keys)
    spec = load_text(f"name:\nimage: python\nenv:\nimages:\nsteps:\n  s:\n    script: a.py\n{body}").spec
    assert spec.steps["s"] == StepSpec(script="a.py")


def test_the_name_defaults_to_the_files(load_text: Load) -> None:
    text = '{"steps": {"s": {"script": "a.py", "image": "python"}}}'
    assert load_text(text, "my pipe.json").spec.name == "my pipe"


def test_host_paths_start_at_the_file_or_at_home(
    load_text: Load, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "sub").mkdir()
    monkeypatch.setenv("HOME", str(project / "data"))
    text = f"""
        image: python
        steps:
          s:
            script: ../a.py
            inputs: {{home: ~/raw, absolute: {project}/data/raw, up: ../data/raw}}
    """
    pipeline = load_text(text, "sub/p.yaml")
    step = pipeline.spec.steps["s"]
    assert pipeline.script(step) == project / "a.py"
    assert {pipeline.host(given.source or "") for given in step.inputs.values()} == {project / "data" / "raw"}


def test_the_files_path_is_absolute_and_keeps_links(project: Path) -> None:
    from runner.spec import load

    (project / "sub").mkdir()
    (project / "real.yaml").write_text("image: python\nsteps: {s: {script: a.py}}\n")
    (project / "link.yaml").symlink_to("real.yaml")
    pipeline = load(Path("sub/../link.yaml"))
    assert pipeline.file == project / "link.yaml"
    assert pipeline.root == project


def test_anchors_and_merge_keys_share_settings(load_text: Load) -> None:
    text = """
        image: python
        steps:
          one: &base
            script: a.py
            env: &env {A: 1}
          two:
            <<: *base
            env: {<<: *env, B: 2}
    """
    spec = load_text(text).spec
    assert spec.steps["two"] == StepSpec(script="a.py", env={"A": "1", "B": "2"})
    assert spec.steps["one"].env == {"A": "1"}


def test_models_take_plain_python_values_too() -> None:
    step = StepSpec(script="a.py", args=("--x", "1"), inputs={"d": InputSpec(source="x")}, timeout=5)
    assert PipelineSpec(name="n", steps={"s": step}).steps["s"].timeout == 5.0
    with pytest.raises(ValidationError, match="expected text, a number, true or false; got a list"):
        StepSpec(env={"A": []})  # type: ignore[dict-item]
    with pytest.raises(ValidationError, match="both 'source' and 'from'"):
        InputSpec.model_validate({"source": "x", "from": "a.b"})


def test_a_loaded_spec_can_be_written_and_read_again(load_text: Load) -> None:
    spec = load_text(FULL).spec
    assert PipelineSpec.model_validate_json(spec.model_dump_json(by_alias=True)) == spec


def test_two_uses_of_one_output_are_one_edge_of_the_graph(load_text: Load) -> None:
    text = """
        image: python
        steps:
          b:
            script: a.py
            inputs: {x: {from: a.o}, y: {from: a.o}}
            depends_on: [a]
          a: {script: a.py, outputs: [o]}
    """
    assert order(load_text(text).spec) == ("a", "b")
