"""A step with several instances: one job, and what each host has for itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runner.sagemaker.identity import hosts
from runner.sagemaker.job import ContainerJob

JobOf = Callable[..., ContainerJob]
PROCESSING = {"script": "s.py", "instance_count": 2, "outputs": ["out"]}
TRAINING = {"type": "training", "script": "t.py", "instance_count": 3}


def config(job: ContainerJob, name: str) -> Any:
    (found,) = [item for item in job.config if item.target.endswith(f"/{name}.json")]
    return json.loads(found.content)


def test_hosts_are_sorted_as_texts() -> None:
    assert hosts(1) == ("algo-1",)
    assert hosts(11)[:4] == ("algo-1", "algo-10", "algo-11", "algo-2")


def test_one_instance_has_no_members(job_of: JobOf) -> None:
    job = job_of({"script": "s.py"})
    assert (job.instance_count, job.members, job.hostname) == (1, (), "algo-1")


def test_each_host_of_a_processing_job_knows_itself(job_of: JobOf) -> None:
    job = job_of({**PROCESSING, "inputs": {"a": {"source": "d", "distribution": "ShardedByS3Key"}, "b": "d"}})
    assert hash(job)
    assert [member.hostname for member in job.members] == ["algo-1", "algo-2"]
    for member in job.members:
        own = job.of(member)
        assert (own.hostname, own.members) == (member.hostname, ())
        assert config(own, "resourceconfig") == {"current_host": member.hostname, "hosts": ["algo-1", "algo-2"]}
        document = config(own, "processingjobconfig")
        assert document["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
        kinds = [item["S3Input"]["S3DataDistributionType"] for item in document["ProcessingInputs"]]
        assert kinds == ["ShardedByS3Key", "FullyReplicated", "FullyReplicated"]
    assert [mount.sharded for mount in job.inputs] == [True, False, False]
    assert job.of(job.members[0]).env == job.env


def test_each_host_of_a_training_job_knows_itself(job_of: JobOf) -> None:
    job = job_of({**TRAINING, "inputs": {"train": {"source": "d", "distribution": "ShardedByS3Key"}}})
    names = ["algo-1", "algo-2", "algo-3"]
    for member in job.members:
        own, env = job.of(member), dict(member.env)
        resources = config(own, "resourceconfig")
        assert (resources["current_host"], resources["hosts"]) == (member.hostname, names)
        assert resources["instance_groups"][0]["hosts"] == names
        assert json.loads(env["SM_RESOURCE_CONFIG"]) == resources
        assert json.loads(env["SM_HOSTS"]) == names
        assert env["SM_CURRENT_HOST"] == env["CURRENT_HOST"] == member.hostname
        training = json.loads(env["SM_TRAINING_ENV"])
        assert (training["master_hostname"], training["is_master"]) == ("algo-1", member.hostname == "algo-1")
        assert config(own, "inputdataconfig")["train"]["S3DistributionType"] == "ShardedByS3Key"
