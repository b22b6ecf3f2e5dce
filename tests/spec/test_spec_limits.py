"""The limits of SageMaker's API: a warning with its place, or with `strict` an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import SpecError
from runner.spec import load

Load = Callable[..., Any]
Refuse = Callable[..., list[str]]

LONG = "x" * 256
"""At the limit of a word, and of a variable's name and value."""
DEEP = "/opt/ml/processing/" + "/".join(["d" * 78] * 3)
"""A path of 255 characters."""

PROCESSING = [
    ({"inputs": {f"i{n}": "data/raw" for n in range(10)}},
     "steps.s.inputs: 10 inputs and the code, which counts as one; SageMaker takes at most 10 (ProcessingInputs)"),
    ({"source_dir": "src", "script": "main.py", "inputs": {f"i{n}": "data/raw" for n in range(9)}},
     "steps.s.inputs: 9 inputs and the code, which counts as two; SageMaker takes at most 10 (ProcessingInputs)"),
    ({"outputs": {f"o{n}": None for n in range(11)}},
     "steps.s.outputs: 11 outputs; SageMaker takes at most 10 (ProcessingOutputConfig.Outputs)"),
    ({"args": ["x"] * 101}, "steps.s.args: 101 words; SageMaker takes at most 100 (ContainerArguments)"),
    ({"args": ["a", LONG + "x"]},
     f"steps.s.args: word 2, '{'x' * 30}...', has 257 characters; SageMaker takes at most 256 (ContainerArguments)"),
    ({"args": {"name": LONG + "x"}},
     f"steps.s.args: word 2, '{'x' * 30}...', has 257 characters; SageMaker takes at most 256 (ContainerArguments)"),
    ({"args": ["a", ""]}, "steps.s.args: word 2 is empty; SageMaker takes no empty words (ContainerArguments)"),
    ({"entrypoint": ["x"] * 101}, "steps.s.entrypoint: 101 words; SageMaker takes at most 100 (ContainerEntrypoint)"),
    ({"entrypoint": [LONG + "x"]},
     f"steps.s.entrypoint: word 1, '{'x' * 30}...', has 257 characters; SageMaker takes at most 256"
     " (ContainerEntrypoint)"),
    ({"script": "s" * 224 + ".py"},
     "steps.s.script: its path in the container has 257 characters; SageMaker takes at most 256 (ContainerEntrypoint)"),
    ({"env": {f"V{n}": "x" for n in range(100)}},
     "steps.s.env: 101 variables, the pipeline's included; SageMaker takes at most 100 (Environment)"),
    ({"env": {"V": LONG + "x"}},
     "steps.s.env.V: the value has 257 characters; SageMaker takes at most 256 (Environment)"),
    ({"env": {"V" * 257: "x"}},
     f"steps.s.env.{'V' * 257}: the name has 257 characters; SageMaker takes at most 256 (Environment)"),
    ({"inputs": {"i": {"source": "data/raw", "path": DEEP + "dd"}}},
     "steps.s.inputs.i: the path has 257 characters; SageMaker takes at most 256 (S3Input.LocalPath)"),
    ({"outputs": {"o": DEEP + "dd"}},
     "steps.s.outputs.o: the path has 257 characters; SageMaker takes at most 256 (S3Output.LocalPath)"),
    ({"timeout": "10d"},
     "steps.s.timeout: 864000 seconds; SageMaker takes at most 777600 (StoppingCondition.MaxRuntimeInSeconds)"),
    ({"timeout": 0.5},
     "steps.s.timeout: 0.5 seconds; SageMaker takes at least 1 (StoppingCondition.MaxRuntimeInSeconds)"),
    ({"instance_count": 101},
     "steps.s.instance_count: 101 instances; SageMaker takes at most 100 (ClusterConfig.InstanceCount)"),
]  # fmt: skip

