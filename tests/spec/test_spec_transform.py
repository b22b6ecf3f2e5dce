"""A transform step: what SageMaker would refuse of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.spec.models import Pipeline

HEAD = "image: python\nsteps:\n  s:\n    type: transform\n"
GOOD = "    inputs: {data: data/raw}\n"


def test_a_whole_one(load_text: Callable[..., Pipeline], project: Path) -> None:
    tarfile.open(project / "model.tar.gz", "w:gz").close()
    text = """
    image: python
    steps:
      s:
        type: transform
        inputs: {model: model.tar.gz, data: {source: data/raw, content_type: text/csv}}
        outputs: {output: {allow_empty: true}}
        transform:
          {strategy: SingleRecord, split: Line, assemble: Line, accept: text/csv, max_payload: 25, max_concurrent: 4,
           max_retries: 0, invocation_timeout: 1h, ping_timeout: 10}
      t:
        inputs: {answers: {from: s.output}}
        script: a.py
    """
    step = load_text(text).spec.steps["s"]
    assert step.output_names == ("output",)
    assert step.transform is not None
    assert (step.transform.max_retries, step.transform.invocation_timeout) == (0, 3600.0)


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("", "3:3: steps.s: needs the input 'data'"),
        (GOOD + "    script: a.py\n", "steps.s.script: is not for a transform step: its image's own `serve`"),
        (GOOD + "    args: [x]\n", "steps.s.args: is not for a transform step"),
        (GOOD + "    hyperparameters: {a: 1}\n", "steps.s.hyperparameters: is not for a transform step"),
        (
            "    inputs: {dat: data/raw}\n",
            "steps.s.inputs.dat: a transform step has the inputs 'model' and 'data' and no",
        ),
        ("    inputs: {dat: data/raw}\n", "(did you mean 'data'?)"),
        ("    inputs: {data: {source: data/raw, path: /opt/ml/processing/x}}\n", "inputs.data.path: cannot be set"),
        ("    inputs: {data: {source: data/raw, private: copy}}\n", "inputs.data.private: has no effect"),
        ("    inputs: {data: {source: data/raw, distribution: ShardedByS3Key}}\n", "distribution: has no effect"),
        ("    inputs: {data: data/raw, model: data/raw}\n", "the directory 'data/raw' holds no model.tar.gz"),
        ("    inputs: {data: data/raw, model: a.py}\n", "'a.py' is no .tar.gz"),
        ("    inputs: {data: data/raw, model: {source: a.py, content_type: x}}\n", "is for 'data'; a model has none"),
        (GOOD + "    outputs: [outputs]\n", "has the output 'output' and no others (did you mean 'output'?)"),
        (GOOD + "    outputs: {output: /opt/ml/processing/x}\n", "a transform step's output directory is fixed"),
        (GOOD + "    instance_count: 2\n", "steps.s.instance_count: a transform step runs on one instance here"),
        (GOOD + "    transform: {max_payload: 0}\n", "steps.s.transform.max_payload: expected a whole number above 0"),
        (
            GOOD + "    transform: {max_retries: 4}\n",
            "steps.s.transform.max_retries: expected 0, 1, 2 or 3; got the number 4",
        ),
        (GOOD + "    transform: {split: RecordIO}\n", "steps.s.transform.split: expected None or Line"),
    ],
)
def test_what_is_refused(refuse: Callable[..., list[str]], part: str, problem: str) -> None:
    lines = refuse(HEAD + part)
    assert any(problem in line for line in lines), lines


def test_the_key_is_of_transform_steps(refuse: Callable[..., list[str]]) -> None:
    lines = refuse("image: python\nsteps:\n  s:\n    script: a.py\n    transform: {split: Line}\n")
    assert "steps.s.transform: is for steps of `type: transform`; this is a processing step" in lines[0]


def test_it_needs_an_image(refuse: Callable[..., list[str]]) -> None:
    assert "needs an 'image' that can `serve`" in refuse(HEAD.partition("\n")[2] + GOOD)[0]


DAMAGED = [b"", b"no archive", b"\x1f\x8b\x08\x00torn"]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("place", ["m/model.tar.gz", "m"])
def test_a_model_that_cannot_be_unpacked(
    refuse: Callable[..., list[str]], project: Path, place: str, content: bytes
) -> None:
    (project / "m").mkdir()
    (project / "m" / "model.tar.gz").write_bytes(content)
    (line,) = refuse(f"{HEAD}    inputs: {{data: data/raw, model: {place}}}\n")
    assert f"steps.s.inputs.model: '{place}': model.tar.gz cannot be unpacked: " in line
    assert line.endswith("; pack it again: tar -czf model.tar.gz -C DIRECTORY .")


def test_a_model_whose_members_exclude_each_other(refuse: Callable[..., list[str]], project: Path) -> None:
    with tarfile.open(project / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a"))
        tar.addfile(tarfile.TarInfo("a/b"))
    (line,) = refuse(f"{HEAD}    inputs: {{data: data/raw, model: model.tar.gz}}\n")
    assert "model.tar.gz has the member 'a/b', which lies below 'a', a file" in line


def test_a_directory_with_a_model_will_do(load_text: Callable[..., Pipeline], project: Path) -> None:
    (project / "m").mkdir()
    with tarfile.open(project / "m" / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("x"), io.BytesIO())
    assert load_text(HEAD + "    inputs: {data: data/raw, model: m}\n").spec.steps["s"].inputs["model"].source == "m"


def test_an_unknown_key_below_an_optional_model_names_the_nearest(refuse: Callable[..., list[str]]) -> None:
    text = "image: python\nsteps: {s: {type: transform, inputs: {data: data/raw}, transform: {strategi: x}}}\n"
    assert refuse(text) == ["pipeline.yaml:2:68: steps.s.transform: unknown key 'strategi' (did you mean 'strategy'?)"]
