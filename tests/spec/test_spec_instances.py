"""Instance types: the table, and what a file may name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.spec import instances

Refuse = Callable[..., list[str]]
STEP = "image: python\nsteps:\n  s:\n    type: {job}\n    entrypoint: [x]\n    {key}\n"


@pytest.mark.parametrize(
    ("name", "cpus", "gib", "gpus"),
    [
        ("ml.m5.xlarge", 4, 16, 0),
        ("ml.t3.medium", 2, 4, 0),
        ("ml.c4.xlarge", 4, 7.5, 0),
        ("ml.r5.24xlarge", 96, 768, 0),
        ("ml.g4dn.12xlarge", 48, 192, 4),
        ("ml.p2.xlarge", 4, 61, 1),
        ("ml.p2.8xlarge", 32, 488, 8),
        ("ml.p2.16xlarge", 64, 732, 16),
        ("ml.p3.2xlarge", 8, 61, 1),
        ("ml.p3.8xlarge", 32, 244, 4),
        ("ml.p3.16xlarge", 64, 488, 8),
        ("ml.p3dn.24xlarge", 96, 768, 8),
        ("ml.p6e-gb200.36xlarge", 144, 960, 4),
        ("ml.p4d.24xlarge", 96, 1152, 8),
    ],
)
def test_sizes_that_aws_publishes(name: str, cpus: int, gib: float, gpus: int) -> None:
    found = instances.table()[name]
    assert (found.cpus, found.memory, found.gpus) == (cpus, int(gib * (1 << 30)), gpus)


def test_every_row_is_whole_and_the_file_says_where_it_comes_from() -> None:
    assert len(instances.table()) > 200
    for found in instances.table().values():
        assert found.name.startswith("ml.")
        assert found.cpus > 0
        assert found.memory >= 1 << 30
        assert set(found.jobs) <= {"processing", "training", "transform"}
        assert found.jobs
        assert bool(found.accelerator) == bool(found.gpus or found.neurons)
    document = json.loads(Path(instances.__file__).with_name("instances.json").read_text())
    assert any("botocore" in source for source in document["sources"])
    assert any("EC2" in source for source in document["sources"])


@pytest.mark.parametrize(
    ("job", "key", "message"),
    [
        (
            "processing",
            "instance_type: ml.m5.xlrge",
            "'ml.m5.xlrge' is no instance type that SageMaker has for processing steps (did you mean 'ml.m5.xlarge'?)",
        ),
        (
            "processing",
            "instance_type: m5.xlarge",
            "'m5.xlarge' is no instance type that SageMaker has for processing steps (did you mean 'ml.m5.xlarge'?)",
        ),
        (
            "training",
            "instance_type: ML.M5.XLarge",
            "'ML.M5.XLarge' is no instance type that SageMaker has for training steps (did you mean 'ml.m5.xlarge'?)",
        ),
        (
            "processing",
            "instance_type: p4d.24xlarge",
            "'p4d.24xlarge' is no instance type that SageMaker has for processing steps (did you mean"
            " 'ml.p4d.24xlarge'?); SageMaker has 'ml.p4d.24xlarge' for training, not for processing",
        ),
        (
            "training",
            "instance_type: ml.p3",
            "'ml.p3' is no instance type that SageMaker has for training steps; of that family it has 'ml.p3.2xlarge',"
            " 'ml.p3.8xlarge', 'ml.p3.16xlarge'",
        ),
        (
            "processing",
            "instance_type: ml.trn1.3xlarge",
            "'ml.trn1.3xlarge' is no instance type that SageMaker has for processing steps (did you mean"
            " 'ml.trn1.32xlarge'?); SageMaker has 'ml.trn1.32xlarge' for training and transform, not for processing",
        ),
        ("training", "instance_type: z", "'z' is no instance type that SageMaker has for training steps"),
        (
            "processing",
            "instance_type: ml.trn1.2xlarge",
            "SageMaker has 'ml.trn1.2xlarge' for training and transform, not for processing",
        ),
        (
            "processing",
            "instance_type: ml.p4d.24xlarge",
            "SageMaker has 'ml.p4d.24xlarge' for training, not for processing",
        ),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_with_its_line(refuse: Refuse, job: str, key: str, message: str) -> None:
    assert refuse(STEP.format(job=job, key=key)) == [f"pipeline.yaml:6:5: steps.s.instance_type: {message}"]


def test_credentials_of_two_keys_are_refused(refuse: Refuse) -> None:
    text = STEP.format(job="processing", key="credentials: environment") + "    env: {AWS_ACCESS_KEY_ID: x}\n"
    (line,) = refuse(text)
    assert line.startswith("pipeline.yaml:6:5: steps.s.credentials: env has 'AWS_ACCESS_KEY_ID' of its own")


def test_others_of_the_family_are_named(refuse: Refuse) -> None:
    (line,) = refuse(STEP.format(job="processing", key="instance_type: ml.c5n.xlarge"))
    assert "for training, not for processing; of its family it has 'ml.c5.xlarge', 'ml.c5.2xlarge'," in line