TRAINING = [
    ({"inputs": {f"i{n}": "data/raw" for n in range(21)}},
     "steps.s.inputs: 21 channels; SageMaker takes at most 20 (InputDataConfig)"),
    ({"inputs": {"c" * 65: "data/raw"}},
     f"steps.s.inputs.{'c' * 65}: the name has 65 characters;"
     " SageMaker takes at most 64 (InputDataConfig.ChannelName)"),
    ({"hyperparameters": {f"h{n}": 1 for n in range(96)}},
     "steps.s.hyperparameters: 96 hyperparameters and the 5 that SageMaker's SDK adds for a script;"
     " SageMaker takes at most 100 (HyperParameters)"),
    ({"script": None, "entrypoint": ["x"], "hyperparameters": {f"h{n}": 1 for n in range(101)}},
     "steps.s.hyperparameters: 101 hyperparameters; SageMaker takes at most 100 (HyperParameters)"),
    ({"hyperparameters": {"h": "x" * 2501}},
     "steps.s.hyperparameters.h: the value has 2501 characters; SageMaker takes at most 2500 (HyperParameters)"),
    ({"hyperparameters": {"h" * 257: "x"}},
     f"steps.s.hyperparameters.{'h' * 257}: the name has 257 characters;"
     " SageMaker takes at most 256 (HyperParameters)"),
    ({"env": {"V": "x" * 513}},
     "steps.s.env.V: the value has 513 characters; SageMaker takes at most 512 (Environment)"),
    ({"env": {"V" * 513: "x"}},
     f"steps.s.env.{'V' * 513}: the name has 513 characters; SageMaker takes at most 512 (Environment)"),
    ({"timeout": 0.25},
     "steps.s.timeout: 0.25 seconds; SageMaker takes at least 1 (StoppingCondition.MaxRuntimeInSeconds)"),
]  # fmt: skip

SERVED: dict[str, Any] = {"script": None, "inputs": {"data": "data/raw"}}
TRANSFORM = [
    ({"transform": {"max_payload": 60, "max_concurrent": 2}},
     "steps.s.transform.max_concurrent: max_concurrent 2 times max_payload 60 is 120 MB; SageMaker takes at most 100"
     " (MaxConcurrentTransforms, MaxPayloadInMB)"),
    ({"transform": {"invocation_timeout": "2h"}},
     "steps.s.transform.invocation_timeout: 7200 seconds; SageMaker takes at most 3600"
     " (ModelClientConfig.InvocationsTimeoutInSeconds)"),
    ({"transform": {"invocation_timeout": 0.5}},
     "steps.s.transform.invocation_timeout: 0.5 seconds; SageMaker takes at least 1"
     " (ModelClientConfig.InvocationsTimeoutInSeconds)"),
    ({"env": {f"V{n}": "x" for n in range(16)}},
     "steps.s.env: 17 variables, the pipeline's included; SageMaker takes at most 16 (Environment)"),
    ({"env": {"V": "x" * 10241}},
     "steps.s.env.V: the value has 10241 characters; SageMaker takes at most 10240 (Environment)"),
    ({"env": {"V" * 1025: "x"}},
     f"steps.s.env.{'V' * 1025}: the name has 1025 characters; SageMaker takes at most 1024 (Environment)"),
]  # fmt: skip

CASES = [
    *(("processing", *case) for case in PROCESSING),
    *(("training", *case) for case in TRAINING),
    *(("transform", SERVED | step, line) for step, line in TRANSFORM),
]


def document(kind: str, step: dict[str, Any]) -> str:
    return json.dumps({"image": "x", "env": {"SHARED": "1"}, "steps": {"s": {"type": kind, "script": "a.py", **step}}})


@pytest.fixture(autouse=True)
def _scripts(project: Path) -> None:
    for length in (223, 224):
        (project / ("s" * length + ".py")).write_text("")


@pytest.mark.parametrize(("kind", "step", "line"), CASES, ids=[line[:90] for _, _, line in CASES])
def test_a_limit_is_a_warning_and_with_strict_an_error(
    load_text: Load, project: Path, kind: str, step: dict[str, Any], line: str
) -> None:
    pipeline = load_text(document(kind, step), "pipeline.json")
    assert [f"{remark.path}: {remark.message}" for remark in pipeline.remarks] == [line]
    assert all((remark.file, remark.line) == ("pipeline.json", 1) for remark in pipeline.remarks)
    with pytest.raises(SpecError) as caught:
        load(project / "pipeline.json", strict=True)
    assert caught.value.problems == pipeline.remarks
    assert "Without --strict" in caught.value.remedy


