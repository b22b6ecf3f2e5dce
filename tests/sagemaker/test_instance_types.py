"""What an instance type changes in a job: limits, config files, variables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runner.sagemaker.job import ContainerJob, Limits

JobOf = Callable[..., ContainerJob]
TRAINING = {"type": "training", "script": "train.py"}


def config(job: ContainerJob, name: str) -> Any:
    return next(json.loads(file.content) for file in job.config if file.target.endswith(name))


def test_without_one_there_are_no_limits_and_the_usual_name(job_of: JobOf) -> None:
    job = job_of({"script": "a.py"})
    assert (job.instance_type, job.limits) == (None, Limits())
    cluster = config(job, "processingjobconfig.json")["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == "ml.m5.xlarge"


@pytest.mark.parametrize(
    ("resources", "cpus", "memory", "of_instance"),
    [
        ({}, 16, 64 << 30, ("cpus", "memory")),
        ({"cpus": 2}, 2, 64 << 30, ("memory",)),
        ({"memory": "1g"}, 16, 1 << 30, ("cpus",)),
        ({"cpus": 0.5, "memory": "1g"}, 0.5, 1 << 30, ()),
    ],
)
def test_the_limits_are_the_types_unless_resources_say_otherwise(
    job_of: JobOf, resources: dict[str, Any], cpus: float, memory: int, of_instance: tuple[str, ...]
) -> None:
    limits = job_of({"script": "a.py", "instance_type": "ml.m5.4xlarge", "resources": resources}).limits
    assert (limits.cpus, limits.memory, limits.of_instance) == (cpus, memory, of_instance)


def test_config_files_and_variables_follow_it(job_of: JobOf) -> None:
    processing = job_of({"script": "a.py", "instance_type": "ml.c5.2xlarge"})
    cluster = config(processing, "processingjobconfig.json")["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == processing.instance_type == "ml.c5.2xlarge"
    training = job_of({**TRAINING, "instance_type": "ml.c5.2xlarge"})
    resources = config(training, "resourceconfig.json")
    assert resources["current_instance_type"] == "ml.c5.2xlarge"
    assert [group["instance_type"] for group in resources["instance_groups"]] == ["ml.c5.2xlarge"]
    env = dict(training.env)
    assert env["SM_CURRENT_INSTANCE_TYPE"] == "ml.c5.2xlarge"
    assert env["SM_NUM_CPUS"] == "8"
    assert json.loads(env["SM_INSTANCE_GROUPS_DICT"])["homogeneousCluster"]["instance_type"] == "ml.c5.2xlarge"


def test_a_job_carries_the_word_for_credentials_and_nothing_else(job_of: JobOf) -> None:
    for step in ({"script": "a.py"}, TRAINING):
        assert job_of(step).credentials == "none"
        assert job_of({**step, "credentials": "endpoint"}).credentials == "endpoint"