AT_THE_LIMIT = [
    (
        "processing",
        {
            "inputs": {f"i{n}": "data/raw" for n in range(8)} | {"deep": {"source": "a.py", "path": DEEP + "d"}},
            "outputs": {f"o{n}": None for n in range(9)} | {"deep": DEEP[:-1] + "o"},
            "args": [LONG] * 100,
            "env": {f"V{n}": LONG for n in range(98)} | {"V" * 256: ""},
            "timeout": 777600,
            "instance_count": 100,
        },
    ),
    ("processing", {"entrypoint": [LONG] * 100, "timeout": 1}),
    ("processing", {"script": "s" * 223 + ".py"}),
    ("processing", {"source_dir": "src", "script": "main.py", "inputs": {f"i{n}": "data/raw" for n in range(8)}}),
    ("processing", {"inputs": {"n" * 65: "data/raw"}}),
    (
        "training",
        {
            "inputs": {f"i{n}": "data/raw" for n in range(19)} | {"c" * 64: "data/raw"},
            "hyperparameters": {f"h{n}": "x" * 2500 for n in range(94)} | {"h" * 256: ""},
            "env": {"V" * 512: "x" * 512},
            "timeout": 777601,
        },
    ),
]


@pytest.mark.parametrize(("kind", "step"), AT_THE_LIMIT)
def test_what_is_at_the_limit_is_no_remark(load_text: Load, kind: str, step: dict[str, Any]) -> None:
    assert load_text(document(kind, step), "pipeline.json").remarks == ()


def test_each_remark_has_its_line_and_they_stand_in_the_order_of_the_file(load_text: Load) -> None:
    pipeline = load_text(
        f"""\
        image: x
        steps:
          one:
            script: a.py
            timeout: 0.5
            args:
              - fine
              - {"y" * 257}
            outputs:
              o:
                path: {DEEP}dd
          two:
            script: a.py
            env:
              V: {"v" * 257}
        """
    )
    places = [(remark.line, remark.column, remark.path) for remark in pipeline.remarks]
    assert places == [
        (5, 5, "steps.one.timeout"),
        (8, 9, "steps.one.args"),
        (11, 15, "steps.one.outputs.o"),
        (15, 7, "steps.two.env.V"),
    ]


def test_a_variable_of_the_pipelines_own_is_told_once_where_it_stands(load_text: Load) -> None:
    text = f"""\
        image: x
        env:
          FINE: short
          A: {"x" * 600}
          {"N" * 257}: short
        steps:
          s: {{script: a.py}}
          t: {{script: a.py}}
          own: {{script: a.py, env: {{A: short}}}}
          fit: {{type: training, script: a.py}}
          serve: {{type: transform, inputs: {{data: data/raw}}}}
        """
    assert [str(remark) for remark in load_text(text).remarks] == [
        "pipeline.yaml:4:3: env.A: the value has 600 characters; SageMaker takes at most 256 for a processing step,"
        " 512 for a training step (Environment of 's', 't', 'fit')",
        f"pipeline.yaml:5:3: env.{'N' * 257}: the name has 257 characters; SageMaker takes at most 256 for a"
        " processing step (Environment of 's', 't', 'own')",
    ]


def test_too_many_variables_of_the_pipelines_own_are_told_once(load_text: Load) -> None:
    variables = ", ".join(f"V{n}: x" for n in range(17))
    text = f"""\
        image: x
        env: {{{variables}}}
        steps:
          s: {{script: a.py}}
          one: {{type: transform, inputs: {{data: data/raw}}}}
          two: {{type: transform, inputs: {{data: data/raw}}, env: {{MORE: x}}}}
        """
    assert [str(remark) for remark in load_text(text).remarks] == [
        "pipeline.yaml:2:1: env: 17 variables; SageMaker takes at most 16 for a transform step"
        " (Environment of 'one', 'two')"
    ]


def test_with_strict_limits_stand_among_the_other_faults(load_text: Load, project: Path, refuse: Refuse) -> None:
    text = "image: x\nsteps:\n  s: {script: a.py, timeout: 0.5}\n  t: {script: gone.py}\n"
    fault = "pipeline.yaml:4:15: steps.t.script: no file 'gone.py' (looked for gone.py)"
    assert refuse(text) == [fault]
    with pytest.raises(SpecError) as caught:
        load(project / "pipeline.yaml", strict=True)
    assert str(caught.value).splitlines() == [
        "pipeline.yaml:3:21: steps.s.timeout: 0.5 seconds; SageMaker takes at least 1"
        " (StoppingCondition.MaxRuntimeInSeconds)",
        fault,
    ]


def test_a_limit_in_an_execution_spec_is_placed_there(project: Path) -> None:
    (project / "dag.json").write_text('{"nodes": ["a"], "edges": [], "image": "x"}')
    (project / "specs").mkdir()
    (project / "specs" / "a_runtime_test_spec.json").write_text('{"script_name": "a",\n "timeout": 0.5}')
    (remark,) = load(project / "dag.json", project / "specs").remarks
    assert (remark.file, remark.line) == ("specs/a_runtime_test_spec.json", 2)
